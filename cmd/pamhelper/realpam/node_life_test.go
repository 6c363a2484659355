package realpam_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keptAlive is the configuration of a node that asks clients for a sign of life each
// second, and gives them up behind so many that do not come.
func keptAlive(count int) string {
	return fmt.Sprintf("  keepalive_interval: 1s\n  keepalive_count_max: %d\n", count) + strings.TrimPrefix(passwords, "\n")
}

// elsewhere is another machine on a network of its own with this one.
type elsewhere struct {
	t       *testing.T
	pid     int
	address string // this machine's on that network
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	ready(t)
	number := int(ports.Add(1))
	e := &elsewhere{t: t, address: fmt.Sprintf("10.9.%d.1", number%256)}
	holder := exec.Command("sleep", "infinity")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the link goes with the network
		holder.Process.Kill()
		holder.Wait()
	})
	e.pid = holder.Process.Pid
	near := fmt.Sprintf("near%d", number)
	for _, line := range []string{
		fmt.Sprintf("ip link add %s type veth peer name far netns %d", near, e.pid),
		fmt.Sprintf("ip address add %s/24 dev %s", e.address, near),
		"ip link set " + near + " up",
		e.there(strings.Replace("ip address add ADDRESS/24 dev far", "ADDRESS", strings.TrimSuffix(e.address, "1")+"2", 1)),
		e.there("ip link set far up"),
	} {
		if err := command("sh", "-c", line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return e
}

// there is a line of shell for that machine.
func (e *elsewhere) there(line string) string {
	return fmt.Sprintf("nsenter --net=/proc/%d/ns/net %s", e.pid, line)
}

// from lets a client run on that machine.
func (e *elsewhere) from(cmd *exec.Cmd) *exec.Cmd {
	e.t.Helper()
	moved := exec.Command("nsenter", append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", e.pid)}, cmd.Args...)...)
	moved.Env, moved.Stdin = cmd.Env, cmd.Stdin
	return moved
}

// unplug takes that machine off the network. Nobody is told.
func (e *elsewhere) unplug() {
	e.t.Helper()
	if err := command("sh", "-c", e.there("ip link set far down")); err != nil {
		e.t.Fatal(err)
	}
}

// TestALoginIsUndoneWhoseClientVanishes without a word: off the network, or stopped;
// and whether its process writes or waits.
func TestALoginIsUndoneWhoseClientVanishes(t *testing.T) {
	t.Parallel()
	const writes, waits = "echo rea''dy; while echo more; do sleep 0.05; done", "echo rea''dy; exec sleep 1000"
	for name, c := range map[string]struct {
		user, line string
		unplugged  bool
		args       []string
	}{
		"unplugged where nothing is said": {"node20", waits, true, []string{"-T"}},
		"unplugged in its output":         {"node21", writes, true, []string{"-tt"}},
		"stopped":                         {"node22", writes, false, []string{"-T"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, e := newNode(t), newElsewhere(t)
			n.host = e.address
			writeFile(t, n.path("known_hosts"), fmt.Sprintf("[%s]:%d %s", n.host, n.port, readFile(t, n.path("host.pub"))))
			n.configure(keptAlive(2))
			n.start(counting(t))
			who := byPassword(c.user, "password", password)
			who.args, who.line = c.args, c.line
			cmd := e.from(n.ssh(who))
			var shown workerLog
			cmd.Stdout = &shown
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				cmd.Process.Kill()
				cmd.Wait()
			})
			eventually(t, func() bool { return strings.Contains(shown.String(), "ready") }, "a command that runs: %s", &shown)
			if c.unplugged {
				e.unplug()
			} else {
				cmd.Process.Signal(syscall.SIGSTOP)
			}
			since := time.Now()
			n.logs("closed: the client gives no sign of life")
			// The last sign of life that is missed may have been asked for just before.
			if took := time.Since(since); took < 1500*time.Millisecond {
				t.Errorf("given up after %s, want it asked for twice", took)
			}
			waitCalls(t, c.user, wholeLogin)
			n.logs("msg=logout")
			eventually(t, func() bool { return len(processesOf(uidOf(t, c.user))) == 0 }, "the end of all processes of %s", c.user)
			if !alive(cmd.Process.Pid) {
				t.Error("the client has ended, want it to be there and unheard")
			}
		})
	}
}

// TestAClientThatOnlyListensIsNotGivenUp: that each refuses what it is asked is a sign of
// life, as good as any. The time is several times that
// behind which it would be given up.
func TestAClientThatOnlyListensIsNotGivenUp(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), keptAlive(1))
	const idle = "sleep 5; echo still there"
	c := byPassword("node23", "password", password)
	c.args, c.line = []string{"-v"}, idle
	openssh := n.ssh(c)
	for name, cmd := range map[string]*exec.Cmd{"ssh": openssh, "plink": n.plink("node23", idle), "dbclient": n.dbclient("node23", idle)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runCmd(t, cmd)
			r.expect(t, 0, "still there\n", "")
			if asked := strings.Count(r.stderr, "rtype keepalive@openssh.com want_reply 1"); cmd == openssh && asked < 3 {
				t.Errorf("ssh was asked %d times, want at least 3; it says\n%s", asked, r.stderr)
			}
		})
	}
}
