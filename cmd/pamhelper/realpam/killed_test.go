package realpam_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// asking is a module that asks for a password and takes any.
const asking = "auth required pam_exec.so quiet expose_authtok /bin/true"

// held is a session module that waits in one call, until it is let go.
type held struct{ line, dir string }

func holding(t *testing.T, call string) held {
	t.Helper()
	dir := t.TempDir()
	return held{dir: dir, line: "session required pam_exec.so quiet " + script(t, fmt.Sprintf(`[ "$PAM_TYPE" = %s ] || exit 0
echo $$ >%s/called
while [ ! -e %s/go ]; do sleep 0.02; done
`, call, dir, dir))}
}

// called waits until the module waits, and returns the process that does.
func (h held) called(t *testing.T) (pid int) {
	t.Helper()
	eventually(t, func() bool {
		text, _ := os.ReadFile(h.dir + "/called")
		n, _ := fmt.Sscanf(string(text), "%d\n", &pid)
		return n == 1
	}, "the call of the module that waits")
	return pid
}

func (h held) letGo(t *testing.T) {
	t.Helper()
	writeFile(t, h.dir+"/go", "")
}

// swept runs a sweep that has to say this of each login, in order, and nothing
// else.
func (g *ground) swept(status int, says ...string) {
	g.t.Helper()
	r := run(g.t, "", g.helper, "sweep")
	lines := strings.FieldsFunc(r.stdout, func(c rune) bool { return c == '\n' })
	ok := r.status == status && len(lines) == len(says)
	for i, want := range says {
		ok = ok && strings.Contains(lines[i], " "+g.user+" through sshd: "+want)
	}
	if !ok {
		g.t.Errorf("sweep: got status %d and\n%s%swant status %d and %q", r.status, r.stdout, r.stderr, status, says)
	}
}

// whole is what pam_warn sees of a login that was opened and undone.
const whole = "authenticate(0x1) setcred(0x2) open_session(0) close_session(0) setcred(0x4)"

func TestAgentKilledInAPrompt(t *testing.T) {
	t.Parallel()
	g := newGround(t, asking)
	a := g.agent()
	a.says("prompt")
	worker := a.worker()
	a.killed()
	gone(t, worker)
	waitCalls(t, g.user, "authenticate(0x1)")
}

func TestAgentKilledWhileTheSessionIsOpened(t *testing.T) {
	t.Parallel()
	h := holding(t, "open_session")
	g := newGround(t, h.line)
	a := g.agent()
	h.called(t)
	worker := a.worker()
	a.killed()
	h.letGo(t)
	gone(t, worker)
	waitCalls(t, g.user, whole)
}

func TestAgentKilledWhileTheSessionIsOpenedByAModuleThatHangs(t *testing.T) {
	t.Parallel()
	h := holding(t, "open_session")
	g := newGround(t, h.line)
	a := g.agent()
	module := h.called(t)
	worker := a.worker()
	a.killed()
	gone(t, worker) // at the close deadline, which this agent made shorter
	gone(t, module)
	waitCalls(t, g.user, "authenticate(0x1) setcred(0x2) open_session(0)")
	g.swept(0, "closed")
	waitCalls(t, g.user, whole)
}

func TestAgentKilledWithAShellRunning(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a := g.agent()
	a.says("running")
	worker := a.worker()
	eventually(t, func() bool { return len(processesOf(g.uid)) > 1 }, "a shell and its child")
	a.killed()
	gone(t, worker)
	waitCalls(t, g.user, whole)
}

// kill kills the worker and waits for its end.
func killWorker(t *testing.T, log *workerLog) {
	t.Helper()
	pid := pidOf(t, log)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}

func TestWorkerKilledInAPrompt(t *testing.T) {
	t.Parallel()
	g := newGround(t, asking)
	p := &person{}
	client, log := dialHelper(t, p, g.helper)
	p.asked = func() { killWorker(t, log) }
	if results, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate); !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("got %q, %v; want %v", show(results), err, ipc.ErrHelperDied)
	}
	g.swept(0)
	waitCalls(t, g.user, "authenticate(0x1)")
}

// logIn does a login in the background, as far as the worker lets it.
func (g *ground) logIn(client *ipc.Client, steps ...ipc.Step) (ended chan error) {
	ended = make(chan error, 1)
	go func() {
		_, err := client.Login(g.t.Context(), loginOf(g.user), steps...)
		ended <- err
	}()
	return ended
}

func TestWorkerKilledWhileTheSessionIsOpened(t *testing.T) {
	t.Parallel()
	h := holding(t, "open_session")
	g := newGround(t, h.line)
	client, log := dialHelper(t, &person{}, g.helper)
	ended := g.logIn(client, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	module := h.called(t)
	killWorker(t, log)
	gone(t, module)
	if err := <-ended; !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("the login ended with %v, want %v", err, ipc.ErrHelperDied)
	}
	g.swept(0, "closed")
	waitCalls(t, g.user, whole)
}

func TestWorkerKilledWithCredentialsOnly(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := dialHelper(t, &person{}, g.helper)
	if results, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials); err != nil {
		t.Fatalf("got %q, %v", show(results), err)
	}
	killWorker(t, log)
	g.swept(0, "closed")
	waitCalls(t, g.user, "authenticate(0x1) setcred(0x2) setcred(0x4)")
}

func TestWorkerKilledWithAShellRunning(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := g.open()
	p, own := start(t, client, `trap "" HUP TERM; sleep 1000 & setsid sh -c 'echo ready $$; exec sleep 1000' & wait; sleep 1000`)
	g.survivors = own
	if got, want := inUtmp(t, p.Terminal), true; got != want {
		t.Errorf("%s in utmp: got %v, want %v", p.Terminal, got, want)
	}
	killWorker(t, log)
	if _, err := p.Wait(t.Context()); !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("the process: got %v, want %v", err, ipc.ErrHelperDied)
	}
	if !alive(p.PID) || len(terminalsOf(t, g.uid)) != 1 {
		t.Errorf("before the sweep: shell alive %v, terminals %q; want both as they were", alive(p.PID), terminalsOf(t, g.uid))
	}
	g.swept(0, "closed")
	// The agent still holds the master side: the terminal is there, and root's.
	if owned := terminalsOf(t, g.uid); len(owned) > 0 {
		t.Errorf("terminals of the user after the sweep: %q, want none", owned)
	}
	if alive(p.PID) || !alive(own[0]) {
		t.Errorf("after the sweep: shell alive %v, what made a session of its own %v; want only that", alive(p.PID), alive(own[0]))
	}
	if inUtmp(t, p.Terminal) {
		t.Errorf("%s is still in utmp", p.Terminal)
	}
	waitCalls(t, g.user, whole)
	g.swept(0)
}

// inUtmp reports whether who(1) shows a terminal: it does not look whether the
// process lives.
func inUtmp(t *testing.T, terminal string) bool {
	t.Helper()
	return strings.Contains(run(t, "", "who").stdout, strings.TrimPrefix(terminal, "/dev/")+" ")
}

func TestWorkerKilledWhileTheSessionIsClosed(t *testing.T) {
	t.Parallel()
	h := holding(t, "close_session")
	g := newGround(t, h.line)
	client, log := g.open()
	ended := make(chan error, 1)
	go func() {
		_, err := client.Do(t.Context(), ipc.CloseSession)
		ended <- err
	}()
	h.called(t)
	killWorker(t, log)
	if err := <-ended; !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("closing ended with %v, want %v", err, ipc.ErrHelperDied)
	}
	h.letGo(t)
	g.swept(0, "closed")
	waitCalls(t, g.user, "authenticate(0x1) setcred(0x2) open_session(0) close_session(0) close_session(0) setcred(0x4)")
}

func TestAUserWhoSetTheModeOfTheTerminalDoesNotKeepItWhenTheWorkerIsKilled(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := g.open()
	start(t, client, `sleep 0.05; chmod 666 $(tty); echo ready; sleep 1000`)
	killWorker(t, log)
	g.swept(0, "closed")
	if owned := terminalsOf(t, g.uid); len(owned) > 0 {
		t.Errorf("terminals of the user after the sweep: %q, want none", owned)
	}
}

// cannotClose is a stack whose module does not return from close, or crashes.
func TestAModuleThatHangsInCloseIsNamedAndSweepClosesLater(t *testing.T) {
	t.Parallel()
	h := holding(t, "close_session")
	g := newGround(t, h.line)
	ready(t)
	var log workerLog
	client, err := ipc.Dial(t.Context(), ipc.Exec{Path: g.helper, Log: &log}, ipc.Options{CloseTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if _, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatal(err)
	}
	p, _ := start(t, client, "echo ready; sleep 1000")
	began := time.Now()
	_, err = client.Do(t.Context(), ipc.CloseSession)
	var hang *ipc.HangError
	if !errors.As(err, &hang) || hang.Module != "pam_exec.so" {
		t.Errorf("got %v, want that pam_exec.so does not return", err)
	}
	if took := time.Since(began); took < 5*time.Second || took > 10*time.Second {
		t.Errorf("given up after %s, want about the 5 s that an agent may shorten it to", took)
	}
	gone(t, pidOf(t, &log))
	gone(t, h.called(t))
	if alive(p.PID) {
		t.Error("the shell outlives the hanging close")
	}
	if n := len(recordsIn(t, g.records)); n != 1 {
		t.Errorf("%d records, want the one of this login", n)
	}
	h.letGo(t)
	g.swept(0, "closed")
	waitCalls(t, g.user, "authenticate(0x1) setcred(0x2) open_session(0) close_session(0) close_session(0) setcred(0x4)")
}

func TestWorkerToldToStopEndsTheShell(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := g.open()
	p, _ := start(t, client, `trap "" HUP; echo ready; while :; do sleep 1000; done`)
	worker := pidOf(t, log)
	if err := syscall.Kill(worker, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit, err := p.Wait(t.Context()); err != nil || exit.Signal != syscall.SIGTERM {
		t.Errorf("the shell: got %+v, %v; want SIGTERM behind a SIGHUP that it ignores", exit, err)
	}
	gone(t, worker)
	waitCalls(t, g.user, whole)
}
