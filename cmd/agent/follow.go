package main

import (
	"context"
	"os"
	"sync"
	"syscall"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/output"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// following is one process of the user from its start to its end.
type following struct {
	process *ipc.Process
	signals signals
	// forAgent says which signals end the agent instead of going to the process.
	forAgent func(os.Signal) bool
	outputs  []*output.Output
	broken   <-chan error // why the process has nobody to talk to any more; nil: never
}

// follow waits for the end of the process and passes on the rest of what it
// wrote. What ends it earlier is its error.
func (f following) follow() error {
	ctx, cancel := context.WithCancel(context.Background())
	var exit ipc.Exit
	var lost error
	exited := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer close(exited)
		exit, lost = f.process.Wait(ctx)
	})
	defer waiting.Wait()
	defer cancel()
	if err := f.until(exited, f.forAgent); err != nil {
		return err
	}
	if lost != nil {
		return ofHelper(lost)
	}
	f.broken = nil // nobody is left to talk to
	for _, o := range f.outputs {
		o.Finish()
		if err := f.until(o.Passed, func(os.Signal) bool { return true }); err != nil {
			return err
		}
	}
	return ofProcess(exit)
}

// until waits, and passes signals on meanwhile.
func (f following) until(done <-chan struct{}, forAgent func(os.Signal) bool) error {
	for {
		select {
		case <-done:
			return nil
		case err := <-f.broken:
			return err
		case <-f.signals.lost:
			return &exitError{exitLost, errBrokerGone}
		case sig := <-f.signals.incoming:
			if forAgent(sig) {
				return ofLogin(&interruptedError{sig.(syscall.Signal)})
			}
			f.process.Signal(sig.(syscall.Signal)) // one that has ended needs none
		}
	}
}
