package broker

import (
	"context"
	"os"
	"syscall"
	"time"
)

// sweeps closes the logins of workers that died, by running "pamhelper sweep": one
// at a time, however many died meanwhile.
type sweeps struct {
	b      *broker
	wanted chan struct{} // has something when one is wanted
	pause  time.Duration // before what one has left is tried again
	again  <-chan time.Time
}

func newSweeps(b *broker) *sweeps {
	return &sweeps{b: b, wanted: make(chan struct{}, 1), pause: sweepPause}
}

// sweepTimeout is above what closing a number of logins takes that hang.
const sweepTimeout = 5 * time.Minute

// sweepPause does not make more of a failure that goes on. It ends: a login is given
// up after some tries.
const sweepPause = time.Minute

// want asks for a sweep that begins after now.
func (s *sweeps) want() {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
}

// whenWanted sweeps whenever it is wanted, and again behind one that left something,
// until ctx ends.
func (s *sweeps) whenWanted(ctx context.Context) {
	for {
		select {
		case <-s.wanted:
			s.run(context.WithoutCancel(ctx))
		case <-s.again:
			s.want()
		case <-ctx.Done():
			return
		}
	}
}

// run runs one, which ends early with ctx.
func (s *sweeps) run(ctx context.Context) {
	s.again = nil
	if !s.closesAll(ctx) {
		s.again = time.After(s.pause)
	}
}

// closesAll runs one, and reports whether it has left nothing.
func (s *sweeps) closesAll(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	ended := make(chan syscall.WaitStatus, 1)
	sweep, err := s.start(ended)
	if err != nil {
		s.b.log.Printf("sweep: %v", err)
		return false
	}
	select {
	case status := <-ended:
		return s.report(status)
	case <-ctx.Done():
	}
	sweep.signal(syscall.SIGTERM)
	kill := time.AfterFunc(killTimeout, func() { sweep.signal(syscall.SIGKILL) })
	defer kill.Stop()
	return s.report(<-ended)
}

func (s *sweeps) start(ended chan<- syscall.WaitStatus) (*child, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{Dir: "/", Env: []string{}, Files: []uintptr{null.Fd(), 2, 2}, Sys: &syscall.SysProcAttr{Setsid: true}}
	return s.b.children.start(s.b.program.path(), []string{"pamhelper", "sweep"}, attr,
		func(_ *child, status syscall.WaitStatus) { ended <- status })
}

func (s *sweeps) report(status syscall.WaitStatus) (closed bool) {
	if closed = statusOf(status) == 0; !closed {
		s.b.log.Printf("sweep %s: there are logins that are not closed; see: pamhelper sessions", howEnded(status))
	}
	return closed
}
