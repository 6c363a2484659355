package realpam_test

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// wire is an agent without a client, in an open session: it can say anything.
type wire struct {
	*ipc.Conn
	t      *testing.T
	socket net.Conn
	log    workerLog
}

// wire opens a session of the user.
func (g *ground) wire() *wire {
	g.t.Helper()
	return g.wireOf(&pb.Begin{Service: "sshd", User: []byte(g.user), Rhost: remote})
}

func (g *ground) wireOf(begin *pb.Begin) *wire {
	g.t.Helper()
	w := g.wireBeforeHello()
	w.say(&pb.Request{Body: &pb.Request_Hello{Hello: &pb.Hello{Version: ipc.Version, Features: []string{ipc.FeatureProcesses}}}})
	w.say(&pb.Request{Body: &pb.Request_Begin{Begin: begin}})
	w.say(&pb.Request{Body: &pb.Request_Authenticate{Authenticate: &pb.Authenticate{}}})
	w.say(&pb.Request{Body: &pb.Request_Account{Account: &pb.Account{}}})
	w.say(&pb.Request{Body: &pb.Request_Credentials{Credentials: &pb.Credentials{}}})
	w.say(&pb.Request{Body: &pb.Request_OpenSession{OpenSession: &pb.OpenSession{}}})
	for {
		event, _ := w.event()
		if r := event.GetResult(); event.GetWelcome() == nil && (r == nil || r.GetCode() != pb.PamCode_PAM_SUCCESS) {
			g.t.Fatalf("got %v, want a success", event)
		} else if r.GetStep() == pb.Step_OPEN_SESSION {
			return w
		}
	}
}

// wireBeforeHello is a worker that nobody has said anything to.
func (g *ground) wireBeforeHello(args ...string) *wire {
	g.t.Helper()
	w := &wire{t: g.t}
	conn, err := ipc.Exec{Path: g.helper, Args: args, Log: &w.log}.Launch(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(2 * patience))
	g.t.Cleanup(func() {
		conn.Close()
		if g.t.Failed() {
			g.t.Logf("the worker's log:\n%s", w.log.String())
		}
	})
	w.socket, w.Conn = conn, ipc.NewConn(conn)
	return w
}

func (w *wire) say(request *pb.Request, files ...*os.File) {
	w.t.Helper()
	if err := w.WriteFiles(request, files); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) event() (*pb.Event, []*os.File) {
	w.t.Helper()
	event, files, err := w.ReadEvent()
	if err != nil {
		w.t.Fatalf("read an event: %v", err)
	}
	return event, files
}

// violates wants the login to end with a fault that says so, when the processes
// have ended.
func (w *wire) violates(says string) {
	w.t.Helper()
	event, _ := w.event()
	for event.GetExited() != nil {
		event, _ = w.event()
	}
	if f := event.GetFault(); f.GetKind() != pb.Fault_VIOLATION || !strings.Contains(f.GetText(), says) {
		w.t.Errorf("got %v, want a violation with %q", event, says)
	}
}

// notStarted wants that nothing was started, and why.
func (w *wire) notStarted(says string) {
	w.t.Helper()
	event, _ := w.event()
	if text := event.GetStarted().GetNotStarted().GetText(); !strings.Contains(text, says) {
		w.t.Errorf("got %v, want that no process was started: %q", event, says)
	}
}

// runs wants that a process was started and ended with the status.
func (w *wire) runs(status uint32) {
	w.t.Helper()
	started, _ := w.event()
	ended, _ := w.event()
	if started.GetStarted().GetProcess() == nil || ended.GetExited() == nil || ended.GetExited().GetStatus() != status {
		w.t.Errorf("got %v, %v; want a process that ends with %d", started, ended, status)
	}
}

func startRequest(command string, descriptors uint32) *pb.Request {
	return &pb.Request{Body: &pb.Request_Start{Start: &pb.Start{Command: []byte(command), Descriptors: descriptors}}}
}

func signalRequest(process uint32, number int32) *pb.Request {
	return &pb.Request{Body: &pb.Request_Signal{Signal: &pb.Signal{Process: process, Number: pb.Signal_Number(number)}}}
}

// sent are writing ends of one pipe, which all have to be closed in the end.
type sent struct {
	t     *testing.T
	read  *os.File
	files []*os.File
}

func toSend(t *testing.T, n int) *sent {
	t.Helper()
	p := pipe(t)
	s := &sent{t: t, read: p.r}
	for range n {
		fd, err := unix.FcntlInt(p.w.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, os.NewFile(uintptr(fd), "sent"))
	}
	p.w.Close()
	return s
}

// closed closes our own, and wants that nobody else has one open any more.
func (s *sent) closed() {
	s.t.Helper()
	for _, file := range s.files {
		file.Close()
	}
	s.read.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, s.read); err != nil {
		s.t.Errorf("read: %v, want the end of the pipe: a descriptor that was sent is still open", err)
	}
}
