package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// What ends a channel that has no process, or has lost it.
const (
	statusNotStarted = 1
	statusLost       = 255
)

// startTimeout is longer than the helper takes to start a process, or to say why
// it could not.
const startTimeout = 30 * time.Second

// originalCommand tells a forced command what was asked for. It is not there for a
// shell.
const originalCommand = "SSH_ORIGINAL_COMMAND"

// start starts the process of the channel. A client is told in words on standard
// error why there is none, behind a reply that there is one.
func (s *session) start(ctx context.Context, kind, line string) bool {
	if s.running != nil {
		return false
	}
	command := ipc.Command{Line: line, Terminal: s.terminal, Variables: slices.Concat(s.Variables, s.variables)}
	if s.Permits.Forced {
		if line != "" {
			command.Variables = append(command.Variables, ipc.Variable{Name: originalCommand, Value: line})
		}
		command.Line = forced(s.Permits.Command)
	}
	// A client that leaves now does not end the login out of order.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	var err error
	if s.terminal != nil {
		s.running, err = s.onTerminal(ctx, kind, command)
	} else {
		s.running, err = s.overPipes(ctx, kind, command)
	}
	if err != nil {
		s.notStarted(kind, err)
		s.running = nothing{s}
		return true
	}
	return true
}

// forced is the line for a forced command.
func forced(command string) string {
	if command == "internal-sftp" { // of sshd, which has no program for it
		return subsystems["sftp"]
	}
	return command
}

// notStarted tells why.
func (s *session) notStarted(kind string, err error) {
	s.Journal.Warn("process not started", "kind", kind, "why", journal.Text(err.Error()))
	why := "it was not started"
	var refused *ipc.NotStartedError
	if errors.As(err, &refused) {
		why = refused.Text
	}
	fmt.Fprintf(s.channel.Stderr(), "%s\r\n", ipc.Printable([]byte(why)))
}

// nothing is in the place of a process that could not be started.
type nothing struct{ s *session }

func (n nothing) follow(context.Context) { n.s.end(ipc.Exit{Status: statusNotStarted}) }
func (n nothing) resize(ipc.Size)        {}
func (n nothing) signal(string)          {}
func (n nothing) hangUp()                {}

// started notes a process in the log. Command lines are not for it: people write
// passwords into them.
func (s *session) started(p *ipc.Process, kind string) {
	s.number = p.Number
	values := []any{"number", s.number, "pid", p.PID, "kind", kind}
	if p.Terminal != "" {
		values = append(values, "terminal", p.Terminal)
	}
	s.Journal.Info("process started", values...)
}

func closeAll(files ...*os.File) {
	for _, file := range files {
		if file != nil {
			file.Close()
		}
	}
}
