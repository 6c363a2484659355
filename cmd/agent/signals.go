package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// signals are those that end a login while it has no process, and that are for
// the process once it runs.
type signals struct {
	incoming chan os.Signal
	lost     <-chan struct{} // closed when the login has to end without one: its broker is gone
}

// listen takes over the signals for the rest of the program. One that is ignored
// already stays so: nohup(1) and a shell's background jobs rely on that.
func listen(launcher ipc.Launcher) signals {
	s := signals{incoming: make(chan os.Signal, 16), lost: watchBroker(launcher)}
	for _, heeded := range []os.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
	} {
		if !signal.Ignored(heeded) {
			signal.Notify(s.incoming, heeded)
		}
	}
	// Whose output nobody reads is told by the write. Not ignored: the helper and
	// the user's process would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return s
}

// cancelling returns a context that the next signal ends, or the end of the broker.
// The caller calls stop, which returns that signal as an *interruptedError,
// errBrokerGone, or nil.
func (s signals) cancelling() (ctx context.Context, stop func() error) {
	return s.until(s.lost)
}

// leaving is cancelling for a login that is being closed: where the broker is gone
// already, there is some time for that.
func (s signals) leaving() (ctx context.Context, stop func() error) {
	select {
	case <-s.lost:
	default:
		return s.cancelling()
	}
	late := make(chan struct{})
	timer := time.AfterFunc(brokerGrace, func() { close(late) })
	ctx, stopListening := s.until(late)
	return ctx, func() error {
		timer.Stop()
		return stopListening()
	}
}

func (s signals) until(lost <-chan struct{}) (ctx context.Context, stop func() error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped := make(chan struct{})
	var interrupted error
	var listening sync.WaitGroup
	listening.Go(func() {
		select {
		case sig := <-s.incoming:
			interrupted = &interruptedError{sig.(syscall.Signal)}
			cancel(interrupted)
		case <-lost:
			interrupted = errBrokerGone
			cancel(interrupted)
		case <-stopped:
		}
	})
	return ctx, func() error {
		close(stopped)
		listening.Wait()
		cancel(nil)
		return interrupted
	}
}

// interruptedError is a signal that ended the agent.
type interruptedError struct{ signal syscall.Signal }

func (e *interruptedError) Error() string { return "ended by " + unix.SignalName(e.signal) }
