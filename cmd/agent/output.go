package main

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// output passes on what the user's process writes into a pipe or a terminal.
type output struct {
	from, to *os.File
	// left is how many bytes at most are still to come from a process that has
	// ended. Its children may write on: nobody waits for them.
	left func() int
	err  error // of the writing; set when passed is closed

	passed chan struct{}
}

// pass starts passing on.
func pass(from, to *os.File, left func() int) *output {
	o := &output{from: from, to: to, left: left, passed: make(chan struct{})}
	go func() {
		defer close(o.passed)
		o.err = o.run()
	}()
	return o
}

// finish lets it come to an end: the process has ended.
func (o *output) finish() { o.from.SetReadDeadline(time.Now()) }

func (o *output) run() error {
	buf := make([]byte, 32<<10)
	for {
		_, err := o.some(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return o.rest(buf)
		case err != nil:
			return writeError(err)
		}
	}
}

// quiet is how long a process that has ended has nothing more to say.
const quiet = 200 * time.Millisecond

func (o *output) rest(buf []byte) error {
	for left := o.left(); left > 0; {
		o.from.SetReadDeadline(time.Now().Add(quiet))
		n, err := o.some(buf[:min(left, len(buf))])
		if err != nil {
			return writeError(err)
		}
		left -= n
	}
	return nil
}

// some passes on one piece. A failed write is told from the end of the reading
// by its type.
func (o *output) some(buf []byte) (int, error) {
	n, err := o.from.Read(buf)
	if n == 0 {
		return 0, err
	}
	if _, err := o.to.Write(buf[:n]); err != nil {
		o.from.Close() // the process learns it from its next write
		return n, &unwritable{err}
	}
	return n, nil
}

// unwritable is a failed write.
type unwritable struct{ error }

func (e *unwritable) Unwrap() error { return e.error }

// writeError drops the end of the reading: EOF of a pipe, EIO of a terminal.
func writeError(err error) error {
	var failed *unwritable
	if errors.As(err, &failed) {
		return failed.error
	}
	return nil
}

// inPipe is how much a pipe holds, in bytes.
func inPipe(pipe *os.File) int {
	held := 0
	if raw, err := pipe.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { held, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	}
	return held
}
