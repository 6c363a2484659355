package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/output"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// onTerminal runs a process on a terminal of its own, of the size and type of
// the local one, which is raw meanwhile.
func onTerminal(ctx context.Context, client *ipc.Client, command ipc.Command, signals signals) error {
	local := localTerminal{os.Stdin}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH) // before the size is read: none is missed
	defer signal.Stop(resized)
	command.Terminal = &ipc.Terminal{Type: os.Getenv("TERM"), Size: local.size()}
	process, err := client.Start(ctx, command)
	if err != nil {
		return ofLogin(err)
	}
	defer process.Master.Close()
	restore, err := local.raw()
	if err != nil {
		return &exitError{exitHelper, fmt.Errorf("make the terminal raw: %w", err)}
	}
	defer restore()

	attached, detach := context.WithCancel(context.Background())
	var resizing sync.WaitGroup
	resizing.Go(func() { followSize(attached, local, process, resized) })
	defer resizing.Wait()
	defer detach()
	broken := make(chan error, 2)
	// Not waited for: the key it was to read may have gone to another reader.
	go typeInto(process.Master, input{attached, local.file}, broken)
	screen := output.Pass(process.Master, os.Stdout, func() int { return output.MaxInTerminal })
	go func() {
		switch err := screen.Err(); {
		case errors.Is(err, syscall.EIO):
			broken <- hungUp
		case err != nil:
			broken <- &exitError{exitLost, fmt.Errorf("standard output: %w", err)}
		}
	}()
	return following{process: process, signals: signals, forAgent: endsTerminal, outputs: []*output.Output{screen}, broken: broken}.follow()
}

// endsTerminal: a raw terminal sends no signals. One that comes all the same is
// from somebody who wants the agent to end, or says that the terminal is gone.
func endsTerminal(sig os.Signal) bool { return sig != syscall.SIGUSR1 && sig != syscall.SIGUSR2 }

// hungUp is a terminal that is gone. Where SIGHUP is ignored nothing else tells.
var hungUp = ofLogin(&interruptedError{syscall.SIGHUP})

// typeInto passes on what is typed. A terminal has no end of input but its own.
func typeInto(master *os.File, keyboard input, broken chan<- error) {
	_, err := io.Copy(struct{ io.Writer }{master}, keyboard)
	var path *os.PathError
	if keyboard.ctx.Err() == nil && (err == nil || errors.As(err, &path) && path.Op == "read") {
		broken <- hungUp
	}
}

// followSize gives the process's terminal the size of the local one.
func followSize(ctx context.Context, local localTerminal, process *ipc.Process, resized <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-resized:
			process.Resize(local.size()) // fails where it has just ended
		}
	}
}
