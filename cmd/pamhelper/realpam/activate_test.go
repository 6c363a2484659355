package realpam_test

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// activated is systemd-socket-activate with a socket: it hands over descriptors as
// systemd does, and says how the workers end.
type activated struct {
	unixSocket
	t    *testing.T
	says workerLog
}

// activate starts one. Its arguments say how it hands over.
func activate(t *testing.T, helper string, args ...string) *activated {
	t.Helper()
	ready(t)
	a := &activated{t: t, unixSocket: unixSocket(public(t) + "/socket")}
	args = append(args, "--listen="+string(a.unixSocket), "--setenv=NOTIFY_SOCKET=/run/x", "--setenv=INVOCATION_ID=x", helper, "worker")
	cmd := exec.Command("systemd-socket-activate", args...)
	cmd.Stdout, cmd.Stderr = &a.says, &a.says
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // when the workers have closed the log, too
		if t.Failed() {
			t.Logf("systemd-socket-activate and the workers say:\n%s", &a.says)
		}
	})
	eventually(t, func() bool { return strings.Contains(a.says.String(), "Listening on ") }, "a socket that is listened on: %s", &a.says)
	return a
}

// accepting is how a socket unit with Accept=yes hands over.
var accepting = []string{"--accept", "--fdname=connection"}

// ended waits until a worker has ended so: "code 0", and "code 11" for signal 11.
func (a *activated) ended(how string) {
	a.t.Helper()
	eventually(a.t, func() bool { return strings.Contains(a.says.String(), " died with "+how+"\n") }, "a worker that died with %s: %s", how, &a.says)
}

func TestTwoLoginsAtOnceOverASocketThatSystemdAccepts(t *testing.T) {
	t.Parallel()
	a := activate(t, pamhelper, accepting...)
	first, second := a.open(t, "activated1"), a.open(t, "activated2")
	for user, client := range map[string]*ipc.Client{"activated1": first, "activated2": second} {
		expectOutput(t, client, "id -un; cd /proc/self/fd && echo *", user+"\n0 1 2 3\n")
		expectNothingOfSystemd(t, user, runIn(t, client, "env", "").stdout)
		p, _ := start(t, client, "tty; echo ready; read -r line")
		p.Master.WriteString("go on\n")
		if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 0 {
			t.Errorf("a process of %s on a terminal: got %+v, %v; want status 0", user, exit, err)
		}
		endLogin(t, client, user)
		waitCalls(t, user, wholeLogin)
	}
	a.ended("code 0")
}

func TestTheStatusOfAWorkerThatSystemdStarts(t *testing.T) {
	t.Parallel()
	module := hostile(t)
	for _, c := range []struct {
		name, helper string
		login        ipc.Login
		wanted       any
		ends         string
	}{
		{"a wrong password", pamhelper, loginOf("activated3"), new(ipc.Code), "code 0"},
		{"a service that is not served", pamhelper, ipc.Login{Service: "su", User: "activated3", Rhost: remote}, new(*ipc.RefusedError), "code 3"},
		{"a module that crashes", helperWith(t, "auth required "+module+" segv", nil), loginOf("activated3"), new(*ipc.CrashError), "code 11"},
		{"a module that exits", helperWith(t, "auth required "+module+" exit", nil), loginOf("activated3"), new(*ipc.CrashError), "code 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := activate(t, c.helper, accepting...)
			a.refusedWith(t, &person{answers: []string{"wrong"}}, c.login, c.wanted)
			a.ended(c.ends)
		})
	}
}

func TestAPeerThatSaysNothingCostsAWorkerThatEndsWithIt(t *testing.T) {
	t.Parallel()
	a := activate(t, pamhelper, accepting...)
	silent, err := a.Launch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	endLoginOf(t, a.open(t, "activated4")) // which it does not keep from being served
	if n := strings.Count(a.says.String(), " died with "); n > 1 {
		t.Errorf("%d workers have ended, want the silent one's to wait", n)
	}
	silent.Close()
	eventually(t, func() bool { return strings.Count(a.says.String(), " died with code 0\n") == 2 }, "the end of both workers: %s", &a.says)
}

// TestASocketOfAnotherKindIsRefusedInWords: it must not be served again and again.
func TestASocketOfAnotherKindIsRefusedInWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"Accept=no", nil, "set Accept=yes in the socket unit"},
		{"packets", []string{"--accept", "--seqpacket"}, "ListenStream= with a path"},
		{"standard input and output", []string{"--accept", "--inetd"}, "by an agent or a socket unit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := activate(t, pamhelper, c.args...)
			network := "unix"
			if strings.Contains(fmt.Sprint(c.args), "seqpacket") {
				network = "unixpacket"
			}
			a.connects(network)
			eventually(t, func() bool { return strings.Contains(a.says.String(), c.says) }, "a worker that says %q: %s", c.says, &a.says)
		})
	}
}

// TestSweepBesideALoginOfSystemds is what ExecStopPost= does.
func TestSweepBesideALoginOfSystemds(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	a := activate(t, g.helper, accepting...)
	client := a.dial(t, &person{})
	if results, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatalf("got %q, %v", show(results), err)
	}
	g.swept(0)
	var pid int
	fmt.Sscanf(after(a.says.String(), "\npid="), "%d\n", &pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill worker %d: %v", pid, err)
	}
	gone(t, pid)
	if _, err := client.Do(t.Context(), ipc.CloseSession); !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("got %v, want %v", err, ipc.ErrHelperDied)
	}
	g.swept(0, "closed")
	waitCalls(t, g.user, whole)
}

func (a *activated) connects(network string) {
	a.t.Helper()
	conn, err := net.Dial(network, string(a.unixSocket))
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { conn.Close() })
}
