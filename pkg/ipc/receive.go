package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	pb "github.com/pamhelper/pamhelper/proto"
)

// event is what a worker said, with the descriptors that came along.
type event struct {
	*pb.Event
	process *Process // of Started
}

// receive reads events until the connection ends: those of the running step go
// to it, an Exited to its process. Close waits for it.
func (c *Client) receive() {
	for {
		said, files, err := c.conn.ReadEvent()
		if err != nil && !errors.Is(err, ErrDescriptorsLost) {
			c.end(connectionError(err))
			return
		}
		if !c.dispatch(said, files) {
			return
		}
	}
}

// dispatch reports whether there is more to come.
func (c *Client) dispatch(said *pb.Event, files []*os.File) bool {
	e := event{Event: said}
	switch body := said.GetBody().(type) {
	case *pb.Event_Exited:
		if err := c.exited(body.Exited); err != nil {
			c.end(err)
			return false
		}
		return true
	case *pb.Event_Started:
		e.process = c.newProcess(body.Started, files)
	case *pb.Event_Message, *pb.Event_Prompt, *pb.Event_Result, *pb.Event_Trace:
	default:
		c.end(endingError(said))
		return false
	}
	if c.deliver(e) {
		return true
	}
	e.process.abandon()
	return false
}

// deliver hands an event to the step that runs. Where none does, only a message
// can come, of a module that the worker undoes a login with; nobody waits for it.
func (c *Client) deliver(e event) bool {
	select {
	case c.events <- e:
		return true
	case <-c.closed:
		return false
	case c.turn <- struct{}{}:
		defer c.release()
	}
	if e.GetMessage() != nil {
		return true
	}
	if c.failure() != nil { // the step it belongs to was given up
		e.process.abandon()
		return true
	}
	c.end(&ViolationError{Text: fmt.Sprintf("unexpected event %T", e.GetBody())})
	return false
}

// take waits until no other step runs and returns with the turn, or says why
// there can be no more steps. A context that has ended gets a turn that is free:
// send ends the login then.
func (c *Client) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
	default:
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		c.release()
		return errors.New("the login has ended; a new one needs a new client")
	case c.failed != nil:
		c.release()
		return c.failed
	}
	return nil
}

func (c *Client) release() { <-c.turn }

// send writes, no longer than ctx lasts. A connection that ended meanwhile is no
// error here: what the worker said about it is still to be taken.
func (c *Client) send(ctx context.Context, write func() error) error {
	stop := context.AfterFunc(ctx, func() { c.conn.SetWriteDeadline(time.Now()) })
	err := write()
	if !stop() {
		return c.end(context.Cause(ctx))
	}
	if err != nil && c.conn.Err() == nil {
		return err // too large to send: nothing was written
	}
	return nil
}

// next waits for what the worker says to the step that runs.
func (c *Client) next(p *patience) (event, error) {
	select {
	case e := <-c.events:
		return e, nil
	case <-c.alive.Done():
		return event{}, c.failure()
	case <-p.over:
		return event{}, c.end(context.Cause(p.ctx))
	}
}

// patience is how long a step is waited for: as long as its context lasts, and a
// little longer where the context ended in a prompt, which was then cancelled.
type patience struct {
	ctx  context.Context
	over <-chan struct{}
}

// cancelGrace is how long a cancelled prompt's step may take to end.
const cancelGrace = 5 * time.Second

func newPatience(ctx context.Context) *patience { return &patience{ctx: ctx, over: ctx.Done()} }

func (p *patience) afterPrompt() {
	if p.ctx.Err() == nil || p.over != p.ctx.Done() {
		return
	}
	over := make(chan struct{})
	time.AfterFunc(cancelGrace, func() { close(over) })
	p.over = over
}

// end makes err what every later step returns, and returns what they do.
func (c *Client) end(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
		c.conn.leave()
	}
	return c.failed
}

func (c *Client) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// connectionError explains an error of the connection.
func connectionError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return ErrHelperDied
	}
	return err
}

// endingError is the error of an event that ends the login.
func endingError(event *pb.Event) error {
	switch body := event.GetBody().(type) {
	case *pb.Event_Fault:
		return faultError(body.Fault)
	case *pb.Event_Crash:
		return &CrashError{
			Module: body.Crash.GetModule(), Signal: syscall.Signal(body.Crash.GetSignal()),
			File: body.Crash.GetFile(), Line: int(body.Crash.GetLine()),
		}
	}
	return &ViolationError{Text: fmt.Sprintf("unexpected event %T", event.GetBody())}
}

func faultError(f *pb.Fault) error {
	switch f.GetKind() {
	case pb.Fault_VIOLATION:
		return &ViolationError{Text: f.GetText()}
	case pb.Fault_REFUSED:
		return &RefusedError{Text: f.GetText()}
	case pb.Fault_BUSY:
		return newBusyError(f.GetBusy())
	case pb.Fault_HANG:
		return &HangError{Module: f.GetModule(), File: f.GetFile(), Line: int(f.GetLine()), Text: f.GetText()}
	case pb.Fault_VERSION:
		return fmt.Errorf("%w: %s", ErrVersion, f.GetText())
	case pb.Fault_TIMEOUT:
		return fmt.Errorf("%w: %s", ErrTimeout, f.GetText())
	case pb.Fault_STOPPED:
		return fmt.Errorf("%w: %s", ErrStopped, f.GetText())
	}
	return fmt.Errorf("%w: %s", ErrInternal, f.GetText())
}
