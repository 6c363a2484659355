package realpam_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// loginUnderBroker is the command line of "agent login" under a broker.
func (g *ground) loginUnderBroker(args ...string) *exec.Cmd {
	g.t.Helper()
	name, _ := g.agentUser()
	words := append([]string{"broker", "--user", name, "--", agent, "login", "--rhost", remote}, args...)
	cmd := exec.Command(g.helper, words...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	return cmd
}

// childOf waits for the one child of a process that is called with a word.
func childOf(t *testing.T, pid int, word string) int {
	t.Helper()
	var found []int
	eventually(t, func() bool {
		found = childrenOf(t, pid, word)
		return len(found) == 1
	}, "a child of %d that is called with %q", pid, word)
	return found[0]
}

// asks waits for the password prompt of an agent that is the broker's.
func (p *pty) asks(prompt string) {
	p.t.Helper()
	p.shows(prompt)
	of := &pty{t: p.t, cmd: &exec.Cmd{Process: &os.Process{Pid: childOf(p.t, p.cmd.Process.Pid, agent+"\x00")}}}
	eventually(p.t, of.waits, "an agent that waits for an answer")
}

func TestAShellThroughAnAgentWithoutPrivileges(t *testing.T) {
	t.Parallel()
	g := newGround(t, asking)
	p := newTerminal(t)
	p.quiet()
	p.resize(91, 31)
	p.run(g.loginUnderBroker(g.user))
	p.asks("Password: ")
	p.typed("anything\n")
	p.shows("$ ")
	p.typed("id -u; stty size; exit 3\n")
	p.ends(3)
	if text := p.String(); !strings.Contains(text, fmt.Sprintf("\n%d\r\n", g.uid)) || !strings.Contains(text, "31 91") {
		t.Errorf("the terminal shows %q, want uid %d and its size", text, g.uid)
	}
	waitCalls(t, g.user, whole)
}

func TestTheWindowsSizeReachesTheShellThroughTheBroker(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := newTerminal(t)
	p.quiet()
	p.resize(80, 24)
	p.run(g.loginUnderBroker(g.user))
	p.shows("$ ")
	p.typed("trap 'stty size; exit 4' WINCH; sleep 1000 & echo rea''dy; wait\n")
	p.shows("ready\r\n")
	p.resize(91, 31)
	p.shows("31 91")
	p.ends(4)
}

func TestACommandThroughABrokerAsksOnTheTerminal(t *testing.T) {
	for _, c := range []struct {
		name   string
		stdin  bool // is the terminal
		stderr bool
		status int
	}{{"standard input", true, false, 4}, {"standard error", false, true, 4}, {"none", false, false, 2}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, asking)
			p := newTerminal(t)
			p.quiet()
			cmd := g.loginUnderBroker(g.user, "--", "sh", "-c", "id -u; exit 4")
			var out workerLog
			var log fileLog
			cmd.Stdout = &out
			if c.stdin {
				cmd.Stdin = p.slave
			}
			if c.stderr {
				cmd.Stderr = p.slave
			} else {
				log = logTo(t, cmd)
			}
			p.runBeside(cmd)
			want := ""
			if c.status == 4 {
				p.asks("Password: ")
				p.typed("anything\n")
				want = id(g.uid)
			}
			p.ends(c.status)
			if out.String() != want {
				t.Errorf("standard output: got %q, want %q; the terminal %q, the log %q", out.String(), want, p, log)
			}
		})
	}
}

func TestCtrlCAtAQuestionUnderABroker(t *testing.T) {
	t.Parallel()
	g := newGround(t, asking)
	p := newTerminal(t)
	p.quiet()
	p.run(g.loginUnderBroker(g.user, "--", "true"))
	p.asks("Password: ")
	p.typed("\x03")
	p.ends(128 + int(syscall.SIGINT))
	waitCalls(t, g.user, "authenticate(0x1)")
}

func TestCtrlCReachesTheCommandUnderABroker(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := newTerminal(t)
	p.quiet()
	p.run(g.loginUnderBroker(g.user, "--", "exec", "sleep", "1000"))
	eventually(t, func() bool {
		return len(processesOf(g.uid)) == 1 && strings.Contains(describe(processesOf(g.uid))[0], " sleep")
	}, "the command")
	p.typed("\x03")
	p.ends(128 + int(syscall.SIGINT))
	waitCalls(t, g.user, whole)
}

func TestALoginEndsWhenItsBrokerIsGone(t *testing.T) {
	for _, c := range []struct {
		name, shows string
		stack       []string
		calls       string
	}{
		{"in a shell", "$ ", nil, whole},
		{"at a question", "Password: ", []string{asking}, "authenticate(0x1)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, c.stack...)
			p := newTerminal(t)
			p.quiet()
			// The terminal is that of a shell, as it is for a person: when the leader
			// of its session dies it hangs up.
			login := g.loginUnderBroker(g.user)
			shell := exec.Command("sh", append([]string{"-c", `"$@"; echo; read line`, "sh"}, login.Args...)...)
			shell.Env = login.Env
			p.run(shell)
			p.shows(c.shows)
			broker := childOf(t, p.cmd.Process.Pid, "broker\x00")
			agent := childOf(t, broker, agent+"\x00")
			began := time.Now()
			syscall.Kill(broker, syscall.SIGKILL)
			p.shows("the broker is gone: the login ends in 5s")
			if !alive(agent) {
				t.Error("the agent ended at once, want some time for the person")
			}
			gone(t, agent)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the login ended after %s, want 10 s at most", took)
			}
			p.shows("the login was ended")
			if after := *p.mode(); after != p.before {
				t.Errorf("terminal mode: got %+v, want %+v as before", after, p.before)
			}
			eventually(t, func() bool { return len(recordsIn(t, g.records)) == 0 && len(processesOf(g.uid)) == 0 }, "nothing open")
			waitCalls(t, g.user, c.calls)
		})
	}
}

func TestABrokerGoesOnWhenItsBinaryIsReplaced(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	// The helper of this test is its own file, in its own place.
	place := public(t)
	if err := command("cp", pamhelper, place+"/pamhelper"); err != nil {
		t.Fatal(err)
	}
	mounts := strings.TrimSuffix(g.helper, "pamhelper") + "mounts"
	helper := strings.TrimSuffix(g.helper, "pamhelper") + "own"
	writeFile(t, helper, "#!/bin/sh\nexec unshare --mount sh -c '. \"$0\"; exec \"$@\"' '"+mounts+"' '"+place+"/pamhelper' \"$@\"\n")
	if err := os.Chmod(helper, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &brokered{ground: g}
	var name string
	name, b.agentUID = g.agentUser()
	b.cmd = g.brokerCommand(name, nil, roleRelay)
	b.cmd.Path, b.cmd.Args[0] = helper, helper
	b.begin()
	launcher := b.launcher()

	replaced := place + "/new"
	writeFile(t, replaced, "#!/bin/sh\necho this is another version >&2; exit 9\n")
	if err := errors.Join(os.Chmod(replaced, 0o755), os.Rename(replaced, place+"/pamhelper")); err != nil {
		t.Fatal(err)
	}
	client := b.open(launcher)
	p, _ := start(t, client, "echo ready; sleep 1000")
	if err := os.Remove(place + "/pamhelper"); err != nil {
		t.Fatal(err)
	}
	// Sweep, and what it starts in its turn, come from the open file as well.
	syscall.Kill(b.worker(), syscall.SIGKILL)
	gone(t, p.PID)
	b.nothingIsOpen(whole)
	again := b.open(launcher)
	if _, err := again.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Errorf("a login with the binary removed: %v", err)
	}
	if strings.Contains(b.log.String(), "another version") {
		t.Errorf("the new file was run:\n%s", b.log)
	}
}

// id is what id -u says.
func id(uid int) string { return fmt.Sprintln(uid) }
