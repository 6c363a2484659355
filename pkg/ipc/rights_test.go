package ipc_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// pair returns the two ends of a connection.
func pair(t *testing.T) (agent *net.UnixConn, worker *ipc.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		if ends[i], err = ipc.UnixConn(os.NewFile(uintptr(fd), "end")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ends[i].Close() })
	}
	return ends[0], ipc.NewConn(ends[1])
}

// startWith is a Start without a terminal, and its three descriptors.
func startWith(t *testing.T, file *os.File) (frame, rights []byte) {
	t.Helper()
	frame, err := ipc.AppendFrame(nil, &pb.Request{Body: &pb.Request_Start{Start: &pb.Start{Descriptors: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	fd := int(file.Fd())
	return frame, unix.UnixRights(fd, fd, fd)
}

func TestRefusedDescriptorsEndTheConnectionAndNeverArrive(t *testing.T) {
	agent, worker := pair(t)
	worker.RefuseDescriptors()
	p := pipe(t)
	frame, rights := startWith(t, p.w)
	if _, _, err := agent.WriteMsgUnix(frame, rights, nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := worker.ReadRequest()
	var violation *ipc.ViolationError
	if !errors.As(err, &violation) || !strings.Contains(err.Error(), "before a message can have any") {
		t.Errorf("error %v, want a violation that names descriptors", err)
	}
	p.w.Close()
	if n, err := p.r.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d, %v; want the end of the pipe: nobody has its writing end", n, err)
	}
}

func TestDescriptorsAreAcceptedByAReadThatWaits(t *testing.T) {
	agent, worker := pair(t)
	worker.RefuseDescriptors()
	type read struct {
		files []*os.File
		err   error
	}
	reads := make(chan read)
	go func() {
		for range 2 {
			_, files, err := worker.ReadRequest()
			reads <- read{files, err}
		}
	}()
	hello, err := ipc.AppendFrame(nil, &pb.Request{Body: &pb.Request_Hello{Hello: &pb.Hello{Version: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	agent.Write(hello)
	if got := <-reads; got.err != nil || len(got.files) > 0 {
		t.Fatalf("got %+v, want Hello", got)
	}
	worker.AcceptDescriptors()
	frame, rights := startWith(t, os.Stdin)
	if _, _, err := agent.WriteMsgUnix(frame, rights, nil); err != nil {
		t.Fatal(err)
	}
	got := <-reads
	if got.err != nil || len(got.files) != 3 {
		t.Errorf("got %d descriptors, %v; want 3", len(got.files), got.err)
	}
	ipc.Release(got.files)
}

// slowToClose is a stream that takes until it is told to close.
type slowToClose struct {
	net.Conn
	now chan struct{}
}

func (s slowToClose) Close() error {
	<-s.now
	return s.Conn.Close()
}

func TestLettingGoOfAConnectionDoesNotWaitForLong(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	slow := slowToClose{ours, make(chan struct{})}
	if ipc.NewConn(slow).LetGo() {
		t.Error("let go of one that is slow to close: true, want false")
	}
	close(slow.now)
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer of one that has closed: %v, want %v", err, io.EOF)
	}
	ours, theirs = net.Pipe()
	defer theirs.Close()
	if !ipc.NewConn(ours).LetGo() {
		t.Error("let go of one that closes at once: false, want true")
	}
}
