// A worker that is started before there is a login for it: a spare, which only a
// broker has.
//
// It prepares what it can without knowing the login, says that it is ready, and
// waits for the login's socket on the one that it was started with. From there on it
// is a worker like any other: the login's deadline, its place in the counts and its
// lines in the log begin then. It serves that one login. Until then it is nothing to
// anybody: it ends with status 0, without a word, when the broker lets go of it or
// has died, and on SIGTERM.
//
// What it has loaded may have been replaced on disk since. Then it executes itself
// again, with the login's socket, rather than run what an upgrade was to remove. And
// where a file has directories of its own for the libraries it needs, the modules of
// another service could decide which library one of this service gets: then nothing is
// loaded in advance.

package worker

import (
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/record"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// What a spare says to its broker: that it is ready, and that it has taken the login's
// socket, which the broker keeps until then. No frame begins so: where a module
// crashes it, the frame of that comes instead.
const (
	spareReady = 'r'
	spareTook  = 't'
)

// spare is a worker that waits.
type spare struct {
	broker  *os.File // the login's socket comes from here
	policy  *pb.Policy
	preload bool
	log     *log.Logger
}

// waitForLogin makes the process a spare, and returns the socket of its login.
func waitForLogin(fd int, options Options, held *pb.Policy, logger *log.Logger, terminated *termination) (socket int, err error) {
	if err := unix.SetNonblock(fd, true); err != nil { // for the deadline of watch
		return -1, err
	}
	s := spare{broker: os.NewFile(uintptr(fd), "broker"), policy: held, preload: options.Preload, log: logger}
	defer s.broker.Close() // a process of the user must not have it
	terminated.is(s.end)
	if err := s.prepare(); err != nil {
		return -1, err
	}
	socket, err = s.receive()
	terminated.is(nil) // the login's worker will say
	if err != nil {
		return -1, err
	}
	libpam.CrashTo(socket)
	s.say(spareTook) // where the broker has died meanwhile the login goes on
	setName(nameWorker)
	if path := replaced(); path != "" && !terminated.waits() { // that would be forgotten
		s.log.Printf("%s has been replaced since this worker was started: it starts again", path)
		return -1, again(socket, "--spare", "--preload")
	}
	forgetPolicy()
	return socket, nil
}

// end ends the process. Where it waits for a module to be loaded, that is told: the
// broker has lost its patience.
func (s spare) end() {
	if module := libpam.Module(); module != "" {
		s.log.Printf("spare: module %s does not return from being loaded", module)
	}
	os.Exit(0)
}

// prepare gets ready, and says so.
func (s spare) prepare() error {
	watched := s.watch()
	if s.preload {
		warm(s.policy)
	}
	noteLoaded()
	watched()
	if s.preload && orderMatters() {
		return again(int(s.broker.Fd()), "--preload") // it waits with nothing loaded
	}
	if err := unix.SetNonblock(int(s.broker.Fd()), false); err != nil {
		return err
	}
	if s.say(spareReady) != nil {
		os.Exit(0) // the broker has let go of it, or has died
	}
	setName(nameSpare)
	return nil
}

func (s spare) say(word byte) error {
	_, err := s.broker.Write([]byte{word})
	return err
}

// watch ends the process with the broker, until it is stopped: what a module does
// when it is loaded may take for ever. Before the spare is ready nothing comes but
// the end of file.
func (s spare) watch() (stop func()) {
	var watching sync.WaitGroup
	watching.Go(func() {
		if _, err := s.broker.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			os.Exit(0)
		}
	})
	return func() {
		s.broker.SetReadDeadline(time.Now())
		watching.Wait()
	}
}

// warm does what the first login of a process pays for: it loads the modules of the
// machine's users and groups, in which root always is, and those of the services.
func warm(p *pb.Policy) {
	record.Locate()
	if root, err := userprocess.Lookup("root"); err == nil {
		root.Groups()
	}
	libpam.Preload(served(p))
}

// receive waits for the one message there is, with the login's socket. The system
// call is made on this thread, without the runtime's poller: it returns to where the
// login is served.
func (s spare) receive() (socket int, err error) {
	text, oob := make([]byte, 2), make([]byte, unix.CmsgSpace(2*4))
	n, oobn, flags := 0, 0, 0
	for err = unix.EINTR; err == unix.EINTR; {
		n, oobn, flags, _, err = unix.Recvmsg(int(s.broker.Fd()), text, oob, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil || n == 0 {
		os.Exit(0)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || n != 1 || flags&unix.MSG_CTRUNC != 0 || len(messages) != 1 {
		return -1, fmt.Errorf("spare: %d bytes, %d control messages and flags %#x came, where a login's socket was to come (%v)", n, len(messages), flags, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("spare: %d descriptors came, where a login's socket was to come (%v)", len(fds), err)
	}
	return fds[0], nil
}
