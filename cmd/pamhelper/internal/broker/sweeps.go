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
}

// sweepTimeout is above what closing a number of logins takes that hang.
const sweepTimeout = 5 * time.Minute

// want asks for a sweep that begins after now.
func (s *sweeps) want() {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
}

// whenWanted sweeps whenever it is wanted, until ctx ends.
func (s *sweeps) whenWanted(ctx context.Context) {
	for {
		select {
		case <-s.wanted:
			s.run(context.WithoutCancel(ctx))
		case <-ctx.Done():
			return
		}
	}
}

// run runs one, which ends early with ctx.
func (s *sweeps) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	ended := make(chan syscall.WaitStatus, 1)
	sweep, err := s.start(ended)
	if err != nil {
		s.b.log.Printf("sweep: %v", err)
		return
	}
	select {
	case status := <-ended:
		s.report(status)
		return
	case <-ctx.Done():
	}
	sweep.signal(syscall.SIGTERM)
	kill := time.AfterFunc(killTimeout, func() { sweep.signal(syscall.SIGKILL) })
	defer kill.Stop()
	s.report(<-ended)
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

func (s *sweeps) report(status syscall.WaitStatus) {
	if statusOf(status) != 0 {
		s.b.log.Printf("sweep %s: there are logins that are not closed; see: pamhelper sessions", howEnded(status))
	}
}
