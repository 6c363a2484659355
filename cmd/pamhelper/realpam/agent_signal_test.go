package realpam_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

var passedSignals = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT,
	"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "TERM": syscall.SIGTERM,
}

func TestAgentPassesSignalsToACommand(t *testing.T) {
	t.Parallel()
	for name, signal := range passedSignals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := overPipes(t, pamhelper, "alice", "--", "exec", "sh", "-c", "trap 'echo got it; exit 5' "+name+"; echo ready; sleep 1000 & wait")
			eventually(t, func() bool { return p.stdout.String() == "ready\n" }, "ready, got %q", &p.stdout)
			p.cmd.Process.Signal(signal)
			p.ran().expect(t, 5, "ready\ngot it\n", "")
		})
	}
}

func TestACommandThatASignalEndsEndsTheAgent(t *testing.T) {
	t.Parallel()
	p := overPipes(t, pamhelper, "alice", "--", "sh", "-c", "echo ready; exec sleep 1000")
	eventually(t, func() bool { return p.stdout.String() == "ready\n" }, "ready, got %q", &p.stdout)
	p.cmd.Process.Signal(syscall.SIGQUIT)
	p.ran().expect(t, 131, "ready\n", "the process was ended by SIGQUIT")
}

func TestAgentInsistsWhereACommandDoesNotHeedASecondSignal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		user   string
		signal syscall.Signal
	}{{"piped3", syscall.SIGINT}, {"piped4", syscall.SIGTERM}} {
		t.Run(c.user, func(t *testing.T) {
			t.Parallel()
			p := overPipes(t, pamhelper, c.user, "--", "exec", "sh", "-c", "trap 'echo got it' INT TERM; echo ready; while :; do sleep 1000 & wait; done")
			eventually(t, func() bool { return p.stdout.String() == "ready\n" }, "ready, got %q", &p.stdout)
			ended := func() bool { return strings.Contains(p.stderr.String(), "agent: ended by") }
			// Where this machine is slow the second comes too late, and a third is needed.
			for sent := 1; !ended(); sent++ {
				p.cmd.Process.Signal(c.signal)
				eventually(t, func() bool { return ended() || strings.Count(p.stdout.String(), "got it\n") == sent },
					"signal %d, got %q and %q", sent, &p.stdout, &p.stderr)
			}
			r := p.ran()
			if want := 128 + int(c.signal); r.status != want || !strings.Contains(r.stdout, "got it\n") {
				t.Errorf("got status %d and %q, want %d and that the first signal reached the command", r.status, r.stdout, want)
			}
			waitCalls(t, c.user, wholeLogin)
		})
	}
}

// TestCtrlCEndsACommandOverPipes: the command is in a builtin, since dash loses
// the signal where it is just about to run another program.
func TestCtrlCEndsACommandOverPipes(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, "alice", "--", "sh", "-c", "echo ready; read line")...)
	p.answers(password)
	p.shows("ready")
	p.typed("\x03")
	p.ends(130)
}

func TestCtrlDEndsTheInputOfACommandOverPipes(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, "alice", "--", "sh", "-c", "echo ready; cat; exit 3")...)
	p.answers(password)
	p.shows("ready")
	p.typed("a line\n\x04")
	p.ends(3)
	p.shows("a line\r\n")
}

// TestTheTerminalIsWhatItWasHoweverTheShellEnds also reads from the modules that
// the session was closed.
func TestTheTerminalIsWhatItWasHoweverTheShellEnds(t *testing.T) {
	t.Parallel()
	agentGets := func(signal syscall.Signal) func(*pty) {
		return func(p *pty) { p.cmd.Process.Signal(signal) }
	}
	for _, c := range []struct {
		name, user string
		end        func(*pty)
		status     int
		says       string
	}{
		{"exit", "shell3", func(p *pty) { p.typed("exit 0\n") }, 0, ""},
		{"killed shell", "shell4", func(p *pty) { p.typed("kill -KILL $$\n") }, 137, "agent: the process was ended by SIGKILL"},
		{"SIGTERM", "shell5", agentGets(syscall.SIGTERM), 143, "agent: ended by SIGTERM"},
		{"SIGHUP", "shell6", agentGets(syscall.SIGHUP), 129, "agent: ended by SIGHUP"},
		{"SIGINT", "shell7", agentGets(syscall.SIGINT), 130, "agent: ended by SIGINT"},
		{"SIGQUIT", "shell8", agentGets(syscall.SIGQUIT), 131, "agent: ended by SIGQUIT"},
		// It ends the shell first, which the agent hears of.
		{"helper told to stop", "shell9", func(p *pty) { signalHelper(p, syscall.SIGTERM) }, 129, "agent: the helper was told to stop: the worker got SIGTERM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := atShell(t, withPID, c.user)
			c.end(p)
			p.ends(c.status)
			p.shows(c.says)
			waitCalls(t, c.user, wholeLogin)
		})
	}
}

func signalHelper(p *pty, signal syscall.Signal) {
	p.t.Helper()
	_, after, _ := strings.Cut(p.String(), "pid=")
	var pid int
	if _, err := fmt.Sscan(after, &pid); err != nil {
		p.t.Fatalf("no process id of the helper on the terminal: %s", p)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		p.t.Fatal(err)
	}
}

func TestTheTerminalIsWhatItWasWhenTheHelperIsKilled(t *testing.T) {
	t.Parallel()
	p := atShell(t, withPID, "shell10")
	signalHelper(p, syscall.SIGKILL)
	p.ends(255)
	p.shows("agent: the helper died in the middle of the login; to close the session: pamhelper sweep")
	run(t, "", pamhelper, "sweep")
	waitCalls(t, "shell10", wholeLogin)
}

func TestAKilledAgentsSessionIsClosed(t *testing.T) {
	t.Parallel()
	p := atShell(t, pamhelper, "piped5")
	p.cmd.Process.Signal(os.Kill)
	p.wait()
	waitCalls(t, "piped5", wholeLogin)
}

func TestAgentTerminatedWithAnOpenPrompt(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, agent, agentLogin(pamhelper, "sybil")...)
	p.atPrompt("Password: ", false)
	p.cmd.Process.Signal(os.Kill)
	p.wait()
	waitCalls(t, "sybil", "authenticate(0x1)")
}

func TestALostTerminalClosesTheSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, user, before string }{
		{"told by SIGHUP", "olivia", ""},
		{"SIGHUP ignored", "piped6", "trap '' HUP;"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			login := append([]string{"-c", c.before + ` exec "$@"`, "sh", agent}, agentLogin(pamhelper, c.user)...)
			p := onTerminal(t, "/bin/sh", login...)
			p.answers(password)
			p.atKeyboard()
			p.master.Close()
			p.wait()
			if got := p.cmd.ProcessState.ExitCode(); got != 129 {
				t.Errorf("exit status: got %d, want 129", got)
			}
			waitCalls(t, c.user, wholeLogin)
		})
	}
}
