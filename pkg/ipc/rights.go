package ipc

import (
	"errors"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

// ErrDescriptorsLost: a message came without its descriptors, because this
// process may not have more of them open.
var ErrDescriptorsLost = errors.New("no descriptor is free for those that were sent")

const (
	maxDescriptors = 3   // what a message can declare: those of Start
	maxRights      = 256 // above what the kernel puts into one message (253, SCM_MAX_FD)
)

// declaredDescriptors is how many descriptors a message says come with it. Only
// Start, Started and a broker's WorkerSocket can say so.
func declaredDescriptors(m proto.Message) int {
	switch m := m.(type) {
	case *pb.Request:
		return int(min(m.GetStart().GetDescriptors(), math.MaxInt32))
	case *pb.Event:
		return int(min(m.GetStarted().GetDescriptors(), math.MaxInt32))
	case *pb.BrokerReply:
		if m.GetWorker() != nil {
			return 1
		}
	}
	return 0
}

// messageReader is what a *net.UnixConn can, and what wraps one.
type messageReader interface {
	syscall.Conn
	ReadMsgUnix(p, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
}

type messageWriter interface {
	WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error)
}

// rightsReader reads from a unix socket and keeps the descriptors that come
// (unix(7), SCM_RIGHTS). The kernel never joins bytes that came with descriptors
// to bytes behind them, and a frame is read without reading ahead: what is kept
// when a frame has been read came with that frame.
type rightsReader struct {
	conn  syscall.RawConn
	oob   []byte
	files []*os.File
	lost  bool // the kernel dropped some

	mu      sync.Mutex // held while the kernel is asked
	refuses bool       // RefuseDescriptors is in effect
}

func newRightsReader(conn syscall.RawConn) *rightsReader {
	return &rightsReader{conn: conn, oob: make([]byte, unix.CmsgSpace(4*maxRights))}
}

// Read fails with a ViolationError where one frame brings more descriptors than
// any message can declare.
func (r *rightsReader) Read(p []byte) (int, error) {
	n, oobn := 0, 0
	refused := false
	var err error
	waited := r.conn.Read(func(fd uintptr) bool {
		n, oobn, refused, err = r.receive(int(fd), p)
		return err != unix.EAGAIN
	})
	if oobn > 0 {
		r.files = append(r.files, filesOf(r.oob[:oobn])...)
	}
	switch {
	case waited != nil:
		return 0, waited
	case err != nil:
		return 0, os.NewSyscallError("recvmsg", err)
	case refused:
		return 0, &ViolationError{Text: "descriptors, before a message can have any"}
	case len(r.files) > maxDescriptors:
		return 0, &ViolationError{Text: "more descriptors than a message can have"}
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// receive asks the kernel once. Where descriptors are refused there is no room for
// them, and they do not even come into this process.
func (r *rightsReader) receive(fd int, p []byte) (n, oobn int, refused bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.oob
	if r.refuses {
		room = nil
	}
	flags := 0
	for err = unix.EINTR; err == unix.EINTR; {
		n, oobn, flags, _, err = unix.Recvmsg(fd, p, room, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	}
	dropped := err == nil && flags&unix.MSG_CTRUNC != 0
	r.lost = r.lost || dropped
	return max(n, 0), oobn, dropped && r.refuses, err
}

// RefuseDescriptors makes descriptors end the connection, until AcceptDescriptors.
// This process does not get them: one of a file system that does not answer could
// keep it from ending.
func (c *Conn) RefuseDescriptors() { c.refuseDescriptors(true) }

// AcceptDescriptors ends RefuseDescriptors, also for a read that waits.
func (c *Conn) AcceptDescriptors() { c.refuseDescriptors(false) }

func (c *Conn) refuseDescriptors(refuse bool) {
	if c.rights == nil {
		return
	}
	c.rights.mu.Lock()
	defer c.rights.mu.Unlock()
	c.rights.refuses = refuse
}

// takeRights hands out what came since the last call.
func (c *Conn) takeRights() (files []*os.File, lost bool) {
	if c.rights == nil {
		return nil, false
	}
	files, lost = c.rights.files, c.rights.lost
	c.rights.files, c.rights.lost = nil, false
	return files, lost
}

// writeRights writes the first bytes of a frame with its descriptors and
// returns those that are left.
func (c *Conn) writeRights(buf []byte, files []*os.File) ([]byte, error) {
	if len(files) == 0 {
		return buf, nil
	}
	stream, ok := c.stream.(messageWriter)
	if !ok {
		return buf, errors.New("descriptors need a unix socket")
	}
	numbers := make([]int, 0, len(files))
	for _, file := range files {
		number := descriptorOf(file)
		if number < 0 {
			return buf, os.ErrClosed
		}
		numbers = append(numbers, number)
	}
	defer runtime.KeepAlive(files)
	n, _, err := stream.WriteMsgUnix(buf, unix.UnixRights(numbers...), nil)
	return buf[n:], err
}

// descriptorOf returns a file's number without changing its mode, as Fd does;
// -1 where it is closed. The file stays the caller's.
func descriptorOf(file *os.File) int {
	number := -1
	if raw, err := file.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { number = int(fd) })
	}
	return number
}

func filesOf(oob []byte) (files []*os.File) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files
}

// closing is what Release has not closed yet.
var closing struct {
	sync.Mutex
	calls int
	kept  []*os.File
}

const (
	releaseWait = 100 * time.Millisecond
	mostClosing = 64
)

// Release closes descriptors that a peer sent. The peer decides how long that
// takes (socket(7), SO_LINGER; a FUSE file system that does not answer a flush):
// it is waited for a moment, and goes on behind that. Where too many do already,
// the others stay open until the process ends.
func Release(files []*os.File) {
	if len(files) == 0 {
		return
	}
	closing.Lock()
	defer closing.Unlock()
	if closing.calls >= mostClosing {
		closing.kept = append(closing.kept, files...)
		return
	}
	closing.calls++
	inTime(func() {
		for _, file := range files {
			file.Close()
		}
	}, func() {
		closing.Lock()
		defer closing.Unlock()
		closing.calls--
	})
}

// LetGo closes the stream as Close does, and with it the descriptors in it that
// nobody has read: like Release it waits for that a moment only. It reports whether
// that was enough; where not, a read that waits may go on waiting.
func (c *Conn) LetGo() bool { return inTime(func() { c.Close() }, func() {}) }

// inTime makes a call on a goroutine of its own, with another one behind it, and
// reports whether it returned in releaseWait.
func inTime(call, behind func()) bool {
	done := make(chan struct{})
	go func() {
		call()
		close(done)
		behind()
	}()
	select {
	case <-done:
		return true
	case <-time.After(releaseWait):
		return false
	}
}
