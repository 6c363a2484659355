package realpam_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// The runtime of Go has one processor in such a worker, and the module never gives
// PAM's thread back: the deadlines are kept beside it all the same.
func TestAModuleThatHangsEndsItsLoginUnderABroker(t *testing.T) {
	for _, module := range []struct{ name, mode string }{{"spins", "loop"}, {"sleeps", "pause"}} {
		for _, spares := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s, %d spares", module.name, spares), func(t *testing.T) {
				t.Parallel()
				dir := public(t)
				g := newGround(t)
				g.service("chpasswd", "auth required pam_permit.so\naccount required pam_permit.so\n"+
					fmt.Sprintf("session required %s %s in=session log=%s/log pids=%[3]s/pids\n", hostile(t), module.mode, dir))
				b := g.broker("--spare", strconv.Itoa(spares), "--policy", policyFile(t,
					`service { name: "sshd" } service { name: "chpasswd" } limits { logins: 1 } deadlines { login: 1 close: 5 }`))
				launcher := b.launcher()
				waiting := b.spares(spares)
				worker := b.hangs(launcher)
				if spares == 1 && worker != waiting[0] {
					t.Errorf("the login had process %d, want %d, which waited", worker, waiting[0])
				}
				b.hasUndone(worker, dir)
				b.spares(spares)
				logsOut(t, b.open(launcher))
				waitCalls(t, b.user, whole)
			})
		}
	}
}

// hangs makes a login whose session module does not return, and returns the worker
// that it had.
func (b *brokered) hangs(launcher ipc.Launcher) (worker int) {
	b.t.Helper()
	began := time.Now()
	client, err := ipc.Dial(b.t.Context(), launcher, ipc.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	worker = b.worker()
	if got, want := readFile(b.t, fmt.Sprintf("/proc/%d/environ", worker)), strings.Join(ipc.WorkerEnvironment(), "\x00"); !strings.Contains(got, want) {
		b.t.Errorf("the worker was started with %q, want %q in it", got, want)
	}
	login := loginOf(b.user)
	login.Service = "chpasswd"
	results, err := client.Login(b.t.Context(), login, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	var hang *ipc.HangError
	if !errors.As(err, &hang) || hang.Module != "pam_hostile.so" || hang.File != "/etc/pam.d/chpasswd" || hang.Line != 3 {
		b.t.Errorf("the login ended with %v (%s), want that pam_hostile.so of line 3 does not return", err, show(results))
	}
	const deadlines = 6 * time.Second // of the login, and of closing it behind that
	if took := time.Since(began); took < deadlines || took > 2*deadlines {
		b.t.Errorf("given up after %s, want about %s", took, deadlines)
	}
	return worker
}

// hasUndone waits until nothing is left of a login whose module, which notes in dir
// what it does, did not return.
func (b *brokered) hasUndone(worker int, dir string) {
	b.t.Helper()
	gone(b.t, worker)
	children := strings.Fields(readFile(b.t, dir+"/pids"))
	if len(children) != 2 {
		b.t.Errorf("the module noted the children %q, want 2", children)
	}
	for _, child := range children {
		pid, err := strconv.Atoi(child)
		if err != nil {
			b.t.Fatal(err)
		}
		gone(b.t, pid)
		b.logs(fmt.Sprintf("[%d]: killing process %d, left running", worker, pid))
	}
	b.logs(fmt.Sprintf("[%d]", worker), "module pam_hostile.so (/etc/pam.d/chpasswd:3) does not return; the helper has ended without it")
	b.logs(fmt.Sprintf("worker %d ended with status 4 in the middle of a login: what it left open is swept", worker))
	b.logs(b.user + " through chpasswd: closed")
	if got, want := readFile(b.t, dir+"/log"), "open\nclose\n"; got != want {
		b.t.Errorf("the module's calls: got %q, want %q", got, want)
	}
}
