package realpam_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// start starts a command on a terminal and waits for the words "ready PID…",
// which it has to print; it returns the numbers.
func start(t *testing.T, client *ipc.Client, line string) (*ipc.Process, []int) {
	t.Helper()
	p, err := client.Start(t.Context(), ipc.Command{Line: line, Terminal: &ipc.Terminal{}})
	if err != nil {
		t.Fatalf("start %q: %v", line, err)
	}
	t.Cleanup(func() { p.Master.Close() })
	return p, readied(t, p.Master)
}

// readied reads up to the words "ready PID…".
func readied(t *testing.T, from *os.File) (pids []int) {
	t.Helper()
	var shown strings.Builder
	buf := make([]byte, 1)
	for !strings.HasSuffix(shown.String(), "\n") || !strings.Contains(shown.String(), "ready") {
		if _, err := from.Read(buf); err != nil {
			t.Fatalf("read %v after %q, want a line with ready", err, shown.String())
		}
		shown.Write(buf)
	}
	_, list, _ := strings.Cut(shown.String(), "ready")
	for _, word := range strings.Fields(list) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatalf("got %q, want process ids", list)
		}
		pids = append(pids, pid)
	}
	return pids
}

// drain keeps the terminal's buffer from holding up who writes to it.
func drain(p *ipc.Process) { go io.Copy(io.Discard, p.Master) }

// Each of these is left running when the agent closes the connection; the ground
// checks that nothing of it is left.
func TestWhatALoginLeftRunningIsEnded(t *testing.T) {
	for _, c := range []struct {
		name, line string
		left       int // processes, with the shell
	}{
		{"ignores the signals that ask", `trap "" HUP TERM INT; sh -c 'trap "" HUP TERM; while :; do sleep 1000; done' & echo ready; while :; do sleep 1000; done`, 4},
		{"is stopped", `(kill -STOP $(exec sh -c 'echo $PPID'); sleep 1000) & sleep 0.01; echo ready; kill -STOP $$; sleep 1000`, 2},
		{"is in the background with the terminal", `(sleep 1000 & sleep 1000 &) ; echo ready; sleep 1000`, 4},
		{"has a process group of its own", `set -m; sleep 1000 & sleep 1000 & echo ready; wait`, 3},
		{"is nohup", `nohup sleep 1000 >/dev/null 2>&1 & sleep 0.01; echo ready; wait`, 2},
		{"is a shell that is interactive", `sh -i -c 'sleep 1000 & echo ready; wait'`, 3},
		{"is a hundred", `i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done; echo ready; wait`, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			client, _ := g.open()
			p, _ := start(t, client, c.line)
			drain(p)
			eventually(t, func() bool { return len(processesOf(g.uid)) >= c.left-1 }, "the processes of the login")
			client.Close()
			if left := processesOf(g.uid); len(left) > 0 {
				t.Errorf("when the worker has gone: %q, want no process", describe(left))
			}
		})
	}
}

func TestABackgroundChildThatHoldsTheTerminalIsEndedAfterItsShell(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	p, child := start(t, client, `trap "" HUP; sleep 1000 & echo ready $!; exit 4`)
	if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 4 {
		t.Errorf("ended with %+v, %v; want status 4 though a child has the terminal", exit, err)
	}
	if !alive(child[0]) {
		t.Error("the child has ended with the shell, want it to run as long as the session does")
	}
	if owned := terminalsOf(t, g.uid); len(owned) > 0 {
		t.Errorf("terminals of the user after the shell's end: %q, want none", owned)
	}
	if _, err := client.Do(t.Context(), ipc.CloseSession); err != nil {
		t.Error(err)
	}
	if alive(child[0]) {
		t.Error("the child runs behind the session's end, want it ended")
	}
}

func TestProcessesWithAKernelSessionOfTheirOwnStay(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	p, own := start(t, client, `setsid sh -c 'echo ready $$; exec sleep 1000' & sleep 1000`)
	drain(p)
	g.survivors = own
	client.Close()
	if !alive(own[0]) {
		t.Error("a process that made a kernel session of its own was ended, want it to stay, as with sshd")
	}
}

func TestASetuidProgramIsEnded(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	program := setuidSleep(t)
	client, _ := g.open()
	p, pids := start(t, client, `trap "" HUP TERM; `+program+` 1000 & echo ready $!; wait`)
	drain(p)
	eventually(t, func() bool { return effectiveUID(pids[0]) == "0" }, "a setuid program that is root")
	client.Close()
	if alive(pids[0]) {
		t.Error("a setuid program outlives the login, want it ended")
	}
}

// RFC 4254 signals come with the user's rights: as with sshd, they reach a setuid
// program, whose real user is still this one.
func TestASetuidProgramIsSignalled(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	program := setuidSleep(t)
	client, _ := g.open()
	p, _ := start(t, client, `echo ready $$; exec `+program+` 1000`)
	drain(p)
	eventually(t, func() bool { return effectiveUID(p.PID) == "0" }, "a setuid program that is root")
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit, err := p.Wait(t.Context()); err != nil || exit.Signal != syscall.SIGTERM {
		t.Errorf("ended with %+v, %v; want SIGTERM", exit, err)
	}
}

// setuidSleep makes a sleep(1) that is root whoever starts it.
func setuidSleep(t *testing.T) string {
	t.Helper()
	program := public(t) + "/sleep"
	if err := errors.Join(command("cp", "/bin/sleep", program), os.Chmod(program, 0o755|os.ModeSetuid)); err != nil {
		t.Fatal(err)
	}
	return program
}

func effectiveUID(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, uids, _ := strings.Cut(string(status), "\nUid:")
	if fields := strings.Fields(uids); len(fields) > 1 {
		return fields[1]
	}
	return ""
}

func TestAForkBombIsEnded(t *testing.T) {
	for name, line := range map[string]string{
		// Each of 100 starts its successor and waits for it.
		"that respawns": `cat >$HOME/bomb <<'END'
trap "" HUP TERM
while :; do sleep 0.05 & wait; done
END
i=0; while [ $i -lt 100 ]; do sh $HOME/bomb & i=$((i+1)); done; echo ready; wait`,
		// Each of 4 has gone before its number can be used.
		"that moves on": `cat >$HOME/bomb <<'END'
trap "" HUP TERM
sh $HOME/bomb & exit
END
trap "" HUP TERM
i=0; while [ $i -lt 4 ]; do sh $HOME/bomb & i=$((i+1)); done; echo ready; wait; sleep 1000`,
		"that moves on in process groups of its own": `cat >$HOME/bomb <<'END'
trap "" HUP TERM
set -m
sh $HOME/bomb & exit
END
trap "" HUP TERM
i=0; while [ $i -lt 4 ]; do sh $HOME/bomb & i=$((i+1)); done; echo ready; wait; sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // with each other only
			g := newGround(t)
			client, log := g.open()
			p, err := client.Start(t.Context(), ipc.Command{Line: line, Terminal: &ipc.Terminal{}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Master.Close()
			readied(t, p.Master)
			drain(p)
			began := time.Now()
			client.Close()
			if strings.Contains(log.String(), "process") {
				t.Errorf("the worker's log: got\n%swant no word of processes that do not end", log)
			}
			for range 10 { // one look can miss those that move on
				if left := processesOf(g.uid); len(left) > 0 {
					t.Fatalf("when the worker has gone, after %s: %d processes, want none", time.Since(began), len(left))
				}
			}
		})
	}
}

func TestATerminalThatTheAgentLockedIsTakenBack(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	p, _ := start(t, client, "echo ready; read -r line")
	if err := unix.IoctlSetPointerInt(int(p.Master.Fd()), unix.TIOCSPTLCK, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Master.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 0 {
		t.Errorf("ended with %+v, %v; want status 0", exit, err)
	}
	if owned := terminalsOf(t, g.uid); len(owned) > 0 {
		t.Errorf("terminals of the user: %q, want none", owned)
	}
}

func TestASessionThatIsRefusedLeavesNoCredentials(t *testing.T) {
	for name, line := range map[string]string{
		"by a code":   "session required pam_deny.so",
		"by a script": "session required pam_exec.so quiet /bin/false",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, line)
			g.refused = 1
			client, _ := dialHelper(t, &person{}, g.helper)
			results, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
			var code ipc.Code
			if !errors.As(err, &code) || results[len(results)-1].Step != ipc.OpenSession {
				t.Errorf("got %q, %v; want a session that is refused", show(results), err)
			}
			if p, err := client.Start(t.Context(), ipc.Command{Line: "true", Terminal: &ipc.Terminal{}}); !errors.Is(err, ipc.ErrSkipped) {
				t.Errorf("a process without a session: got %v, %v; want %v", p, err, ipc.ErrSkipped)
			}
			if _, err := client.Do(t.Context(), ipc.End); err != nil {
				t.Error(err)
			}
			waitCalls(t, g.user, "authenticate(0x1) setcred(0x2) open_session(0) setcred(0x4)")
		})
	}
}

func TestASessionThatIsRefusedAndAnAgentThatLeaves(t *testing.T) {
	t.Parallel()
	g := newGround(t, "session required pam_deny.so")
	g.refused = 1
	client, _ := dialHelper(t, &person{}, g.helper)
	client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	client.Close()
	waitCalls(t, g.user, "authenticate(0x1) setcred(0x2) open_session(0) setcred(0x4)")
}

const closingFails = "session required pam_debug.so close_session=session_err"

func TestAFailingCloseDeletesTheCredentialsAllTheSame(t *testing.T) {
	for _, asked := range []bool{true, false} {
		t.Run(fmt.Sprintf("asked for %v", asked), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, closingFails)
			client, _ := g.open()
			p, _ := start(t, client, "echo ready; sleep 1000")
			if asked {
				if results, err := client.Do(t.Context(), ipc.CloseSession); !errors.Is(err, ipc.SessionErr) {
					t.Errorf("got %q, %v; want %v", show(results), err, ipc.SessionErr)
				}
				if results, err := client.Do(t.Context(), ipc.End); err != nil {
					t.Errorf("got %q, %v; want an end in order", show(results), err)
				}
			} else if results, err := client.Do(t.Context(), ipc.End); !errors.Is(err, ipc.SessionErr) {
				t.Errorf("got %q, %v; want %v", show(results), err, ipc.SessionErr)
			}
			if alive(p.PID) {
				t.Error("the shell outlives the session")
			}
			waitCalls(t, g.user, whole)
		})
	}
}

func TestSweepReportsWhatTheServiceSaidToTheClose(t *testing.T) {
	t.Parallel()
	g := newGround(t, closingFails)
	g.died()
	g.swept(0, "closed, and the service said PAM_SESSION_ERR")
	waitCalls(t, g.user, whole)
}
