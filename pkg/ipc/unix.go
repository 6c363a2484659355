package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Unix is a Launcher that connects to a socket of systemd, which starts a worker
// for each connection (Accept=yes).
type Unix struct {
	Path string
}

// connectRetry is when to try again where systemd has not come to accept those who
// wait already.
const connectRetry = time.Second

// Launch connects. Nothing is sent before it is known who listens: passwords will
// go there.
func (u Unix) Launch(ctx context.Context) (net.Conn, error) {
	if most := len(unix.RawSockaddrUnix{}.Path) - 1; len(u.Path) > most {
		return nil, fmt.Errorf("%s: the path of a unix socket has at most %d bytes", u.Path, most)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", u.Path)
	if ctx.Err() != nil {
		if err == nil {
			conn.Close()
		}
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, u.explain(err)
	}
	if err := listenerIsTrusted(conn.(*net.UnixConn)); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: %w", u.Path, err)
	}
	return conn, nil
}

// explain says what to do about an error of connect(2).
func (u Unix) explain(err error) error {
	const start = "start it: systemctl start pamhelper.socket"
	switch {
	case errors.Is(err, unix.EAGAIN):
		return &BusyError{RetryAfter: connectRetry, Text: u.Path + ": too many connections wait there to be taken"}
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w; there is no such socket; %s", err, start)
	case errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("%w; nobody listens there any more; %s", err, start)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w; an agent has to be in the socket's group: ls -l %s shows it", err, u.Path)
	}
	return err
}

// listenerIsTrusted refuses a socket that anybody else than root and the caller
// listens on (unix(7), SO_PEERCRED: the ids of who called listen).
func listenerIsTrusted(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	control := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(control, err); err != nil {
		return fmt.Errorf("who listens there is not known: %w", err)
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("uid %d listens there, neither root nor you: passwords do not go there", peer.Uid)
	}
	return nil
}
