package session

import (
	"context"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/auth"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/unread"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// Login is what the channels of a connection have in common.
type Login struct {
	Client  *ipc.Client
	Permits auth.Permits
	Journal *journal.Journal
	// Messages are what the session's modules said, for the first shell on a
	// terminal.
	Messages string
	// Variables are those of the connection, for every process.
	Variables []ipc.Variable
	// MaxChannels may be open at once. x/crypto/ssh holds up to 2 MiB of what a
	// client has sent into one and its process has not read, and in packets of a
	// byte that is 48 times as much.
	MaxChannels int
	Unread      *unread.Limit

	mu   sync.Mutex
	open int
}

// Serve serves channels until the connection ends. It returns when no more is
// done for any of them; their processes may still be there.
func (l *Login) Serve(ctx context.Context, channels <-chan ssh.NewChannel) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for asked := range channels {
		if asked.ChannelType() != "session" {
			l.refuse(asked)
			continue
		}
		if !l.enter() {
			l.Journal.Warn("too many channels", "most", l.MaxChannels)
			asked.Reject(ssh.ResourceShortage, "too many channels are open on this connection")
			continue
		}
		channel, requests, err := asked.Accept()
		if err != nil {
			l.leave()
			continue
		}
		serving.Go(func() {
			defer l.leave()
			s := &session{Login: l, channel: channel, input: l.Unread.Input(channel)}
			defer s.input.Close()
			s.serve(ctx, requests)
		})
	}
}

// refuse says why there is no such channel.
func (l *Login) refuse(asked ssh.NewChannel) {
	kind := asked.ChannelType()
	l.Journal.Warn("channel refused", "type", journal.Text(kind))
	switch kind {
	case "direct-tcpip", "direct-streamlocal@openssh.com":
		asked.Reject(ssh.Prohibited, "port forwarding is off on this server")
	default:
		asked.Reject(ssh.UnknownChannelType, "this server has only sessions")
	}
}

func (l *Login) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.MaxChannels {
		return false
	}
	l.open++
	return true
}

func (l *Login) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

// takeMessages returns the messages once.
func (l *Login) takeMessages() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	messages := l.Messages
	l.Messages = ""
	return messages
}
