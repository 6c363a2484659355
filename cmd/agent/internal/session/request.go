package session

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/unread"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// session is one channel, with at most one process.
type session struct {
	*Login
	channel ssh.Channel
	input   *unread.Input // what comes from it

	variables []ipc.Variable
	size      int // of the variables, in bytes
	terminal  *ipc.Terminal
	running   running
	number    int // of the process, in the log
	following sync.WaitGroup
}

// running is a process with what the channel has of it.
type running interface {
	// follow passes on until the process has ended, tells the client how, and
	// closes the channel. ctx ends with the interest in it.
	follow(ctx context.Context)
	resize(ipc.Size)
	signal(name string)
	// hangUp is called when the client has closed the channel.
	hangUp()
}

// Variables that a client may ask for, in number and in bytes.
const (
	maxVariables = 64
	maxSize      = 32 << 10
)

// serve takes the channel's requests until it is closed.
func (s *session) serve(ctx context.Context, requests <-chan *ssh.Request) {
	defer s.channel.Close()
	ctx, gone := context.WithCancel(ctx)
	defer gone()
	s.following.Go(func() { drop(s.channel.Stderr()) }) // a client has none to send
	for request := range requests {
		ok := s.take(ctx, request)
		if request.WantReply {
			request.Reply(ok, nil)
		}
		if s.running != nil && ok && starts[request.Type] {
			s.following.Go(func() { s.running.follow(ctx) })
		}
	}
	if s.running != nil {
		s.running.hangUp()
	}
	gone()
	s.following.Wait()
}

// starts are the requests that start the process.
var starts = map[string]bool{"shell": true, "exec": true, "subsystem": true}

// take does what a request asks for. Those that are not known are refused.
func (s *session) take(ctx context.Context, request *ssh.Request) bool {
	switch request.Type {
	case "env":
		return s.env(request.Payload)
	case "pty-req":
		return s.pty(request.Payload)
	case "window-change":
		return s.windowChange(request.Payload)
	case "signal":
		return s.signal(request.Payload)
	case "shell":
		return s.start(ctx, "shell", "")
	case "exec":
		var asked struct{ Command string }
		return ssh.Unmarshal(request.Payload, &asked) == nil && asked.Command != "" && s.start(ctx, "exec", asked.Command)
	case "subsystem":
		var asked struct{ Name string }
		return ssh.Unmarshal(request.Payload, &asked) == nil && s.subsystem(ctx, asked.Name)
	}
	return false
}

// env keeps a variable for the process. The helper's policy says which names it
// gets. Those of SSH itself are the agent's to say: programs believe them.
func (s *session) env(payload []byte) bool {
	var asked struct{ Name, Value string }
	if ssh.Unmarshal(payload, &asked) != nil || s.running != nil || strings.HasPrefix(asked.Name, "SSH_") {
		return false
	}
	s.size += len(asked.Name) + len(asked.Value)
	if len(s.variables) >= maxVariables || s.size > maxSize {
		return false
	}
	s.variables = append(s.variables, ipc.Variable{Name: asked.Name, Value: asked.Value})
	return true
}

func (s *session) windowChange(payload []byte) bool {
	size, ok := sizeOf(payload)
	if !ok || s.terminal == nil {
		return false
	}
	s.terminal.Size = size
	if s.running != nil {
		s.running.resize(size)
	}
	return true
}

func (s *session) signal(payload []byte) bool {
	var asked struct{ Name string }
	if ssh.Unmarshal(payload, &asked) != nil || s.running == nil {
		return false
	}
	s.running.signal(asked.Name)
	return true
}

// subsystems are programs of the machine, run as commands.
var subsystems = map[string]string{"sftp": "/usr/lib/openssh/sftp-server"}

func (s *session) subsystem(ctx context.Context, name string) bool {
	line, known := subsystems[name]
	if !known {
		s.Journal.Warn("no such subsystem", "name", journal.Text(name))
		return false
	}
	return s.start(ctx, "subsystem", line)
}
