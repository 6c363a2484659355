package ipc_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
	pb "github.com/pamhelper/pamhelper/proto"
)

func brokerOf(t *testing.T, b *ipctest.Broker) *ipc.Broker {
	t.Helper()
	if b.Helper == nil {
		b.Helper = &ipctest.Helper{}
	}
	broker, err := b.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		broker.Close()
		b.End()
		b.Helper.Wait()
	})
	return broker
}

// loginThrough takes one login to its end.
func loginThrough(ctx context.Context, launcher ipc.Launcher) error {
	client, err := ipc.Dial(ctx, launcher, ipc.Options{})
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Login(ctx, alice, ipc.Authenticate, ipc.Account, ipc.End)
	return err
}

func TestManyLoginsAtOnceThroughOneBroker(t *testing.T) {
	const logins = 200
	broker := brokerOf(t, &ipctest.Broker{})
	var failed atomic.Value
	var all sync.WaitGroup
	for range logins {
		all.Go(func() {
			if err := loginThrough(t.Context(), broker); err != nil {
				failed.Store(err)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		t.Errorf("one of %d logins: %v", logins, err)
	}
}

func TestABusyBrokerIsATypedErrorAtOnce(t *testing.T) {
	want := ipc.BusyError{RetryAfter: 1500 * time.Millisecond, Text: "too many"}
	broker := brokerOf(t, &ipctest.Broker{Refuse: func() *ipc.BusyError { return &want }})
	_, err := broker.Launch(t.Context())
	var busy *ipc.BusyError
	if !errors.As(err, &busy) || *busy != want {
		t.Errorf("got %v, want %v", err, &want)
	}
}

// rawBroker is a broker that answers when a test wants it to.
func rawBroker(t *testing.T) (*ipc.Broker, *ipc.Conn, net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, err1 := ipc.UnixConn(os.NewFile(uintptr(fds[0]), ""))
	theirs, err2 := ipc.UnixConn(os.NewFile(uintptr(fds[1]), ""))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	broker := ipc.NewBroker(theirs)
	t.Cleanup(func() { broker.Close(); ours.Close() })
	return broker, ipc.NewControlConn(ours), ours
}

// worker sends a worker, and returns its side.
func worker(t *testing.T, control *ipc.Conn) net.Conn {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(fds[1]), "")
	defer socket.Close()
	err = control.WriteFiles(&pb.BrokerReply{Outcome: &pb.BrokerReply_Worker{Worker: &pb.WorkerSocket{}}}, []*os.File{socket})
	if err != nil {
		t.Fatal(err)
	}
	side, err := ipc.UnixConn(os.NewFile(uintptr(fds[0]), ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { side.Close() })
	return side
}

func TestACancelledLaunchDoesNotShiftTheRepliesBehindIt(t *testing.T) {
	broker, control, _ := rawBroker(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	gaveUp := errors.New("gave up")
	cancelled := make(chan error, 1)
	go func() {
		_, err := broker.Launch(ctx)
		cancelled <- err
	}()
	if _, err := control.ReadBrokerRequest(); err != nil {
		t.Fatal(err)
	}
	cancel(gaveUp)
	if err := <-cancelled; !errors.Is(err, gaveUp) {
		t.Errorf("the cancelled one: got %v, want %v", err, gaveUp)
	}

	launched := make(chan net.Conn, 1)
	go func() {
		conn, err := broker.Launch(t.Context())
		if err != nil {
			t.Error(err)
		}
		launched <- conn
	}()
	if _, err := control.ReadBrokerRequest(); err != nil {
		t.Fatal(err)
	}
	first, second := worker(t, control), worker(t, control)
	conn := <-launched
	defer conn.Close()
	first.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the worker of the cancelled one sees %v, want the end of its socket", err)
	}
	second.Write([]byte("2"))
	got := make([]byte, 1)
	if _, err := conn.Read(got); err != nil || string(got) != "2" {
		t.Errorf("the next one reads %q, %v; want what the second worker wrote", got, err)
	}
}

func TestRequestsBeyondThoseThatFitWaitOutsideOfTheSocket(t *testing.T) {
	broker, control, _ := rawBroker(t)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() { broker.Launch(ctx) })
	}
	if _, err := control.ReadBrokerRequest(); err != nil {
		t.Fatal(err)
	}
	cancel()
	all.Wait() // none hangs in a write
}

func TestTheEndOfTheBrokerIsTold(t *testing.T) {
	header := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for _, c := range []struct {
		name string
		ends func(control *ipc.Conn, raw net.Conn)
		says string
	}{
		{"it ends", func(_ *ipc.Conn, raw net.Conn) { raw.Close() }, ""},
		{"inside a frame", func(_ *ipc.Conn, raw net.Conn) { raw.Write(header(10)); raw.Close() }, ""},
		{"a frame above the cap", func(_ *ipc.Conn, raw net.Conn) { raw.Write(header(ipc.MaxControlFrame + 1)) }, "frame longer"},
		{"an empty frame", func(_ *ipc.Conn, raw net.Conn) { raw.Write(header(0)) }, "length 0"},
		{"garbage", func(_ *ipc.Conn, raw net.Conn) { raw.Write(append(header(4), "\xff\xff\xff\xff"...)) }, "does not decode"},
		{"a worker without a socket", func(control *ipc.Conn, _ net.Conn) {
			control.Write(&pb.BrokerReply{Outcome: &pb.BrokerReply_Worker{Worker: &pb.WorkerSocket{}}})
		}, "0 descriptors"},
		{"a reply to nothing", func(control *ipc.Conn, _ net.Conn) {
			for range 2 {
				control.Write(&pb.BrokerReply{Outcome: &pb.BrokerReply_Failed{Failed: &pb.NoWorker{}}})
			}
		}, "nobody asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			broker, control, raw := rawBroker(t)
			waiting := make(chan error, 1)
			go func() {
				_, err := broker.Launch(t.Context())
				waiting <- err
			}()
			if _, err := control.ReadBrokerRequest(); err != nil {
				t.Fatal(err)
			}
			c.ends(control, raw)
			<-broker.Done()
			if err := <-waiting; c.name != "a reply to nothing" && !errors.Is(err, ipc.ErrBrokerGone) {
				t.Errorf("one that waited: got %v, want %v", err, ipc.ErrBrokerGone)
			}
			if _, err := broker.Launch(t.Context()); !errors.Is(err, ipc.ErrBrokerGone) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the next one: got %v, want %v that says %q", err, ipc.ErrBrokerGone, c.says)
			}
		})
	}
}

func TestLoginsGoOnWithoutTheirBroker(t *testing.T) {
	b := &ipctest.Broker{}
	broker := brokerOf(t, b)
	client, err := ipc.Dial(t.Context(), broker, ipc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	b.End()
	<-broker.Done()
	if _, err := client.Login(t.Context(), alice, ipc.Authenticate, ipc.Account, ipc.End); err != nil {
		t.Errorf("a login whose broker is gone: %v, want it to go on", err)
	}
}
