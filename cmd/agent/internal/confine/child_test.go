package confine_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/confine"
	"golang.org/x/sys/unix"
)

// A child is this test binary, built without cgo, in a process of its own. It gets
// one order, and then lines of commands on its standard input; each is answered by
// one line of JSON.

const orderVariable = "CONFINE_TEST_ORDER"

// order is what a child is told at its start.
type order struct {
	Base     string // holds dir, which may be read, and outside
	Confine  bool
	Alone    bool     // without sockets that it connects to
	Sibling  int      // a process of the same uid
	Abstract string   // the name of an abstract socket that somebody listens on
	Threads  int      // that are there before it is confined
	Kernel   bool     // SIGSEGV means what it means without Go
	Hide     []string // what the kernel is to lack: landlock, seccomp
	Core     uint64   // its limit of core dumps, before it is confined
}

// The descriptors that a child gets beside the first three.
const (
	messagesFD = 3 // a unix socket, for descriptors
	terminalFD = 4 // its controlling terminal
)

// answer is the outcome of one attempt or work.
type answer struct {
	Name    string
	Thread  int
	Outcome string
}

// began is a child's first line.
type began struct {
	PID     int
	Address string // that it accepts on
	Error   string
	Report  confine.Report
	Core    unix.Rlimit // of core dumps
}

// child is what a child does.
func child(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	g, err := newGround(o)
	if err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: o.Core, Max: o.Core}); err != nil {
		return err
	}
	if o.Kernel {
		resetHandler(unix.SIGSEGV)
	}
	l, err := listen(g)
	if err != nil {
		return err
	}
	threads, err := newThreads(g, l, o.Threads)
	if err != nil {
		return err
	}
	works := newWorks(g, l)
	if o.Hide != nil {
		if err := hide(o.Hide); err != nil {
			return err
		}
	}
	start := began{PID: os.Getpid(), Address: l.Addr().String()}
	if o.Confine {
		config := confine.Config{ReadDirs: []string{g.dir}, SocketDirs: []string{g.dir}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
		if o.Alone {
			config.SocketDirs = nil
		}
		start.Report, err = confine.Confine(config)
		start.Error = fmt.Sprint(err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &start.Core); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(start); err != nil {
		return err
	}
	return obey(out, threads, works)
}

// obey carries out a line after the other.
func obey(out *json.Encoder, threads []chan func(*ground), works map[string]func() error) error {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		name := lines.Text()
		if name == "attempts" {
			if err := out.Encode(attemptAll(threads)); err != nil {
				return err
			}
			continue
		}
		work, known := works[name]
		if !known {
			return fmt.Errorf("no work is called %q", name)
		}
		if err := out.Encode(answer{name, unix.Gettid(), outcome(work())}); err != nil {
			return err
		}
	}
	return nil
}

// attemptAll has each thread make all attempts.
func attemptAll(threads []chan func(*ground)) []answer {
	var answers []answer
	for _, thread := range threads {
		done := make(chan bool)
		thread <- func(g *ground) {
			for _, a := range attempts {
				answers = append(answers, answer{a.name, unix.Gettid(), outcome(a.try(g))})
			}
			close(done)
		}
		<-done
	}
	return answers
}

// newThreads starts goroutines that keep a thread each, and makes their sockets.
func newThreads(g *ground, l listener, n int) ([]chan func(*ground), error) {
	var threads []chan func(*ground)
	for range n {
		own := *g
		var err error
		if own.sockets, err = own.prepare(l.fd); err != nil {
			return nil, err
		}
		work := make(chan func(*ground))
		ready := make(chan bool)
		go func() {
			runtime.LockOSThread()
			close(ready)
			for do := range work {
				do(&own)
			}
		}()
		<-ready
		threads = append(threads, work)
	}
	return threads, nil
}

// outcome is "ok", the name of an error number, or the text of another error.
func outcome(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return strings.TrimSpace(err.Error())
}

// resetHandler puts back what the kernel does with a signal.
func resetHandler(signal unix.Signal) {
	var none [4]uint64 // struct sigaction: SIG_DFL, no flags, no mask
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&none)), 0, 8, 0, 0); errno != 0 {
		panic(errno)
	}
}
