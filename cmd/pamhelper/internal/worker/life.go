package worker

import (
	"sync"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// life holds a login's deadlines and the reason it is stopped for. Stopping
// does not interrupt a module: it makes prompts fail and lets the module's
// call return, and after the close deadline onHang ends the process.
type life struct {
	stopped chan struct{}
	onHang  func()
	onStop  func() // called once, as soon as the login is stopped

	mu      sync.Mutex
	why     error
	isOpen  bool // a session was opened
	isOver  bool
	apart   int // calls of aside that run
	login   *time.Timer
	closing *time.Timer
	began   time.Time
	limits  deadlines
}

// deadlines are the policy's, or shorter ones that the agent asked for.
type deadlines struct {
	login, prompt, close time.Duration
	// closeFloor is the shortest close deadline an agent may ask for.
	closeFloor time.Duration
}

const closeFloor = 5 * time.Second

func deadlinesOf(p *pb.Policy) deadlines {
	d := p.GetDeadlines()
	return deadlines{login: seconds(d.GetLogin()), prompt: seconds(d.GetPrompt()), close: seconds(d.GetClose()), closeFloor: closeFloor}
}

// killPatience is how long what was killed may take to end.
const killPatience = 2 * time.Second

// graceOf is how long the processes of a login may take to end.
func graceOf(p *pb.Policy) proc.Grace {
	d := p.GetDeadlines()
	return proc.Grace{Hangup: seconds(d.GetHangup()), Terminate: seconds(d.GetTerminate()), Kill: killPatience}
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

func newLife(limits deadlines) *life {
	l := &life{stopped: make(chan struct{}), began: time.Now(), limits: limits, onHang: func() {}, onStop: func() {}}
	l.login = time.AfterFunc(limits.login, l.timedOut)
	return l
}

func (l *life) timedOut() {
	l.stop(&fault{kind: pb.Fault_TIMEOUT, text: "the login did not come to an open session, or did not end after it, before its deadline"})
}

// shorten takes over the deadlines an agent asks for, where they are shorter.
func (l *life) shorten(login, prompt, close time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if prompt > 0 {
		l.limits.prompt = min(l.limits.prompt, prompt)
	}
	if close > 0 {
		// Not so short that an agent could keep a session from being closed.
		l.limits.close = min(l.limits.close, max(close, l.limits.closeFloor))
	}
	if login > 0 && login < l.limits.login {
		l.limits.login = login
		if l.login.Stop() {
			l.login.Reset(time.Until(l.began.Add(login)))
		}
	}
}

// promptTimeout is how long a prompt may wait from now: not beyond the login's
// own deadline, while that one runs.
func (l *life) promptTimeout() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isOpen {
		return l.limits.prompt
	}
	left := time.Until(l.began.Add(l.limits.login))
	return max(min(l.limits.prompt, left), time.Millisecond)
}

// opened ends the login's deadline: a session lasts as long as it lasts.
func (l *life) opened() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isOpen = true
	l.login.Stop()
}

// closed gives the agent the close deadline to end the login after its session.
func (l *life) closed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.login.Reset(l.limits.close)
}

// bound runs a call that belongs to closing under the close deadline.
func (l *life) bound(call func()) {
	l.mu.Lock()
	started := l.closing == nil
	if started {
		l.closing = time.AfterFunc(l.limits.close, l.onHang)
	}
	l.mu.Unlock()
	call()
	if started {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.isStopped() {
			l.closing.Stop()
			l.closing = nil
		}
	}
}

// aside runs a call that has a bound of its own: the close deadline, also where
// the login is stopped meanwhile, begins behind it.
func (l *life) aside(call func()) {
	l.mu.Lock()
	l.apart++
	if l.closing != nil {
		l.closing.Stop()
	}
	l.mu.Unlock()
	call()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apart--
	if l.closing != nil && l.apart == 0 && !l.isOver {
		l.closing.Reset(l.limits.close)
	}
}

// stop ends the login for a reason, nil where nobody has to be told. Only the
// first reason counts.
func (l *life) stop(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.stopped:
		return
	default:
	}
	if l.isOver {
		return
	}
	l.why = reason
	close(l.stopped)
	l.login.Stop()
	if l.closing == nil {
		l.closing = time.AfterFunc(l.limits.close, l.onHang)
		if l.apart > 0 {
			l.closing.Stop()
		}
	}
	l.onStop()
}

// isClosing reports whether the close deadline runs, or will behind a call of
// aside.
func (l *life) isClosing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closing != nil
}

func (l *life) isStopped() bool {
	select {
	case <-l.stopped:
		return true
	default:
		return false
	}
}

func (l *life) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

// over stops every deadline: the transaction has ended.
func (l *life) over() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isOver = true
	l.login.Stop()
	if l.closing != nil {
		l.closing.Stop()
	}
}
