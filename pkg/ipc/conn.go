package ipc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc/wire"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Conn carries frames over one stream socket. The first error of a direction is
// final for that direction: a stream is not resynchronised with. What the peer
// said before a write to it failed can still be read, and a peer that sends what
// cannot be read can still be told so. One goroutine may read while others
// write.
type Conn struct {
	stream net.Conn
	most   int // the longest frame body
	r      io.Reader
	rights *rightsReader // r, where it is a unix socket

	writing sync.Mutex

	mu       sync.Mutex
	readErr  error
	writeErr error
}

// NewConn takes over a stream. On a unix socket, descriptors that no message
// declared are closed and end the connection.
func NewConn(stream net.Conn) *Conn { return newConn(stream, MaxFrame) }

// NewControlConn takes over the control socket between an agent and its broker.
func NewControlConn(stream net.Conn) *Conn { return newConn(stream, MaxControlFrame) }

func newConn(stream net.Conn, most int) *Conn {
	c := &Conn{stream: stream, most: most, r: stream}
	if u, ok := stream.(messageReader); ok {
		if raw, err := u.SyscallConn(); err == nil {
			c.rights = newRightsReader(raw)
			c.r = c.rights
		}
	}
	return c
}

// Close closes the stream. The peer sees the end of file, also where a process
// that was forked meanwhile still has the descriptor.
func (c *Conn) Close() error {
	c.fail(net.ErrClosed)
	c.failWriting(net.ErrClosed)
	c.leave()
	return c.stream.Close()
}

// SetWriteDeadline makes a waiting and any later write fail at t. The failure is
// final. The zero time means no deadline.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.stream.SetWriteDeadline(t) }

// ReadRequest reads what an agent asks. Files are the descriptors that came
// with it, as many as it declares; they are the caller's. Where they were lost
// for want of free descriptors, the error is ErrDescriptorsLost, the request is
// valid, and the connection goes on.
func (c *Conn) ReadRequest() (*pb.Request, []*os.File, error) {
	req := new(pb.Request)
	files, err := c.read(req)
	return req, files, err
}

// ReadEvent reads what a worker says, with files as ReadRequest has them.
func (c *Conn) ReadEvent() (*pb.Event, []*os.File, error) {
	event := new(pb.Event)
	files, err := c.read(event)
	return event, files, err
}

// ReadBrokerRequest reads what an agent asks of its broker.
func (c *Conn) ReadBrokerRequest() (*pb.BrokerRequest, error) {
	req := new(pb.BrokerRequest)
	_, err := c.read(req)
	return req, err
}

// ReadBrokerReply reads what a broker answers, with the worker's socket where it
// declares one; that is the caller's. Where it was lost for want of a free
// descriptor, the error is ErrDescriptorsLost, and the connection goes on.
func (c *Conn) ReadBrokerReply() (*pb.BrokerReply, *os.File, error) {
	reply := new(pb.BrokerReply)
	files, err := c.read(reply)
	if len(files) == 0 {
		return reply, nil, err
	}
	return reply, files[0], err
}

// Write writes messages as frames, in one call to the system where they fit.
// The buffer is wiped afterwards; the messages stay the caller's.
func (c *Conn) Write(messages ...proto.Message) error {
	return c.write(nil, messages)
}

// WriteFiles writes one message that declares descriptors, together with them.
// The files stay the caller's.
func (c *Conn) WriteFiles(message proto.Message, files []*os.File) error {
	return c.write(files, []proto.Message{message})
}

func (c *Conn) write(files []*os.File, messages []proto.Message) error {
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
		grown, err := appendFrame(buf, m, c.most)
		if err != nil {
			return err // nothing of it was written: the connection is as it was
		}
		if len(buf) > 0 && &grown[0] != &buf[0] {
			clear(buf)
		}
		buf = grown
	}
	rest, err := c.writeRights(buf, files)
	if err == nil && len(rest) > 0 { // an empty write would fail where the peer has just left
		_, err = c.stream.Write(rest)
	}
	if err != nil {
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

func (c *Conn) read(m proto.Message) ([]*os.File, error) {
	c.mu.Lock()
	failed := c.readErr
	c.mu.Unlock()
	if failed != nil {
		return nil, failed
	}
	body, err := readFrame(c.r, c.most)
	files, lost := c.takeRights()
	if err != nil {
		Release(files)
		return nil, c.fail(err)
	}
	defer clear(body)
	if err := decode(body, m); err != nil {
		Release(files)
		return nil, c.fail(&ViolationError{Text: err.Error()})
	}
	declared := declaredDescriptors(m)
	if lost && declared > 0 {
		Release(files)
		return nil, ErrDescriptorsLost
	}
	if lost || declared != len(files) {
		Release(files)
		return nil, c.fail(&ViolationError{Text: fmt.Sprintf("%d descriptors with a message that declares %d", len(files), declared)})
	}
	return files, nil
}

// decode decodes what a worker reads by hand, and everything else with the library.
func decode(body []byte, m proto.Message) error {
	if req, ok := m.(*pb.Request); ok {
		err := wire.DecodeRequest(body, req)
		if err != nil {
			clear(req.GetAnswer().GetText()) // what was decoded before the fault
		}
		return err
	}
	if proto.Unmarshal(body, m) != nil {
		return wire.ErrMalformed
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
