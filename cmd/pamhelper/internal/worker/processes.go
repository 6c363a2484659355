package worker

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	pb "github.com/pamhelper/pamhelper/proto"
)

// maxProcesses is how many processes of a login run at once.
const maxProcesses = 256

// process is a process of the user, the leader of its kernel session. It is
// waited for when that session has no members any more: until then its number is
// not given to another process.
type process struct {
	number   uint32
	pid      int
	pidfd    *os.File // until its end has been awaited
	start    uint64   // as proc.Process has it
	terminal *userprocess.Terminal
	recorded bool // in utmp
	exited   bool // and the agent has been told
}

// processes are those of one login. The main goroutine starts and waits for
// them, the receiving one signals them.
type processes struct {
	allowed bool // both sides declared the feature
	mu      sync.Mutex
	last    uint32 // number of the newest
	running []*process
	exits   chan *process // a process that has ended, to be waited for
	watched sync.WaitGroup
}

func newProcesses() *processes { return &processes{exits: make(chan *process, maxProcesses)} }

// watch waits for the end of a process on a goroutine of its own.
func (w *worker) watch(p *process) {
	w.processes.watched.Go(func() {
		defer p.pidfd.Close()
		proc.AwaitExit(p.pid, p.pidfd)
		w.processes.exits <- p
	})
}

// identify notes what a child is known by, before it can have been waited for: by
// the time it is watched no descriptor may be free, and there is no way back.
func (p *process) identify(pid int) error {
	now, err := proc.Read(pid)
	if err != nil {
		return err
	}
	p.pid, p.start = pid, now.Start
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch process %d: %w", pid, err)
	}
	p.pidfd = os.NewFile(uintptr(fd), "process")
	return nil
}

// ended tells the agent how a process ended, and takes its terminal back.
func (w *worker) ended(p *process) {
	if exited := userprocess.ExitOf(p.pid); exited != nil && !p.exited {
		p.exited = true
		exited.Process = p.number
		w.giveBack(p)
		w.send(&pb.Event{Body: &pb.Event_Exited{Exited: exited}})
	}
}

// giveBack ends the login record of a process's terminal and makes that root's.
func (w *worker) giveBack(p *process) {
	if p.terminal == nil {
		return
	}
	w.recordLogout(p)
	if err := p.terminal.GiveBack(); err != nil {
		w.log.Printf("%s: give back %s: %v", w.name(), p.terminal.Name, err)
	}
	p.terminal, p.recorded = nil, false
}

// tty is the name of the process's terminal, "" for none.
func (p *process) tty() string {
	if p.terminal == nil {
		return ""
	}
	return p.terminal.Name
}

// reap waits for the processes that have ended and whose kernel session is empty.
func (w *worker) reap() {
	exited := w.processes.which(func(p *process) bool { return p.exited })
	if len(exited) == 0 {
		return
	}
	members, err := proc.Members(w.leaders(exited))
	if err != nil {
		w.log.Printf("%s: %v", w.name(), err)
		return // they are waited for behind the next one, or with the login
	}
	for _, p := range exited {
		if !slices.ContainsFunc(members, func(m proc.Process) bool { return m.Session == p.pid }) {
			w.processes.remove(p)
			userprocess.WaitFor(p.pid)
		}
	}
	w.note()
}

// endProcesses ends what the login started and what that left running in its
// kernel sessions.
func (w *worker) endProcesses() {
	all := w.leaders(w.processes.which(func(*process) bool { return true }))
	all = append(all, w.leftSessions()...)
	if len(all) == 0 {
		w.disown()
		return
	}
	w.life.aside(func() {
		if err := proc.End(all, graceOf(w.policy), w.takeExits); err != nil {
			w.log.Printf("%s: %v", w.name(), err)
		}
		w.takeLastExits()
		w.endLeftovers()
	})
	for _, p := range w.processes.which(func(p *process) bool { return p.terminal != nil }) {
		w.giveBack(p) // it could not be ended
	}
}

// takeExits serves the exits that are known by now. It looks only once at all the
// processes of the machine, however many they are.
func (w *worker) takeExits() {
	for {
		select {
		case p := <-w.processes.exits:
			w.ended(p)
		default:
			w.reap()
			w.reapOrphans()
			return
		}
	}
}

// takeLastExits waits a moment for those whose end has just come.
func (w *worker) takeLastExits() {
	timeout := time.After(graceOf(w.policy).Kill)
	for len(w.processes.which(func(p *process) bool { return !p.exited })) > 0 {
		select {
		case p := <-w.processes.exits:
			w.ended(p)
		case <-timeout:
			return
		}
	}
	w.reap()
}

func (w *worker) leaders(list []*process) (leaders []proc.Leader) {
	for _, p := range list {
		leaders = append(leaders, proc.Leader{PID: p.pid, Start: p.start, UID: w.passwd.UID})
	}
	return leaders
}

// signal sends a signal that an agent asks for. It runs on the receiving
// goroutine: an answer would only say what the process's Exited says better.
func (w *worker) signal(s *pb.Signal) error {
	_, known := pb.Signal_Number_name[int32(s.GetNumber())]
	w.processes.mu.Lock()
	defer w.processes.mu.Unlock()
	if !known || s.GetNumber() == 0 || s.GetProcess() == 0 || s.GetProcess() > w.processes.last {
		return violation("a signal to a process that was never started, or one that has no number")
	}
	for _, p := range w.processes.running {
		if p.number != s.GetProcess() {
			continue
		}
		// It has not been waited for: the lock keeps it so.
		if err := userprocess.SignalGroup(w.passwd, p.pid, syscall.Signal(s.GetNumber())); err != nil && err != syscall.ESRCH {
			w.log.Printf("%s: signal %s to process %d: %v", w.name(), s.GetNumber(), p.pid, err)
		}
	}
	return nil
}

func (ps *processes) add(p *process) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.last++
	p.number = ps.last
	ps.running = append(ps.running, p)
}

// remove takes a process off the list, before it is waited for.
func (ps *processes) remove(p *process) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.running = slices.DeleteFunc(ps.running, func(other *process) bool { return other == p })
}

// forget takes a process off the list that was never told of: its number is the
// next one's.
func (ps *processes) forget(p *process) {
	ps.remove(p)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.last--
}

func (ps *processes) which(is func(*process) bool) (list []*process) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.running {
		if is(p) {
			list = append(list, p)
		}
	}
	return list
}
