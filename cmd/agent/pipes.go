package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/output"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// overPipes runs a process without a terminal. It gets pipes of the agent's own,
// never the agent's descriptors: into a terminal that another user holds, that
// user can type.
func overPipes(ctx context.Context, client *ipc.Client, command ipc.Command, signals signals) error {
	stdin, stdout, stderr, err := threePipes()
	if err != nil {
		return &exitError{exitHelper, err}
	}
	defer closeAll(stdin.r, stdin.w, stdout.r, stdout.w, stderr.r, stderr.w)
	command.Stdin, command.Stdout, command.Stderr = stdin.r, stdout.w, stderr.w
	process, err := client.Start(ctx, command)
	closeAll(stdin.r, stdout.w, stderr.w)
	if err != nil {
		return ofLogin(err)
	}

	reading, stop := context.WithCancel(context.Background())
	defer stop()
	// Not waited for: what it was to read may have gone to another reader.
	go func() {
		defer stdin.w.Close()
		io.Copy(struct{ io.Writer }{stdin.w}, input{reading, os.Stdin}) // a process may not want it all
	}()
	outputs := []*output.Output{
		output.Pass(stdout.r, os.Stdout, func() int { return output.InPipe(stdout.r) }),
		output.Pass(stderr.r, os.Stderr, func() int { return output.InPipe(stderr.r) }),
	}
	err = following{process: process, signals: signals, forAgent: impatience(), outputs: outputs}.follow()
	return errors.Join(err, unwritten(outputs[0], "standard output"), unwritten(outputs[1], "standard error"))
}

// unwritten is what kept output from being passed on. That nobody reads it is no
// failure: the process was told by its own pipe.
func unwritten(o *output.Output, name string) error {
	select {
	case <-o.Passed:
	default:
		return nil // given up
	}
	if o.Err() == nil || errors.Is(o.Err(), syscall.EPIPE) {
		return nil
	}
	return &exitError{exitHelper, fmt.Errorf("%s: %w", name, o.Err())}
}

// impatience tells a second SIGINT or SIGTERM within a second from the first:
// the person wants the process gone that has not ended by the first.
func impatience() func(os.Signal) bool {
	const patience = time.Second
	last := map[os.Signal]time.Time{}
	return func(sig os.Signal) bool {
		before, now := last[sig], time.Now()
		last[sig] = now
		return (sig == syscall.SIGINT || sig == syscall.SIGTERM) && now.Sub(before) < patience
	}
}

// pipe is both ends of a pipe.
type pipe struct{ r, w *os.File }

func threePipes() (stdin, stdout, stderr pipe, err error) {
	for _, p := range []*pipe{&stdin, &stdout, &stderr} {
		if p.r, p.w, err = os.Pipe(); err != nil {
			closeAll(stdin.r, stdin.w, stdout.r, stdout.w)
			return stdin, stdout, stderr, err
		}
	}
	return stdin, stdout, stderr, nil
}

func closeAll(files ...*os.File) {
	for _, file := range files {
		file.Close()
	}
}
