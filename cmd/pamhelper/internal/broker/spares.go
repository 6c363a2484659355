// Workers that are started before there is a login for them. A login that finds one
// ready does not wait for a process to start.
//
// A spare serves one login, as the worker that it is. Until then it counts for
// nothing: limits are those of logins. Where none is ready, a worker is started as
// if there were no spares.

package broker

import (
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// spares are the workers that wait.
type spares struct {
	b        *broker
	want     int
	changed  chan struct{}  // has something when there may be something to do
	watching sync.WaitGroup // of each spare, and of keep

	mu     sync.Mutex
	usable []*spare // starting or ready, the oldest first
	closed bool     // there are no more logins
	pause  time.Duration
	after  time.Time // no other one is started before
}

// refillPause lets the login that took a spare get on before its successor wants the
// processor too.
const refillPause = 10 * time.Millisecond

// A spare that fails is replaced, and the next one that fails later.
const (
	firstSparePause = time.Second
	mostSparePause  = 5 * time.Minute
)

func newSpares(b *broker, want int) *spares {
	return &spares{b: b, want: want, changed: make(chan struct{}, 1)}
}

// refill has those started that are missing, by keep: no login waits for that.
func (s *spares) refill() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// keep starts what is missing, until the spares are closed.
func (s *spares) keep() {
	for {
		missing, wait := s.missing()
		var later <-chan time.Time
		switch {
		case missing < 0:
			return
		case missing > 0 && wait <= 0:
			s.start()
			continue
		case missing > 0:
			later = time.After(wait)
		}
		select {
		case <-s.changed:
		case <-later:
		}
	}
}

// missing is how many there are too few, below 0 where none is wanted any more, and
// how long it is until one may be started.
func (s *spares) missing() (n int, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return -1, 0
	}
	return s.want - len(s.usable), time.Until(s.after)
}

// start starts one.
func (s *spares) start() {
	ours, theirs, err := controlPair()
	if err != nil {
		s.b.log.Printf("start a spare worker: %v; %s", err, s.postpone(nil))
		return
	}
	defer theirs.Close()
	started := &spare{of: s, stream: ours, left: make(chan struct{}), ended: make(chan syscall.WaitStatus, 1)}
	if !s.add(started) {
		ours.Close()
		return
	}
	started.child, err = s.b.startProcess(theirs, started.reaped, s.flags()...)
	if err != nil {
		ours.Close()
		s.b.log.Printf("start a spare worker: %v; %s", err, s.postpone(started))
		return
	}
	s.watching.Go(started.watch)
}

// add makes one known before its policy is opened: where that is read again meanwhile,
// the spare is let go of as all others. It reports whether there are still logins.
func (s *spares) add(one *spare) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.usable = append(s.usable, one)
	}
	return !s.closed
}

func (s *spares) flags() []string {
	if s.b.options.preload {
		return []string{"--spare", "--preload"}
	}
	return []string{"--spare"}
}

// handOver gives a login's socket to a spare that is ready, and returns the spare's
// process, nil where there is none. From there on that is a worker, as soon as it has
// taken the socket: see spare.taken.
func (s *spares) handOver(socket *os.File) *child {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		i := slices.IndexFunc(s.usable, func(one *spare) bool { return one.ready })
		if i < 0 {
			return nil
		}
		one := s.usable[i]
		s.usable = slices.Delete(s.usable, i, i+1)
		if one.give(socket) == nil {
			s.pause, s.after = 0, time.Now().Add(refillPause)
			s.refill()
			return one.child
		}
		one.child.signal(syscall.SIGKILL) // it is dead, or as good as that
	}
}

// drop lets go of all of them, and has others started: they have what is not in
// force any more.
func (s *spares) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.usable {
		one.letGo()
	}
	s.usable, s.pause, s.after = nil, 0, time.Time{}
	s.refill()
}

// close lets go of all of them, for good.
func (s *spares) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.drop()
}

// hasLogin reports whether one was given a login. If not, none will be.
func (s *spares) hasLogin(one *spare) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(one)
	return one.login != nil
}

func (s *spares) forget(one *spare) {
	s.usable = slices.DeleteFunc(s.usable, func(other *spare) bool { return other == one })
}

// postpone takes out one that has failed, and puts off the start of its successor,
// longer each time. It says so. Those that fail while that is put off were started
// together: they count as one.
func (s *spares) postpone(failed *spare) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(failed)
	if s.pause == 0 || !time.Now().Before(s.after) {
		s.pause = min(max(2*s.pause, firstSparePause), mostSparePause)
		s.after = time.Now().Add(s.pause)
	}
	s.refill()
	wait := (time.Until(s.after) + time.Second - 1).Truncate(time.Second) // rounded up
	return "logins go on without it, and another one is started in " + wait.String()
}
