package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/auth"
)

// Settings are what new connections go by.
type Settings struct {
	Auth *auth.Settings
	// LoginTimeout is from a connection to its open session.
	LoginTimeout time.Duration
	// MaxUnauthenticated connections may be there whose session is not open. An
	// address may have as many of them as are still free.
	MaxUnauthenticated int
	// MaxChannels may be open at once on one connection.
	MaxChannels int
	// MaxUnread is how much of what a client has sent may be unread beyond the windows
	// of its channels, in bytes; see package unread.
	MaxUnread int64
	// A client that has been silent for KeepaliveInterval is asked for a sign of
	// life, and given up after KeepaliveCount that did not come. 0: never.
	KeepaliveInterval time.Duration
	KeepaliveCount    int
	// DrainTimeout is how long sessions may go on when the node is to end.
	DrainTimeout time.Duration
}

// Node is a service that runs. Its zero value is not one: see New.
type Node struct {
	log      *slog.Logger
	settings atomic.Pointer[Settings]

	mu          sync.Mutex
	connections map[*connection]bool
	unopened    unopened
	told        time.Time // when it was last logged that there are too many
	serving     sync.WaitGroup
}

// New makes a node.
func New(log *slog.Logger, settings *Settings) *Node {
	n := &Node{log: log, connections: map[*connection]bool{}, unopened: unopened{}}
	n.settings.Store(settings)
	return n
}

// Replace changes the settings of new connections.
func (n *Node) Replace(settings *Settings) { n.settings.Store(settings) }

// Serve takes connections until ctx ends. Then it stops listening, lets sessions
// go on for the drain timeout, or until now is closed, closes the rest, and returns
// when every login has been undone.
func (n *Node) Serve(ctx context.Context, listeners []net.Listener, now <-chan struct{}) error {
	ended, end := context.WithCancelCause(ctx)
	defer end(nil)
	var accepting sync.WaitGroup
	for _, listener := range listeners {
		context.AfterFunc(ended, func() { listener.Close() })
		accepting.Go(func() { end(n.accept(ended, listener)) })
	}
	<-ended.Done()
	accepting.Wait()
	n.drain(now)
	if ctx.Err() == nil {
		return context.Cause(ended)
	}
	return nil
}

// accept returns why no more connections can be taken.
func (n *Node) accept(ctx context.Context, listener net.Listener) error {
	for {
		stream, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if stream != nil {
				stream.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // such as too many open files: it may get better
			n.log.Error("accept", "why", err.Error())
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		n.admit(stream)
	}
}

// acceptPause is between attempts to take a connection where that fails.
const acceptPause = 100 * time.Millisecond

// tooMany is what is sent instead of an identification (RFC 4253, 4.2).
const tooMany = "Too many connections are logging in\r\n"

// admit serves a connection, or closes it where too many are logging in.
func (n *Node) admit(stream net.Conn) {
	settings := n.settings.Load()
	c := newConnection(n, settings, stream)
	n.mu.Lock()
	full := !n.unopened.enter(c.network(), settings.MaxUnauthenticated)
	tell := full && time.Since(n.told) > time.Second
	if tell {
		n.told = time.Now()
	}
	if !full {
		n.connections[c] = true
	}
	of, all := n.unopened.of(c.network())
	n.mu.Unlock()
	if tell {
		n.log.Warn("too many connections are logging in: closed", "addr", c.address, "of", c.network().String(), "have", of,
			"all", all, "most", settings.MaxUnauthenticated)
	}
	if full {
		stream.SetWriteDeadline(time.Now()) // into the socket's buffer, or not at all
		stream.Write([]byte(tooMany))
		stream.Close()
		return
	}
	n.serving.Go(func() {
		defer n.forget(c)
		c.serve()
	})
}

// opened makes room for another connection that logs in.
func (n *Node) opened(c *connection) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !c.open {
		c.open = true
		n.unopened.leave(c.network())
	}
}

func (n *Node) forget(c *connection) {
	n.opened(c)
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.connections, c)
}

// drain waits for sessions, and ends those that take too long.
func (n *Node) drain(now <-chan struct{}) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		n.serving.Wait()
	}()
	n.closeWhere(func(c *connection) bool { return !c.open })
	timeout := time.NewTimer(n.settings.Load().DrainTimeout)
	defer timeout.Stop()
	select {
	case <-gone:
		return
	case <-now:
	case <-timeout.C:
	}
	n.closeWhere(func(*connection) bool { return true })
	<-gone
}

func (n *Node) closeWhere(which func(*connection) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.connections {
		if which(c) {
			c.journal.Info("closed, because the service ends")
			c.close()
		}
	}
}
