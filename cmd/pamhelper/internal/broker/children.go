package broker

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// children are the processes that the broker has started and not reaped. It reaps
// them all itself: a process waited for on a thread of its own would be a thread
// for each login.
type children struct {
	mu      sync.Mutex // held while one is started: none is reaped before it is known
	running map[int]*child
	died    chan os.Signal
	reaping sync.WaitGroup
}

// child is one of them.
type child struct {
	of    *children
	pid   int
	ended func(*child, syscall.WaitStatus) // called once, when it has been reaped
}

func newChildren() *children {
	c := &children{running: map[int]*child{}, died: make(chan os.Signal, 1)}
	signal.Notify(c.died, syscall.SIGCHLD)
	c.reaping.Go(func() {
		for range c.died {
			for c.reapOne() {
			}
		}
	})
	return c
}

// stop ends the reaping.
func (c *children) stop() {
	signal.Stop(c.died)
	close(c.died)
	c.reaping.Wait()
}

// start starts a process. What it has of the broker is in attr, and nothing else.
func (c *children) start(path string, argv []string, attr *syscall.ProcAttr, ended func(*child, syscall.WaitStatus)) (*child, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return nil, err
	}
	started := &child{of: c, pid: pid, ended: ended}
	c.running[pid] = started
	return started, nil
}

// reapOne reaps a process that has ended, and reports whether there was one. Where
// the broker is process 1 it may be somebody else's.
func (c *children) reapOne() bool {
	c.mu.Lock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	ended := c.running[pid]
	delete(c.running, pid)
	c.mu.Unlock()
	if ended != nil {
		ended.ended(ended, status)
	}
	return pid > 0 || err == syscall.EINTR
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
