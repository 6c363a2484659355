package broker

import (
	"fmt"
	"math"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// workers are those that live, and how many more there may be.
type workers struct {
	mu       sync.Mutex
	live     map[*child]bool
	starting int // taken, and not in live yet
	most     int
	because  string // of what there may be no more
	starts   bucket
	fewer    chan struct{} // has something when one has ended
}

// limits are the policy's.
type limits struct{ logins, perSecond, atOnce uint32 }

func newWorkers(l limits) *workers {
	w := &workers{live: map[*child]bool{}, fewer: make(chan struct{}, 1)}
	w.limit(l)
	w.starts.left, w.starts.at = w.starts.atOnce, time.Now()
	return w
}

// limit takes over limits for those to come.
func (w *workers) limit(l limits) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.most, w.because = int(l.logins), "limits.logins admits"
	if room := room(); room < w.most {
		w.most, w.because = room, "the broker has descriptors for; "+raiseLimit
	}
	w.starts.perSecond, w.starts.atOnce = float64(l.perSecond), float64(l.atOnce)
}

// room is for how many workers the broker has descriptors, one for each. As many as lie
// below the program's are for all else: see programFloor.
func room() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32)) - programFloor
}

// warnOfRoom says where that is less than the policy admits.
func (b *broker) warnOfRoom() {
	if most, room := b.policy.limits().logins, room(); room < int(most) {
		b.log.Printf("limits.logins admits %d logins, and the broker has descriptors for %d: %s", most, room, raiseLimit)
	}
}

// fullRetry is the hint where one has to end first.
const fullRetry = time.Second

// admit takes a place for one more, or says why there is none now.
func (w *workers) admit() *pb.Busy {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.live) + w.starting; n >= w.most {
		return busy(fullRetry, "%d logins are there, the most that %s", n, w.because)
	}
	if wait := w.starts.take(time.Now()); wait > 0 {
		return busy(wait, "logins come faster than limits.starts_per_second, %v, admits", w.starts.perSecond)
	}
	w.starting++
	return nil
}

func busy(wait time.Duration, form string, args ...any) *pb.Busy {
	return &pb.Busy{RetryAfterMs: uint32(max(wait/time.Millisecond, 1)), Text: fmt.Sprintf(form, args...)}
}

// start starts one in the place that admit took.
func (w *workers) start(begin func() (*child, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starting--
	worker, err := begin()
	if err == nil {
		w.live[worker] = true
	}
	return err
}

// replace starts another one for the login of one that has been reaped.
func (w *workers) replace(dead *child, begin func() (*child, error)) error {
	w.mu.Lock()
	w.starting++
	w.mu.Unlock()
	w.remove(dead)
	return w.start(begin)
}

// remove forgets one that has been reaped.
func (w *workers) remove(worker *child) {
	w.mu.Lock()
	defer w.mu.Unlock() // behind start, however soon it ended
	delete(w.live, worker)
	select {
	case w.fewer <- struct{}{}:
	default:
	}
}

// signal sends a signal to all, and returns how many there are.
func (w *workers) signal(sig syscall.Signal) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for worker := range w.live {
		worker.signal(sig)
	}
	return len(w.live)
}

// wait waits until none lives, and reports whether that came in time.
func (w *workers) wait(most time.Duration) bool {
	late := time.After(most)
	for w.count() > 0 {
		select {
		case <-w.fewer:
		case <-late:
			return w.count() == 0
		}
	}
	return true
}

func (w *workers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.live)
}

// startWorker gets a worker for a login, a spare where one is ready, and returns the
// agent's end of its socket.
func (b *broker) startWorker() (agents *os.File, err error) {
	err = b.workers.start(func() (*child, error) {
		var workers *os.File
		if agents, workers, err = pair(); err != nil {
			return nil, err
		}
		defer workers.Close()
		if spare := b.spares.handOver(workers); spare != nil {
			return spare, nil
		}
		return b.startProcess(workers, b.workerEnded)
	})
	if err != nil && agents != nil {
		agents.Close()
	}
	return agents, err
}

// startProcess starts a worker's process with a socket on descriptor 3.
func (b *broker) startProcess(socket *os.File, ended func(*child, syscall.WaitStatus), flags ...string) (*child, error) {
	policy, err := b.policy.open()
	if err != nil {
		return nil, err
	}
	defer policy.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	argv := append([]string{"pamhelper", "worker", "--policy", "fd:4", "--agent-uid", fmt.Sprint(b.account.uid)}, flags...)
	attr := &syscall.ProcAttr{
		Dir: "/", Env: ipc.WorkerEnvironment(),
		Files: []uintptr{null.Fd(), null.Fd(), 2, socket.Fd(), policy.Fd()},
		// Keys typed at the broker's terminal are not for it and its modules.
		Sys: &syscall.SysProcAttr{Setsid: true},
	}
	return b.children.start(b.program.path(), argv, attr, ended)
}

// exitFailed is the status of a worker that ended the login itself, and has logged
// why.
const exitFailed = 3

// workerEnded has closed what a worker left that did not end in order. It is one of
// those that live until that is under way: a broker that ends waits for them.
func (b *broker) workerEnded(worker *child, status syscall.WaitStatus) {
	defer b.workers.remove(worker)
	if status.Exited() && status.ExitStatus() == 0 {
		return
	}
	if !status.Exited() || status.ExitStatus() != exitFailed {
		b.log.Printf("worker %d %s in the middle of a login: what it left open is swept", worker.pid, howEnded(status))
	}
	b.sweeps.want()
}
