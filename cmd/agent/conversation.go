package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/terminal"
)

// errNoTerminal: a module asks something, and there is nobody to answer.
var errNoTerminal = errors.New("no terminal to ask on")

// conversation asks the person at the terminal. Standard output is the user's
// process's alone: texts go to standard error.
type conversation struct {
	in *os.File // the terminal to read answers from; nil: whichever there is
}

var _ ipc.Conversation = conversation{}

// Prompt implements ipc.Conversation.
func (c conversation) Prompt(ctx context.Context, echo bool, text []byte) ([]byte, error) {
	tty := c.in
	if tty == nil {
		found, err := findTerminal()
		if err != nil {
			return nil, err
		}
		defer found.Close()
		tty = found
	}
	return terminal.Conversation{In: tty, Out: shownOn(tty)}.Prompt(ctx, echo, text)
}

// findTerminal opens the controlling terminal. What a broker has started has none,
// but may have been given one as standard input or error.
func findTerminal() (*os.File, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err == nil {
		return tty, nil
	}
	for _, standard := range []*os.File{os.Stdin, os.Stderr} {
		if !term.IsTerminal(int(standard.Fd())) {
			continue
		}
		if fd, err := unix.FcntlInt(standard.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			return os.NewFile(uintptr(fd), standard.Name()), nil
		}
	}
	return nil, fmt.Errorf("%w: %w", errNoTerminal, err)
}

// shownOn is where a question is seen: standard error may go to a file.
func shownOn(tty *os.File) io.Writer {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		return os.Stderr
	}
	return tty
}

// Info implements ipc.Conversation.
func (c conversation) Info(text []byte) { terminal.Conversation{Out: os.Stderr}.Info(text) }

// Error implements ipc.Conversation.
func (c conversation) Error(text []byte) { terminal.Conversation{Out: os.Stderr}.Error(text) }
