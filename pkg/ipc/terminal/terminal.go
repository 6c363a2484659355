// Package terminal answers PAM's prompts from the terminal of a person.
package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// maxLine is the longest line a terminal gives at once (termios(3), canonical
// mode), in bytes.
const maxLine = 4096

// ErrNoTerminal is what ReadLine returns for a file that is not a terminal.
var ErrNoTerminal = errors.New("standard input is not a terminal")

// Conversation asks on In and shows on Out. Texts are made harmless.
type Conversation struct {
	In  *os.File
	Out io.Writer
}

var _ ipc.Conversation = Conversation{}

// Prompt implements ipc.Conversation.
func (c Conversation) Prompt(ctx context.Context, echo bool, text []byte) ([]byte, error) {
	answer, err := ReadLine(ctx, c.In, echo, func() { fmt.Fprint(c.Out, ipc.Printable(text)) })
	if err != nil || !echo {
		fmt.Fprintln(c.Out)
	}
	return answer, err
}

// Info implements ipc.Conversation.
func (c Conversation) Info(text []byte) { fmt.Fprintln(c.Out, ipc.Printable(text)) }

// Error implements ipc.Conversation.
func (c Conversation) Error(text []byte) { fmt.Fprintln(c.Out, ipc.Printable(text)) }

// ReadLine reads a line from a terminal, without its newline. It calls ask when
// the terminal is ready to be typed at: what was typed before is thrown away, so
// that no line meant for something else becomes an answer. It cannot be
// suspended with Ctrl-Z meanwhile. On every way out
// the terminal is as it was; where ctx ends first, what was typed is thrown
// away before its echo is on again. The caller wipes the line.
func ReadLine(ctx context.Context, tty *os.File, echo bool, ask func()) ([]byte, error) {
	fd := int(tty.Fd())
	saved, err := term.GetState(fd)
	if err != nil {
		return nil, ErrNoTerminal
	}
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, ErrNoTerminal
	}
	mode.Lflag |= unix.ICANON | unix.ISIG | unix.ECHO
	mode.Iflag |= unix.ICRNL
	mode.Cc[unix.VSUSP] = 0 // _POSIX_VDISABLE: a stopped program would leave the echo off
	if !echo {
		mode.Lflag &^= unix.ECHO
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, mode); err != nil {
		return nil, fmt.Errorf("set the terminal: %w", err)
	}
	defer term.Restore(fd, saved)
	ask()

	if err := WaitReadable(ctx, tty); err != nil {
		unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
		return nil, err
	}
	line := make([]byte, maxLine+1)
	n, err := unix.Read(fd, line)
	if err != nil {
		return nil, fmt.Errorf("read the terminal: %w", err)
	}
	if n == 0 {
		return nil, errors.New("end of input instead of an answer")
	}
	return bytes.TrimSuffix(line[:n], []byte("\n")), nil
}

// WaitReadable waits until a file has something to read, its end included, or
// ctx ends.
func WaitReadable(ctx context.Context, f *os.File) error {
	fd := int(f.Fd())
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		w.Write([]byte{0})
	})
	defer func() {
		if !stop() {
			<-woken
		}
	}()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(r.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && fds[0].Revents != 0 {
			return nil
		}
	}
}
