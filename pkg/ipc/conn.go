package ipc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Conn carries frames over one stream socket. The first error of a direction is
// final for that direction: a stream is not resynchronised with. What the peer
// said before a write to it failed can still be read, and a peer that sends what
// cannot be read can still be told so. One goroutine may read while others
// write.
type Conn struct {
	stream net.Conn
	r      io.Reader

	writing sync.Mutex

	mu       sync.Mutex
	readErr  error
	writeErr error
}

// NewConn takes over a stream. On a unix socket, descriptors that no message
// declared are closed and end the connection.
func NewConn(stream net.Conn) *Conn {
	c := &Conn{stream: stream, r: stream}
	if u, ok := stream.(messageReader); ok {
		// Room for more descriptors than the kernel puts into one message (253).
		c.r = &strayReader{conn: u, oob: make([]byte, unix.CmsgSpace(4*256))}
	}
	return c
}

// Close closes the stream. The peer sees the end of file.
func (c *Conn) Close() error {
	c.fail(net.ErrClosed)
	c.failWriting(net.ErrClosed)
	return c.stream.Close()
}

// SetWriteDeadline makes a waiting and any later write fail at t. The failure is
// final. The zero time means no deadline.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.stream.SetWriteDeadline(t) }

// ReadRequest reads what an agent asks.
func (c *Conn) ReadRequest() (*pb.Request, error) {
	req := new(pb.Request)
	return req, c.read(req)
}

// ReadEvent reads what a worker says.
func (c *Conn) ReadEvent() (*pb.Event, error) {
	event := new(pb.Event)
	return event, c.read(event)
}

// Write writes messages as frames, in one call to the system where they fit.
// The buffer is wiped afterwards; the messages stay the caller's.
func (c *Conn) Write(messages ...proto.Message) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	failed := c.writeErr
	c.mu.Unlock()
	if failed != nil {
		return failed
	}
	var buf []byte
	defer func() { clear(buf) }()
	for _, m := range messages {
		grown, err := AppendFrame(buf, m)
		if err != nil {
			return err // nothing of it was written: the connection is as it was
		}
		if len(buf) > 0 && &grown[0] != &buf[0] {
			clear(buf)
		}
		buf = grown
	}
	if _, err := c.stream.Write(buf); err != nil {
		return c.failWriting(fmt.Errorf("write: %w", err))
	}
	return nil
}

// leave tells the peer that nothing more will come, without waiting for it.
func (c *Conn) leave() {
	if half, ok := c.stream.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// Err returns the error that ended the connection, or nil: the one of reading
// where both directions have one.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readErr != nil {
		return c.readErr
	}
	return c.writeErr
}

func (c *Conn) read(m proto.Message) error {
	c.mu.Lock()
	failed := c.readErr
	c.mu.Unlock()
	if failed != nil {
		return failed
	}
	body, err := ReadFrame(c.r)
	if err != nil {
		return c.fail(err)
	}
	defer clear(body)
	if err := proto.Unmarshal(body, m); err != nil {
		if req, ok := m.(*pb.Request); ok {
			clear(req.GetAnswer().GetText()) // what was decoded before the fault
		}
		return c.fail(&ViolationError{Text: "a frame that does not decode"})
	}
	return nil
}

// fail records the first error of reading and returns it.
func (c *Conn) fail(err error) error {
	if errors.Is(err, ErrEmptyFrame) || errors.Is(err, ErrFrameTooLarge) {
		err = &ViolationError{Text: err.Error()}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readErr == nil {
		c.readErr = err
	}
	return c.readErr
}

func (c *Conn) failWriting(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writeErr == nil {
		c.writeErr = err
	}
	return c.writeErr
}

// messageReader is what a *net.UnixConn can, and what wraps one.
type messageReader interface {
	ReadMsgUnix(p, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
}

// strayReader reads from a unix socket and refuses descriptors.
type strayReader struct {
	conn messageReader
	oob  []byte
}

func (s *strayReader) Read(p []byte) (int, error) {
	n, oobn, flags, _, err := s.conn.ReadMsgUnix(p, s.oob)
	if oobn > 0 || flags&unix.MSG_CTRUNC != 0 {
		closeRights(s.oob[:oobn])
		return 0, &ViolationError{Text: "descriptors where none were declared"}
	}
	if errors.Is(err, io.EOF) || err == nil && n == 0 && len(p) > 0 {
		return n, io.EOF // as io.Reader has it, not wrapped by package net
	}
	return n, err
}

func closeRights(oob []byte) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}
