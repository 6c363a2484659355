// The life of one spare, as the broker sees it.

package broker

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// spareTimeout is how long a spare may take to be ready: modules are loaded, and
// directories of users are asked, meanwhile.
const spareTimeout = 15 * time.Second

// takeTimeout is how long it may take to take a login's socket: it does nothing else.
const takeTimeout = 5 * time.Second

// What a spare says when it is ready, and when it has taken a login's socket. Of one
// that a module crashes comes the frame of that, which begins with neither.
const (
	spareReady = 'r'
	spareTook  = 't'
)

// spare is a worker that waits. What can change of it belongs to spares.mu.
type spare struct {
	of     *spares
	stream *net.UnixConn // to hand a login over
	child  *child
	left   chan struct{}           // closed when it does not wait any more: it has a login, or is gone
	ended  chan syscall.WaitStatus // how it ended before it was a worker

	ready  bool
	login  *os.File // the login's socket, as long as it may not have arrived
	worker bool     // it has taken that
	gone   bool     // it was let go of
}

// letGo makes it end, under spares.mu.
func (s *spare) letGo() {
	s.gone = true
	s.stream.Close()
	close(s.left)
}

// give sends it a login's socket, under spares.mu.
func (s *spare) give(socket *os.File) error {
	kept, err := unix.FcntlInt(socket.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if _, _, err := s.stream.WriteMsgUnix([]byte{0}, unix.UnixRights(kept), nil); err != nil {
		unix.Close(kept)
		return err
	}
	s.login = os.NewFile(uintptr(kept), "login")
	close(s.left)
	return nil
}

// reaped is told of its end.
func (s *spare) reaped(worker *child, status syscall.WaitStatus) {
	s.of.mu.Lock()
	isWorker := s.worker
	if !isWorker {
		s.ended <- status
	}
	s.of.mu.Unlock()
	if isWorker {
		s.of.b.workerEnded(worker, status)
	}
}

// watch waits until it is a worker or has ended.
func (s *spare) watch() {
	defer s.stream.Close()
	module, err := s.awaitReady()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.child.signal(syscall.SIGTERM) // it says which module it waits for
	}
	if err == nil {
		select {
		case status := <-s.ended:
			s.ended <- status
		case <-s.left:
		}
	}
	if s.of.hasLogin(s) {
		defer s.login.Close()
		s.taken()
		return
	}
	if status, ended := s.bury(); ended {
		s.failed(how(status, err), module)
	}
}

// taken waits until it has taken the login's socket. Where it dies before, the login
// has lost nothing: what the agent has said is in the socket, and a worker is started
// for it.
func (s *spare) taken() {
	err := s.awaitTaken(takeTimeout)
	if err != nil {
		s.child.signal(syscall.SIGKILL)
		status, ended := s.bury()
		if !ended {
			return
		}
		if s.awaitTaken(lastWords) != nil {
			s.failed(how(status, err), "")
			s.replace()
			return
		}
		s.ended <- status // it has, in the last moment
	}
	s.of.mu.Lock()
	s.worker = true
	s.of.mu.Unlock()
	select {
	case status := <-s.ended:
		s.of.b.workerEnded(s.child, status)
	default:
	}
}

func (s *spare) awaitTaken(most time.Duration) error {
	s.stream.SetReadDeadline(time.Now().Add(most))
	said := make([]byte, 1)
	_, err := io.ReadFull(s.stream, said)
	if err == nil && said[0] != spareTook {
		return io.ErrUnexpectedEOF
	}
	return err
}

// replace starts a worker for the login that it has left.
func (s *spare) replace() {
	err := s.of.b.workers.replace(s.child, func() (*child, error) { return s.of.b.startProcess(s.login, s.of.b.workerEnded) })
	if err != nil {
		s.of.b.log.Printf("no worker for the login that spare worker %d did not take: %v", s.child.pid, err)
	}
}

// awaitReady waits for its word. Where it crashes, or a module ends it, that module is
// returned.
func (s *spare) awaitReady() (module string, err error) {
	s.stream.SetReadDeadline(time.Now().Add(spareTimeout))
	said := make([]byte, 1)
	if _, err := io.ReadFull(s.stream, said); err != nil {
		return "", err
	}
	if said[0] != spareReady {
		return crashed(s.stream), io.ErrUnexpectedEOF
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.ready = true
	return "", nil
}

// maxCrashFrame is more than the frame of a crash is long, in bytes.
const maxCrashFrame = 1024

// crashed returns the module that the frame of a crash names, whose first byte has
// been read. It was written at once.
func crashed(stream io.Reader) (module string) {
	const lengthLeft = 3
	frame, event := make([]byte, maxCrashFrame), new(pb.Event)
	n, _ := stream.Read(frame)
	if n < lengthLeft || proto.Unmarshal(frame[lengthLeft:n], event) != nil {
		return ""
	}
	return ipc.Printable([]byte(event.GetCrash().GetModule()))
}

// bury waits for the end of one that has to end, and sees to it. Ended is false where
// not even that helps.
func (s *spare) bury() (status syscall.WaitStatus, ended bool) {
	for range 2 {
		select {
		case status := <-s.ended:
			return status, true
		case <-time.After(killTimeout):
			s.child.signal(syscall.SIGKILL)
		}
	}
	s.of.b.log.Printf("spare worker %d does not end", s.child.pid)
	return 0, false
}

// how is how one ended, which had to where it did not say something in time.
func how(status syscall.WaitStatus, err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "did not answer, and " + howEnded(status)
	}
	return howEnded(status)
}

// failed tells, once, of one that has ended though it was to wait.
func (s *spare) failed(how, module string) {
	s.of.mu.Lock()
	gone := s.gone
	s.of.mu.Unlock()
	if gone {
		return
	}
	if module != "" {
		how += " while module " + module + " was being loaded"
	}
	s.of.b.log.Printf("spare worker %d %s: %s", s.child.pid, how, s.of.postpone(s))
}
