package broker

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
)

// children are the processes that the broker has started and not reaped. Each is
// waited for by its pidfd (pidfd_open(2)): to ask for any child that has ended takes
// the kernel longer the more there are, and to wait for one on a thread would be a
// thread for each login.
type children struct {
	mu      sync.Mutex // held while one is started: none is reaped before it is known
	running map[int]*child
}

// child is one of them.
type child struct {
	of    *children
	pid   int
	ended func(*child, syscall.WaitStatus) // called once, when it has been reaped
}

// anyChild is, for wait4(2), whichever child has ended.
const anyChild = -1

func newChildren() *children {
	c := &children{running: map[int]*child{}}
	if os.Getpid() == 1 {
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGCHLD)
		go c.adopt(ended)
	}
	return c
}

// adopt reaps what others have left to process 1, and will, as long as that runs.
func (c *children) adopt(ended <-chan os.Signal) {
	for {
		for c.reap(anyChild) {
		}
		<-ended
	}
}

// start starts a process. What it has of the broker is in attr, and nothing else.
func (c *children) start(path string, argv []string, attr *syscall.ProcAttr, ended func(*child, syscall.WaitStatus)) (*child, error) {
	var pidfd int
	attr.Sys.PidFD = &pidfd // where no descriptor is free no process is started
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return nil, err
	}
	started := &child{of: c, pid: pid, ended: ended}
	c.running[pid] = started
	go started.await(kept(pidfd))
	return started, nil
}

// kept makes a pidfd one for the runtime's poller, with a number that is not among those
// of the descriptors that the next child gets: see programFloor.
func kept(pidfd int) *os.File {
	unix.SetNonblock(pidfd, true)
	if above, err := unix.FcntlInt(uintptr(pidfd), unix.F_DUPFD_CLOEXEC, programFloor); err == nil {
		unix.Close(pidfd)
		pidfd = above
	}
	return os.NewFile(uintptr(pidfd), "process")
}

// await reaps it when it has ended. A broker that ends waits for workers and the agent,
// of whose ends it is told, and not for this.
func (p *child) await(pidfd *os.File) {
	proc.AwaitExit(p.pid, pidfd)
	pidfd.Close()
	p.of.reap(p.pid)
}

// reap reaps a process that has ended, and reports whether there was one. For process 1
// it may be somebody else's.
func (c *children) reap(which int) bool {
	c.mu.Lock()
	var status syscall.WaitStatus
	pid, _ := syscall.Wait4(which, &status, syscall.WNOHANG, nil)
	ended := c.running[pid]
	delete(c.running, pid)
	c.mu.Unlock()
	if ended != nil {
		ended.ended(ended, status)
	}
	return pid > 0
}

// signal sends a signal to a process that has not been reaped: its number cannot
// be anybody else's yet.
func (p *child) signal(sig syscall.Signal) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if p.of.running[p.pid] == p {
		syscall.Kill(p.pid, sig)
	}
}
