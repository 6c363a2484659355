package broker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// output is the agent's standard descriptors. The log is not among them: who has a
// descriptor of it can shut it down, cut it off, or write what looks like a line of
// root's. What the agent writes to its standard error gets there through a pipe, a
// line at a time, with its process id.
type output struct {
	agents  [3]*os.File
	own     []*os.File // of agents, those to close when the agent has them
	pipe    *os.File   // nil: there is none
	passing sync.WaitGroup
}

// newOutput decides on them, and takes standard input and output away from the
// broker itself, which needs neither.
func newOutput() (*output, error) {
	o := &output{agents: [3]*os.File{os.Stdin, os.Stdout, os.Stderr}}
	for fd, file := range o.agents {
		duplicate, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, controlFD)
		if err != nil {
			return nil, err
		}
		o.agents[fd] = os.NewFile(uintptr(duplicate), file.Name())
		o.own = append(o.own, o.agents[fd])
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	if err := errors.Join(unix.Dup3(int(null.Fd()), 0, 0), unix.Dup3(int(null.Fd()), 1, 0)); err != nil {
		return nil, err
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		return o, ownTerminal()
	}
	return o, o.withoutLog()
}

// ownTerminal opens the terminal once more for the log: what the agent does to its
// own descriptor, such as O_NONBLOCK, is not for this one.
func ownTerminal() error {
	again, err := os.OpenFile("/proc/self/fd/2", os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil // the terminal is gone: there is nothing to lose
	}
	defer again.Close()
	return unix.Dup3(int(again.Fd()), 2, 0)
}

// withoutLog replaces what leads to the log.
func (o *output) withoutLog() error {
	log, err := os.Stderr.Stat()
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	o.pipe, o.own = r, append(o.own, null, w)
	if err := unix.SetNonblock(int(w.Fd()), false); err != nil { // programs expect that
		return err
	}
	for fd, instead := range []*os.File{null, w, w} {
		if info, err := o.agents[fd].Stat(); err != nil || fd == 2 || os.SameFile(info, log) {
			o.agents[fd] = instead
		}
	}
	return nil
}

// agentHasIt closes what was for the agent only.
func (o *output) agentHasIt() { closeAll(o.own) }

// maxLogLine is where a line of the agent is broken, in bytes.
const maxLogLine = 4096

// pass begins to pass on what the agent says.
func (o *output) pass(pid int) {
	if o.pipe == nil {
		return
	}
	o.passing.Go(func() {
		defer o.pipe.Close()
		lines := bufio.NewReaderSize(o.pipe, maxLogLine)
		for {
			line, _, err := lines.ReadLine()
			if err != nil {
				return
			}
			io.WriteString(os.Stderr, fmt.Sprintf("agent[%d]: %s\n", pid, ipc.Printable(line)))
		}
	})
}

// lastWords is how long what has been said is read behind the end of the agent.
// What a child of its says later finds a closed pipe.
const lastWords = time.Second

// finish waits for the rest.
func (o *output) finish() {
	if o.pipe != nil {
		o.pipe.SetReadDeadline(time.Now().Add(lastWords))
	}
	o.passing.Wait()
}
