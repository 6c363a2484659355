package session

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// signals are those of RFC 4254, 6.10.
var signals = map[string]syscall.Signal{
	"ABRT": syscall.SIGABRT, "ALRM": syscall.SIGALRM, "FPE": syscall.SIGFPE, "HUP": syscall.SIGHUP, "ILL": syscall.SIGILL,
	"INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "PIPE": syscall.SIGPIPE, "QUIT": syscall.SIGQUIT, "SEGV": syscall.SIGSEGV,
	"TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
}

// signal sends one that has a name; others are dropped, as sshd does.
func signal(p *ipc.Process, name string) {
	if number, known := signals[name]; known {
		p.Signal(number)
	}
}

// end tells how the process ended, and closes the channel behind it. The end of
// file comes last: plink does not wait for the status behind it.
func (s *session) end(exit ipc.Exit) {
	defer s.channel.Close()
	defer s.channel.CloseWrite()
	if name, known := signalName(exit.Signal); known {
		s.Journal.Info("process ended", "number", s.number, "signal", name)
		s.channel.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Name           string
			Core           bool
			Text, Language string
		}{Name: name, Core: exit.Core}))
		return
	}
	status := exit.Status
	if exit.Signal != 0 {
		status = 128 + int(exit.Signal) // a signal that the protocol has no name for
	}
	s.Journal.Info("process ended", "number", s.number, "status", status)
	s.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
}

func signalName(number syscall.Signal) (string, bool) {
	for name, signal := range signals {
		if signal == number {
			return name, true
		}
	}
	return unix.SignalName(number), false
}

// lost tells that nobody knows what becomes of the process.
func (s *session) lost(err error) {
	if errors.Is(err, context.Canceled) {
		// The client has closed the channel, or the connection: the process gets a
		// SIGHUP, and ends with the login at the latest.
		s.Journal.Info("process left", "number", s.number)
		return
	}
	fmt.Fprint(s.channel.Stderr(), "The helper of this login has died.\r\n")
	s.end(ipc.Exit{Status: statusLost})
}
