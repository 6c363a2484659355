package ipc_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

func TestParseLauncher(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		want ipc.Launcher
		says string // of the error
	}{
		{text: "exec:/usr/local/sbin/pamhelper", want: ipc.Exec{Path: "/usr/local/sbin/pamhelper"}},
		{text: "exec:bin/pamhelper", want: ipc.Exec{Path: here + "/bin/pamhelper"}},
		{text: "unix:/run/x y:z.sock", want: ipc.Unix{Path: "/run/x y:z.sock"}},
		{text: "unix:./s", want: ipc.Unix{Path: here + "/s"}},
		{text: "", says: "is none of broker:, unix:PATH and exec:PATH"},
		{text: "/usr/local/sbin/pamhelper", says: "is none of"},
		{text: "tcp:127.0.0.1:1", says: "is none of"},
		{text: "exec:", says: "needs a path"},
		{text: "unix:", says: "needs a path"},
		{text: "broker:x", says: "nothing comes behind"},
		{text: "broker:", says: "no broker has started this program"},
	} {
		got, err := ipc.ParseLauncher(c.text)
		if c.says == "" && (err != nil || !reflect.DeepEqual(got, c.want)) || c.says != "" && (err == nil || got != nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%q: got %#v, %v; want %#v, %q", c.text, got, err, c.want, c.says)
		}
	}
}

func TestASocketThatCannotBeReachedSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: closed, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	for _, c := range []struct {
		path string
		err  error
		says string
	}{
		{filepath.Join(dir, "none"), os.ErrNotExist, "systemctl start pamhelper.socket"},
		{closed, unix.ECONNREFUSED, "nobody listens there"},
		{"/" + strings.Repeat("x", 200), nil, "at most 107 bytes"},
	} {
		_, err := ipc.Unix{Path: c.path}.Launch(t.Context())
		if err == nil || c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %v that says %q", c.path, err, c.err, c.says)
		}
	}
}

func TestASocketWhoseQueueIsFullIsBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "full")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	var busy *ipc.BusyError
	for range 3 {
		conn, err := ipc.Unix{Path: path}.Launch(t.Context())
		if err == nil {
			defer conn.Close()
		} else if !errors.As(err, &busy) || busy.RetryAfter <= 0 {
			t.Fatalf("got %v, want a BusyError with a hint", err)
		}
	}
	if busy == nil {
		t.Error("got three connections, want a BusyError")
	}
}

func TestASocketOfTheCallersOwnIsTrusted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := ipc.Unix{Path: path}.Launch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	gaveUp := errors.New("gave up")
	cancel(gaveUp)
	if _, err := (ipc.Unix{Path: path}).Launch(ctx); !errors.Is(err, gaveUp) {
		t.Errorf("a context that has ended: got %v, want its cause", err)
	}
}
