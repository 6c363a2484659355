package realpam_test

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// brokeredLogin is a broker with an agent that is a process of its own throughout:
// what dies with it is as it is.
type brokeredLogin struct {
	*brokered
	out *bufio.Reader
}

// brokerOfLogin starts one, and waits for what the agent says where it has got to.
func (g *ground) brokerOfLogin(says string, role ...string) *brokeredLogin {
	g.t.Helper()
	name, uid := g.agentUser()
	b := &brokeredLogin{brokered: &brokered{ground: g, agentUID: uid, ended: make(chan struct{})}}
	b.cmd = g.brokerCommand(name, nil, append([]string{roleLogin, g.user}, role...)...)
	b.log = logTo(g.t, b.cmd)
	r, w, err := os.Pipe()
	if err != nil {
		g.t.Fatal(err)
	}
	b.cmd.Stdout, b.out = w, bufio.NewReader(r)
	if err := b.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	w.Close()
	go func() { b.cmd.Wait(); close(b.ended) }()
	g.t.Cleanup(func() {
		r.Close()
		kill(processesOf(b.agentUID))
		b.cmd.Process.Kill()
		<-b.ended
		if g.t.Failed() {
			g.t.Logf("the broker's log:\n%s", b.log.String())
		}
	})
	b.agentSays(says)
	b.agent = processesOf(b.agentUID)[0]
	return b
}

func (b *brokeredLogin) agentSays(says string) {
	b.t.Helper()
	var word string
	if line, err := b.out.ReadString('\n'); err != nil {
		b.t.Fatalf("the agent says %q, %v, want %q; the log:\n%s", line, err, says, b.log.String())
	} else if fmt.Sscan(line, &word); word != says {
		b.t.Fatalf("the agent says %q, want %q", line, says)
	}
}

// points are where a login can be when something is killed.
var points = []struct {
	name  string
	stack []string
	says  string
	role  []string
	calls string // of the login, and of what undoes it
}{
	{"before Begin", nil, "greeted", []string{"no further"}, ""},
	{"in a prompt", []string{asking}, "prompt", nil, "authenticate(0x1)"},
	{"in a session with processes", nil, "running", nil, whole},
}

// nothingIsOpen is what holds in the end, before anybody does anything for that.
func (b *brokered) nothingIsOpen(calls string) {
	b.t.Helper()
	eventually(b.t, func() bool {
		return len(recordsIn(b.t, b.records)) == 0 && len(processesOf(b.uid)) == 0 && len(terminalsOf(b.t, b.uid)) == 0
	}, "no record, process or terminal of %s: %q, %v", b.user, recordsIn(b.t, b.records), processesOf(b.uid))
	waitCalls(b.t, b.user, calls)
}

func TestAgentKilledUnderABroker(t *testing.T) {
	for _, p := range points {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t, p.stack...).brokerOfLogin(p.says, p.role...)
			worker := b.worker()
			syscall.Kill(b.agent, syscall.SIGKILL)
			b.exits(128 + int(syscall.SIGKILL))
			// The end of the broker is the end of all of it.
			if alive(worker) || len(recordsIn(t, b.records)) > 0 || len(processesOf(b.uid)) > 0 {
				t.Errorf("behind the broker: worker alive %v, records %q, processes %q; want nothing",
					alive(worker), recordsIn(t, b.records), describe(processesOf(b.uid)))
			}
			b.nothingIsOpen(p.calls)
		})
	}
}

func TestWorkerKilledUnderABroker(t *testing.T) {
	for _, p := range points {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t, p.stack...).brokerOfLogin(p.says, p.role...)
			worker := b.worker()
			syscall.Kill(worker, syscall.SIGKILL)
			b.logs("worker "+strconv.Itoa(worker), "was ended by SIGKILL")
			b.nothingIsOpen(p.calls)
		})
	}
}

func TestBrokerKilled(t *testing.T) {
	for _, p := range points {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t, p.stack...).brokerOfLogin(p.says, p.role...)
			worker := b.worker()
			b.cmd.Process.Kill()
			<-b.ended
			if p.says == "running" {
				b.agentSays("gone") // it sees the end of file
			}
			if !alive(worker) {
				t.Error("the worker went with the broker, want the login to go on")
			}
			syscall.Kill(b.agent, syscall.SIGKILL) // as an agent whose time is over
			gone(t, worker)
			b.nothingIsOpen(p.calls)
		})
	}
}

func TestBrokerAndWorkerKilledAreSweptByTheNextBroker(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	b := g.brokerOfLogin("running")
	worker := b.worker()
	b.cmd.Process.Kill()
	syscall.Kill(worker, syscall.SIGKILL)
	gone(t, worker)
	<-b.ended
	syscall.Kill(b.agent, syscall.SIGKILL)
	g.broker()
	b.nothingIsOpen(whole)
}

func TestSIGTERMOfTheBrokerEndsTheAgentAndItsLogins(t *testing.T) {
	t.Parallel()
	b := newGround(t).brokerOfLogin("running")
	b.signal(syscall.SIGTERM) // which ends this agent
	b.exits(128 + int(syscall.SIGTERM))
	b.nothingIsOpen(whole)
}

func TestALoginThatGoesOnIsNotTouchedByTheSweepOfAnother(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker()
	launcher := b.launcher()
	first := b.open(launcher)
	p, _ := start(t, first, "echo ready; sleep 1000")
	worker := b.worker()
	second := b.open(launcher)
	for _, pid := range b.workers() {
		if pid != worker {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	eventually(t, func() bool { return len(recordsIn(t, b.records)) == 1 }, "the record of the living login alone")
	b.logs("was ended by SIGKILL")
	if _, err := second.Do(t.Context(), ipc.CloseSession); err == nil {
		t.Error("the session of a worker that was killed goes on")
	}
	if !alive(p.PID) {
		t.Error("the shell of the other login has ended")
	}
	if _, err := first.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Error(err)
	}
}
