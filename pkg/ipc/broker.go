package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	pb "github.com/pamhelper/pamhelper/proto"
)

// BrokerVariable is the environment variable in which a broker tells the program
// it starts on which descriptor the control socket is.
const BrokerVariable = "PAMHELPER_BROKER"

// maxAsked is how many requests wait for their replies at once: so many always
// fit into the socket, and asking never waits for the broker to read.
const maxAsked = 64

// Broker is a Launcher that asks the broker which started this program. Any
// goroutine may use it.
//
// When the broker is gone there are no more workers from it. An agent that serves
// others then stops listening, lets the sessions that are open end for a bounded
// time, and exits: whoever started the broker starts both again.
type Broker struct {
	conn  *Conn
	slots chan struct{} // holds a token for each request without its reply
	done  chan struct{} // closed by the receiver when it ends

	mu    sync.Mutex // held to write: requests and asked have one order
	asked []*asking
	why   error // what ended it; set when done is closed
}

// asking is one request that waits for its reply.
type asking struct {
	reply chan launched // has room for it
	left  bool          // nobody waits any more
}

type launched struct {
	conn net.Conn
	err  error
}

// OpenBroker takes over the control socket of the broker that started this
// program, which BrokerVariable names. There is one: every call returns the same.
var OpenBroker = sync.OnceValues(openBroker)

func openBroker() (*Broker, error) {
	text, found := os.LookupEnv(BrokerVariable)
	if !found {
		return nil, fmt.Errorf("no broker has started this program (%s is not set); run it so: pamhelper broker --user NAME -- COMMAND", BrokerVariable)
	}
	os.Unsetenv(BrokerVariable) // it is not for children
	fd, err := strconv.Atoi(text)
	if err != nil || fd <= 2 {
		return nil, fmt.Errorf("%s=%q is not a descriptor above 2", BrokerVariable, text)
	}
	stream, err := UnixConn(os.NewFile(uintptr(fd), "broker"))
	if err != nil {
		return nil, fmt.Errorf("%s=%d: %w", BrokerVariable, fd, err)
	}
	return NewBroker(stream), nil
}

// NewBroker takes over a control socket. Close ends it.
func NewBroker(stream net.Conn) *Broker {
	b := &Broker{conn: NewControlConn(stream), slots: make(chan struct{}, maxAsked), done: make(chan struct{})}
	go b.receive()
	return b
}

// Done is closed when the broker is gone.
func (b *Broker) Done() <-chan struct{} { return b.done }

// Close closes the control socket: the broker gives no more workers. Those that
// were launched go on.
func (b *Broker) Close() error {
	err := b.conn.Close()
	<-b.done
	return err
}

// Launch asks for a worker. The error is a *BusyError where there are too many now,
// and ErrBrokerGone behind the end of the broker. A worker that comes when ctx has
// ended is let go.
func (b *Broker) Launch(ctx context.Context) (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-b.done:
		return nil, b.why
	}
	a, err := b.ask()
	if err != nil {
		return nil, err
	}
	select {
	case got := <-a.reply:
		return got.conn, got.err
	case <-ctx.Done():
		b.leave(a)
		return nil, context.Cause(ctx)
	}
}

// ask sends one request.
func (b *Broker) ask() (*asking, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why != nil {
		return nil, b.why
	}
	a := &asking{reply: make(chan launched, 1)}
	b.asked = append(b.asked, a)
	// An error ends the connection: the receiver then answers all that wait.
	if err := b.conn.Write(&pb.BrokerRequest{Body: &pb.BrokerRequest_NewWorker{NewWorker: &pb.NewWorker{}}}); err != nil {
		b.conn.Close()
	}
	return a, nil
}

// leave lets go what was asked for, whether it has come or not. The replies behind
// it stay those of the requests behind it.
func (b *Broker) leave(a *asking) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a.left = true
	select {
	case got := <-a.reply:
		got.drop()
	default:
	}
}

func (l launched) drop() {
	if l.conn != nil {
		l.conn.Close()
	}
}

// receive hands replies to those who asked, in order, until the broker is gone.
func (b *Broker) receive() {
	for {
		reply, socket, err := b.conn.ReadBrokerReply()
		if err != nil && !errors.Is(err, ErrDescriptorsLost) {
			b.end(err)
			return
		}
		got := answerOf(reply, socket, err)
		if !b.answer(got) {
			got.drop()
			b.end(&ViolationError{Text: "a reply that nobody asked for"})
			return
		}
	}
}

// answerOf is what a reply says.
func answerOf(reply *pb.BrokerReply, socket *os.File, err error) launched {
	if err != nil {
		return launched{err: fmt.Errorf("a worker was started, and is let go: %w", err)}
	}
	switch outcome := reply.GetOutcome().(type) {
	case *pb.BrokerReply_Worker:
		conn, err := UnixConn(socket)
		if err != nil {
			return launched{err: fmt.Errorf("the worker's socket: %w", err)}
		}
		return launched{conn: conn}
	case *pb.BrokerReply_Busy:
		return launched{err: &BusyError{
			RetryAfter: time.Duration(outcome.Busy.GetRetryAfterMs()) * time.Millisecond, Text: outcome.Busy.GetText(),
		}}
	case *pb.BrokerReply_Failed:
		return launched{err: fmt.Errorf("the broker cannot start a worker: %s", Printable([]byte(outcome.Failed.GetText())))}
	}
	return launched{err: &ViolationError{Text: "a reply of the broker without a known outcome"}}
}

// answer gives a reply to the first who waits, and reports whether there was one.
func (b *Broker) answer(got launched) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.asked) == 0 {
		return false
	}
	first := b.asked[0]
	b.asked = b.asked[1:]
	<-b.slots
	if first.left {
		got.drop()
		return true
	}
	first.reply <- got
	return true
}

// end lets everybody know that the broker is gone.
func (b *Broker) end(why error) {
	b.conn.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.why = ErrBrokerGone
	var violation *ViolationError
	if errors.As(why, &violation) {
		b.why = fmt.Errorf("%w (%w)", ErrBrokerGone, why)
	}
	for _, a := range b.asked {
		a.reply <- launched{err: b.why}
	}
	b.asked = nil
	close(b.done)
}
