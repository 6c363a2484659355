package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// signals are those that end a login while it has no process, and that are for
// the process once it runs.
type signals chan os.Signal

// listen takes over the signals for the rest of the program. One that is ignored
// already stays so: nohup(1) and a shell's background jobs rely on that.
func listen() signals {
	s := make(signals, 16)
	for _, heeded := range []os.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
	} {
		if !signal.Ignored(heeded) {
			signal.Notify(s, heeded)
		}
	}
	// Whose output nobody reads is told by the write. Not ignored: the helper and
	// the user's process would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return s
}

// cancelling returns a context that the next signal ends. The caller calls stop,
// which returns that signal as an *interruptedError, or nil.
func (s signals) cancelling() (ctx context.Context, stop func() error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped := make(chan struct{})
	var interrupted error
	var listening sync.WaitGroup
	listening.Go(func() {
		select {
		case sig := <-s:
			interrupted = &interruptedError{sig.(syscall.Signal)}
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
