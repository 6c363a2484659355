package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/auth"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/session"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/unread"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// connection is one client.
type connection struct {
	node     *Node
	settings *Settings
	stream   net.Conn
	address  netip.Addr
	port     int
	journal  *journal.Journal
	unread   *unread.Limit
	open     bool // its session is open; guarded by the node's lock

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
}

func newConnection(n *Node, settings *Settings, stream net.Conn) *connection {
	c := &connection{node: n, settings: settings, stream: stream}
	if from, ok := stream.RemoteAddr().(*net.TCPAddr); ok {
		c.address, c.port = numeric(from), from.Port
	}
	c.journal = journal.New(n.log, c.address.String(), c.port)
	c.unread = unread.New(settings.MaxUnread, func() {
		c.journal.Always("closed: the client has sent much more than its processes read")
		c.close()
	})
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// numeric is the address as PAM_RHOST wants it: without a zone, and one of IPv4 in
// its own form.
func numeric(from *net.TCPAddr) netip.Addr {
	address, _ := netip.AddrFromSlice(from.IP)
	return address.Unmap()
}

// close ends the connection from outside.
func (c *connection) close() {
	c.cancel()
	c.stream.Close()
}

// serve is the whole of a connection.
func (c *connection) serve() {
	defer c.unread.Wait()
	defer c.close()
	began := time.Now()
	c.journal.Always("connection")
	// The deadline is for a client that says nothing; ctx for a helper that does.
	c.stream.SetDeadline(began.Add(c.settings.LoginTimeout))
	ctx, cancel := context.WithTimeout(c.ctx, c.settings.LoginTimeout)
	defer cancel()
	login := auth.New(ctx, c.settings.Auth, c.journal, c.address.String())
	defer c.undo(login)
	conn, channels, requests, err := ssh.NewServerConn(c.unread.Stream(inBulk(promptly(c.stream))), login.ServerConfig())
	if err != nil {
		c.journal.Always("disconnected before a login", "why", journal.Text(c.reason(login, err)))
		return
	}
	c.stream.SetDeadline(time.Time{})
	c.session(ctx, login, conn, channels, requests)
	c.journal.Always("logout", "user", journal.Text(conn.User()), "after", time.Since(began).Round(time.Millisecond))
}

// reason is why nobody logged in. What the attempts failed with has been logged.
func (c *connection) reason(login *auth.Login, err error) string {
	var failed *ssh.ServerAuthError
	switch {
	case errors.As(err, &failed):
		return fmt.Sprintf("attempts that failed: %d", login.Failures())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("not logged in after %s", c.settings.LoginTimeout)
	}
	return err.Error()
}

// session opens the session and serves its channels.
func (c *connection) session(ctx context.Context, login *auth.Login, conn *ssh.ServerConn, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	var beside sync.WaitGroup
	defer beside.Wait()
	defer conn.Close()
	beside.Go(func() {
		defer c.cancel()
		conn.Wait()
	})
	beside.Go(func() { c.answer(requests) })
	messages, err := login.Open(context.WithoutCancel(ctx)) // the helper has a deadline for it
	if err != nil {
		values := []any{"user", journal.Text(conn.User()), "why", journal.Text(err.Error())}
		c.journal.Error("session not opened", append(values, auth.StepOf(err)...)...)
		refuse(ctx, channels, messages)
		return
	}
	c.node.opened(c)
	c.journal.Always("login", "user", journal.Text(conn.User()))
	served := make(chan struct{})
	defer close(served)
	beside.Go(func() { c.keepAlive(conn) })
	beside.Go(func() { c.watchHelper(login.Client(), conn, served) })
	s := &session.Login{
		Client: login.Client(), Permits: login.Permits(), Journal: c.journal,
		Messages: messages, Variables: c.variables(), MaxChannels: c.settings.MaxChannels, Unread: c.unread,
	}
	s.Serve(c.ctx, channels)
}

// variables say to every process where its user is.
func (c *connection) variables() []ipc.Variable {
	here, ok := c.stream.LocalAddr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	return []ipc.Variable{
		{Name: "SSH_CLIENT", Value: fmt.Sprintf("%s %d %d", c.address, c.port, here.Port)},
		{Name: "SSH_CONNECTION", Value: fmt.Sprintf("%s %d %s %d", c.address, c.port, numeric(here), here.Port)},
	}
}

// closing bounds how long a login is waited for that is to be undone: longer than
// the worker's own deadlines.
const closing = time.Minute

func (c *connection) undo(login *auth.Login) {
	c.stream.Close() // the client need not wait
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if err := login.Close(ctx); err != nil {
		c.journal.Error("the login was not undone in order", "why", err.Error())
	}
}
