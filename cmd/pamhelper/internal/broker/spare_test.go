package broker

import (
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// spareGround is a broker that has what spares need of it. What it starts ends at once
// with status 1.
func spareGround(t *testing.T) (b *broker, logged *text) {
	t.Helper()
	fails, err := os.Open("/bin/false")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := sealed(nil)
	if err != nil {
		t.Fatal(err)
	}
	logged = &text{}
	b = &broker{children: newChildren(), program: &program{int(fails.Fd())}, log: log.New(logged, "", 0),
		policy: &policyInForce{text: policy}, workers: newWorkers(limits{logins: 10, atOnce: 10})}
	b.sweeps = newSweeps(b)
	b.spares = newSpares(b, 1)
	t.Cleanup(func() {
		fails.Close()
		policy.Close()
	})
	return b, logged
}

// text is what is logged.
type text struct {
	mu  sync.Mutex
	all strings.Builder
}

func (t *text) Write(line []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all.Write(line)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all.String()
}

// handedOver is a spare that was ready and has been given a login, whose process says
// what it says and has ended before the broker looked.
func handedOver(t *testing.T, b *broker, says string, status syscall.WaitStatus) (s *spare, agent net.Conn) {
	t.Helper()
	ours, theirs, err := controlPair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	agents, workers, err := controlPair()
	if err != nil {
		t.Fatal(err)
	}
	defer workers.Close()
	t.Cleanup(func() { agents.Close() })
	s = &spare{of: b.spares, stream: ours, child: &child{of: b.children, pid: nobody}, left: make(chan struct{}), ended: make(chan syscall.WaitStatus, 1)}
	b.workers.admit()
	if err := b.workers.start(func() (*child, error) { return s.child, s.give(workers) }); err != nil {
		t.Fatal(err)
	}
	theirs.WriteString(says)
	s.reaped(s.child, status)
	return s, agents
}

const (
	nobody  = 1 << 30 // no process can have this number
	killed  = syscall.WaitStatus(syscall.SIGKILL)
	inOrder = syscall.WaitStatus(0)
)

// The broker may look at a spare for the first time when its login is over already:
// it has been a worker all the same.
func TestALoginThatIsOverBeforeTheBrokerLooksWasAWorkers(t *testing.T) {
	t.Parallel()
	b, logged := spareGround(t)
	for range 20 { // each time, not only where chance has it
		s, _ := handedOver(t, b, "rt", inOrder)
		s.watch()
		if n := b.workers.count(); n != 0 {
			t.Fatalf("workers: got %d behind the end of the login, want none; the log:\n%s", n, logged)
		}
	}
	if got := logged.String(); got != "" {
		t.Errorf("the log: got %q, want nothing about a login that ended in order", got)
	}
}

func TestALoginOfASpareThatDiedBeforeTheBrokerLooksGetsAWorker(t *testing.T) {
	t.Parallel()
	b, logged := spareGround(t)
	for range 20 {
		s, agent := handedOver(t, b, "r", killed)
		s.watch()
		agent.SetReadDeadline(time.Now().Add(killTimeout))
		if _, err := agent.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Fatalf("of the worker that took over: %v, want its end", err)
		}
		if !b.workers.wait(killTimeout) {
			t.Fatalf("workers: got %d, want none; the log:\n%s", b.workers.count(), logged)
		}
	}
	if got := strings.Count(logged.String(), "ended with status 1 in the middle of a login"); got != 20 {
		t.Errorf("workers that took over: got %d, want one for each of 20 logins; the log:\n%s", got, logged)
	}
}

// workersAt notes how many workers there are when something is logged.
type workersAt struct {
	of    *workers
	count chan int
}

func (w workersAt) Write(line []byte) (int, error) {
	w.count <- w.of.count()
	return len(line), nil
}

func TestAWorkerCountsAsLivingUntilItsEndIsTold(t *testing.T) {
	t.Parallel()
	b, _ := spareGround(t)
	counted := workersAt{b.workers, make(chan int, 1)}
	b.log = log.New(counted, "", 0)
	b.workers.admit()
	agents, err := b.startWorker()
	if err != nil {
		t.Fatal(err)
	}
	defer agents.Close()
	if n := <-counted.count; n != 1 {
		t.Errorf("workers while it is told that one has failed: got %d, want 1", n)
	}
	if !b.workers.wait(killTimeout) {
		t.Errorf("workers behind that: got %d, want none", b.workers.count())
	}
}

func TestNoSpareIsStartedBehindTheLastLogin(t *testing.T) {
	t.Parallel()
	b, logged := spareGround(t)
	b.spares.close()
	b.spares.start() // it was missing a moment ago
	b.spares.watching.Wait()
	if got := logged.String(); got != "" || len(b.spares.usable) != 0 {
		t.Errorf("spares: got %d, and the log %q; want none to be started", len(b.spares.usable), got)
	}
}

func TestSparesThatFailTogetherArePutOffOnce(t *testing.T) {
	t.Parallel()
	b, _ := spareGround(t)
	for range 8 {
		b.spares.postpone(nil)
	}
	if got := b.spares.pause; got != firstSparePause {
		t.Errorf("the pause behind eight that failed at once: got %s, want %s", got, firstSparePause)
	}
	b.spares.after = time.Now()
	b.spares.postpone(nil)
	if got := b.spares.pause; got != 2*firstSparePause {
		t.Errorf("the pause behind one that failed again: got %s, want %s", got, 2*firstSparePause)
	}
}
