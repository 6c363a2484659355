// Package output passes on what a process of the user writes, to its last byte
// and no longer: what the process left running may write on for ever.
package output

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Output passes on what is written into a pipe or a terminal.
type Output struct {
	// Passed is closed when all has been passed on, or could not be.
	Passed <-chan struct{}

	from *os.File
	to   io.Writer
	left func() int
	err  error // set when Passed is closed
}

// Pass starts passing on. left says how many bytes at most are still to come from
// a process that has ended: InPipe for a pipe. Its children may write on: nobody
// waits for them. Where writing fails, from is closed.
func Pass(from *os.File, to io.Writer, left func() int) *Output {
	passed := make(chan struct{})
	o := &Output{Passed: passed, from: from, to: to, left: left}
	go func() {
		defer close(passed)
		o.err = o.run()
	}()
	return o
}

// Finish lets it come to an end: the process has ended.
func (o *Output) Finish() { o.from.SetReadDeadline(time.Now()) }

// Err waits for the end and returns why writing failed, or nil.
func (o *Output) Err() error {
	<-o.Passed
	return o.err
}

// size is that of a buffer, in bytes. There are many at once in a server.
const size = 32 << 10

var buffers = sync.Pool{New: func() any { return new([size]byte) }}

func (o *Output) run() error {
	pooled := buffers.Get().(*[size]byte)
	defer buffers.Put(pooled)
	defer clear(pooled[:])
	buf := pooled[:]
	for grown := false; ; {
		n, err := o.some(buf)
		if n == len(buf) && !grown {
			Grow(o.from)
			grown = true
		}
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

func (o *Output) rest(buf []byte) error {
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
func (o *Output) some(buf []byte) (int, error) {
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

// inBulk is how much a pipe may hold whose process writes much, in bytes: the more, the
// less often does it wait.
const inBulk = 128 << 10

// Grow lets a pipe hold more. It is best effort: a user who has many pipes may not make
// them larger (pipe(7)), and a terminal has a size of its own.
func Grow(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, inBulk) })
	}
}

// MaxInTerminal is more than a terminal holds of what was written to it, in bytes.
const MaxInTerminal = 64 << 10

// InPipe is how much a pipe holds, in bytes.
func InPipe(pipe *os.File) int {
	held := 0
	if raw, err := pipe.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { held, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	}
	return held
}
