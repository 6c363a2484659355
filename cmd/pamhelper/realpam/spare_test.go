package realpam_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// spares waits until as many spares wait, none starts, and the broker knows of them:
// it has read what they have said. It returns them.
func (b *brokered) spares(n int) (pids []int) {
	b.t.Helper()
	eventually(b.t, func() bool {
		pids = sparesOf(b.t, b.cmd.Process.Pid)
		return len(pids) == n && !slices.ContainsFunc(pids, func(pid int) bool { return processName(pid) != waitingSpare }) &&
			isIdle(b.cmd.Process.Pid)
	}, "%d spare workers that wait; the log:\n%s", n, b.log)
	return pids
}

// isIdle reports whether every thread of a process waits: whoever is to read what has
// been written does not.
func isIdle(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return !slices.ContainsFunc(threads, func(thread string) bool {
		stat, _ := os.ReadFile(thread)
		return !strings.Contains(string(stat), ") S ")
	})
}

// spare is the one that waits.
func (b *brokered) spare() int { b.t.Helper(); return b.spares(1)[0] }

// logsOut ends a login in order.
func logsOut(t *testing.T, client *ipc.Client) {
	t.Helper()
	if _, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Error(err)
	}
	client.Close()
}

func TestASpareServesTheNextLoginAndIsReplaced(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker()
	launcher := b.launcher()
	for range 3 {
		waiting := b.spare()
		client := b.open(launcher)
		if worker := b.worker(); worker != waiting || processName(worker) != "pamhelper" {
			t.Errorf("the login has process %d, %q; want %d, which waited", worker, processName(worker), waiting)
		}
		if next := b.spare(); next == waiting {
			t.Error("the worker of a login waits for another one")
		}
		logsOut(t, client)
		gone(t, waiting) // it serves no second one
	}
	if text := b.log.String(); strings.Contains(text, "spare") {
		t.Errorf("the log speaks of spares, want nothing to be told of them:\n%s", text)
	}
}

func TestWithoutSparesNothingWaits(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker("--spare", "0")
	launcher := b.launcher()
	client := b.open(launcher)
	if children := childrenOf(t, b.cmd.Process.Pid, ""); len(children) != 2 {
		t.Errorf("children of the broker: %q, want the agent and one worker", describe(children))
	}
	logsOut(t, client)
	eventually(t, func() bool { return len(childrenOf(t, b.cmd.Process.Pid, "")) == 1 }, "the agent alone")
}

func TestTenLoginsAtOnceWithThreeSpares(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker("--spare", "3")
	waited := b.spares(3)
	launcher := b.launcher()
	var all sync.WaitGroup
	clients := make([]*ipc.Client, 10)
	for i := range clients {
		all.Go(func() {
			client, err := ipc.Dial(t.Context(), launcher, ipc.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			clients[i] = client
			if results, err := client.Login(t.Context(), loginOf(b.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
				t.Errorf("%q, %v", show(results), err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	workers := b.workers()
	if len(workers) != len(clients) {
		t.Errorf("workers: %v, want %d", workers, len(clients))
	}
	for _, pid := range waited {
		if !slices.Contains(workers, pid) {
			t.Errorf("process %d waited and has no login; %v have one", pid, workers)
		}
	}
	b.spares(3)
	for _, client := range clients {
		logsOut(t, client)
	}
}

// Limits are for logins: with one login to be had, a spare takes none away.
func TestASpareCountsAsNoLogin(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker("--spare", "5", "--policy", policyFile(t, `service { name: "sshd" } limits { logins: 1 starts_per_second: 1 starts_at_once: 1 }`))
	b.spares(5)
	launcher := b.launcher()
	client := b.open(launcher)
	var busy *ipc.BusyError
	if _, err := launcher.Launch(t.Context()); !errors.As(err, &busy) {
		t.Errorf("a second login: %v, want none", err)
	}
	logsOut(t, client)
}

func TestAPolicyThatIsReadAgainIsThatOfTheNextLogin(t *testing.T) {
	t.Parallel()
	path := policyFile(t, `service { name: "sshd" }`)
	b := newGround(t).broker("--policy", path, "--spare", "2")
	old := b.spares(2)
	launcher := b.launcher()
	writeFile(t, path, `service { name: "other-service" }`)
	b.signal(syscall.SIGHUP)
	b.logs("the policy was read again")
	// At once, as long as the new ones are not ready, and again when they are.
	for range 2 {
		client, err := ipc.Dial(t.Context(), launcher, ipc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Login(t.Context(), loginOf(b.user), ipc.Authenticate)
		if err == nil || !strings.Contains(err.Error(), "this helper serves: other-service") {
			t.Errorf("got %v, want a service that is not served", err)
		}
		client.Close()
		b.spares(2)
	}
	for _, pid := range old {
		gone(t, pid)
	}
}

func TestASpareThatIsKilledCostsNoLogin(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker()
	launcher := b.launcher()
	killed := b.spare()
	syscall.Kill(killed, syscall.SIGKILL)
	logsOut(t, b.open(launcher))
	b.logs(fmt.Sprintf("spare worker %d was ended by SIGKILL: logins go on without it, and another one is started in 1s", killed))
	eventually(t, func() bool { return len(b.workers()) == 0 }, "the end of that login's worker")
	waiting := b.spare()
	client := b.open(launcher)
	if worker := b.worker(); worker != waiting {
		t.Errorf("the login has process %d, want %d, which waited", worker, waiting)
	}
	logsOut(t, client)
	if strings.Contains(b.log.String(), "swept") {
		t.Errorf("a login is swept that there was not:\n%s", b.log)
	}
}

// What the agent has said by then is said to the next one.
func TestALoginIsNotLostToASpareThatDoesNotTakeIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		killed bool
		says   string
	}{{"killed", true, "was ended by SIGKILL"}, {"stopped", false, "did not answer, and was ended by SIGKILL"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t).broker("--policy", policyFile(t, `service { name: "sshd" } limits { logins: 1 }`))
			launcher := b.launcher()
			waiting := b.spare()
			syscall.Kill(waiting, syscall.SIGSTOP)
			conn, err := launcher.Launch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.killed {
				syscall.Kill(waiting, syscall.SIGKILL)
			}
			client, err := ipc.NewClient(t.Context(), conn, ipc.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if worker := b.worker(); worker == waiting {
				t.Error("the login has the process that was stopped")
			}
			if results, err := client.Login(t.Context(), loginOf(b.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
				t.Fatalf("%q, %v", show(results), err)
			}
			b.logs(fmt.Sprintf("spare worker %d %s: logins go on", waiting, c.says))
			logsOut(t, client)
			waitCalls(t, b.user, whole)
		})
	}
}

func TestNoSpareIsLeftBehindTheBroker(t *testing.T) {
	for _, c := range []struct {
		name string
		ends func(b *brokered)
	}{
		{"the broker is killed", func(b *brokered) { b.signal(syscall.SIGKILL); b.exits(-1); syscall.Kill(b.agent, syscall.SIGKILL) }},
		{"the agent is killed", func(b *brokered) { syscall.Kill(b.agent, syscall.SIGKILL); b.exits(137) }},
		{"the agent ends", func(b *brokered) { fmt.Fprintln(b.wire, "exit 0"); b.exits(0) }},
		{"the control socket ends", func(b *brokered) { b.control.CloseWrite() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t).broker("--spare", "2")
			waiting := b.spares(2)
			c.ends(b)
			for _, pid := range waiting {
				gone(t, pid)
			}
			if text := b.log.String(); strings.Contains(text, "spare") {
				t.Errorf("the log speaks of spares:\n%s", text)
			}
		})
	}
}

func TestTheDeadlineOfALoginDoesNotRunForASpare(t *testing.T) {
	t.Parallel()
	const deadline = time.Second
	b := newGround(t).broker("--policy", policyFile(t, `service { name: "sshd" } deadlines { login: 1 }`))
	launcher := b.launcher()
	for range 2 {
		waiting := b.spare()
		ready := time.Now()
		eventually(t, func() bool { return time.Since(ready) > deadline*3/2 }, "a spare that is older than a login may be")
		client := b.open(launcher)
		if worker := b.worker(); worker != waiting {
			t.Errorf("the login has process %d, want %d, which waited", worker, waiting)
		}
		logsOut(t, client)
	}
	b.spare()
	conn, err := launcher.Launch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	conn.SetReadDeadline(began.Add(patience))
	said, err := io.ReadAll(conn)
	if took := time.Since(began); err != nil || took < deadline*9/10 || !strings.Contains(string(said), "before its deadline") {
		t.Errorf("of a login in which nothing is said: %q, %v after %s; want its deadline to end it after %s", said, err, took, deadline)
	}
}
