package node

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// bulk is a connection over which much comes and goes at times. The SSH library reads
// 4 KiB and then the rest of a packet, and writes a packet of 32 KiB in two pieces
// likewise: each costs a call, and wakes the peer for nothing.
type bulk struct {
	*prompt
	// For the reader, which is one goroutine.
	full   bool              // the last read brought all that was asked for, so more is there
	buffer *[bufferSize]byte // nil where nothing is in rest
	rest   []byte
	// For the writer, which is one as well.
	large bool // the last packet was large
}

const (
	libraryBuffer = 4 << 10 // the library's own, in bytes (bufio's default)
	bufferSize    = 64 << 10
)

// buffers hold what is encrypted still.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// inBulk makes a connection of TCP one for much at a time.
func inBulk(c net.Conn) net.Conn {
	if p, ok := c.(*prompt); ok {
		return &bulk{prompt: p}
	}
	return c
}

// Read reads ahead while more comes than the library asks for.
func (b *bulk) Read(p []byte) (int, error) {
	if len(b.rest) > 0 {
		return b.take(p), nil
	}
	if !b.full || len(p) > libraryBuffer {
		n, err := b.prompt.Read(p)
		b.full = n >= libraryBuffer
		return n, err
	}
	b.buffer = buffers.Get().(*[bufferSize]byte)
	n, err := b.prompt.Read(b.buffer[:])
	b.full, b.rest = n >= libraryBuffer, b.buffer[:n]
	return b.take(p), err
}

func (b *bulk) take(p []byte) int {
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	if len(b.rest) == 0 {
		buffers.Put(b.buffer)
		b.buffer = nil
	}
	return n
}

// Write sends the first piece of a packet with the rest of it. That there is more can
// be told only by the size of the piece, and by the packet before: where it is wrong,
// the kernel sends the piece 0.2 s later (tcp(7), TCP_CORK).
func (b *bulk) Write(p []byte) (int, error) {
	if len(p) == libraryBuffer && b.large {
		return b.writeMore(p)
	}
	b.large = len(p) > libraryBuffer
	return b.prompt.Write(p)
}

func (b *bulk) writeMore(p []byte) (n int, err error) {
	raw, err := b.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		for n < len(p) {
			sent, err := unix.SendmsgN(int(fd), p[n:], nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
			switch err {
			case nil:
				n += sent
			case unix.EINTR:
			case unix.EAGAIN:
				return false
			default:
				failed = err
				return true
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return n, err
}
