package realpam_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// launchers are the ways to a worker, each for a ground of its own. A policy goes to
// the helper where it is not empty.
var launchers = []struct {
	name   string
	launch func(g *ground, policy string) ipc.Launcher
}{
	{"exec", func(g *ground, policy string) ipc.Launcher {
		if policy == "" {
			return ipc.Exec{Path: g.helper}
		}
		return ipc.Exec{Path: g.helper, Args: []string{"--policy", policy}}
	}},
	{"broker", func(g *ground, policy string) ipc.Launcher {
		if policy == "" {
			return g.broker().launcher()
		}
		return g.broker("--policy", policy).launcher()
	}},
	{"unix", (*ground).socketUnit},
}

// socketUnit is what a socket unit with Accept=yes does: a worker for each connection.
func (g *ground) socketUnit(policy string) ipc.Launcher {
	g.t.Helper()
	path := filepath.Join(g.t.TempDir(), "socket")
	words := []string{"--accept", "--listen", path, g.helper, "worker"}
	if policy != "" {
		words = append(words, "--policy", policy)
	}
	cmd := exec.Command("systemd-socket-activate", words...)
	log := logTo(g.t, cmd)
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if g.t.Failed() {
			g.t.Logf("the log of the socket's workers:\n%s", log)
		}
	})
	eventually(g.t, func() bool { _, err := os.Stat(path); return err == nil }, "the socket %s; the log: %s", path, log)
	eventually(g.t, func() bool {
		conn, err := net.Dial("unix", path) // bound is not listening yet
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, "somebody who listens on %s", path)
	return ipc.Unix{Path: path}
}

// overAll runs a test over each of them.
func overAll(t *testing.T, policy string, test func(t *testing.T, g *ground, launcher ipc.Launcher), stack ...string) {
	for _, l := range launchers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, stack...)
			file := ""
			if policy != "" {
				file = policyFile(t, policy)
			}
			test(t, g, l.launch(g, file))
		})
	}
}

func TestALoginOverEachLauncher(t *testing.T) {
	overAll(t, "", func(t *testing.T, g *ground, launcher ipc.Launcher) {
		who := &person{answers: []string{"anything"}}
		client, err := ipc.Dial(t.Context(), launcher, ipc.Options{Conversation: who})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		results, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
		if err != nil {
			t.Fatalf("got %q, %v", show(results), err)
		}
		if len(who.said) != 1 || !strings.HasPrefix(who.said[0], "prompt echo=false") {
			t.Errorf("asked: got %q, want one hidden prompt", who.said)
		}
		if got := runIn(t, client, "tr a-z A-Z; id -u; exit 3", "through pipes\n"); got.exit.Status != 3 || got.stdout != fmt.Sprintf("THROUGH PIPES\n%d\n", g.uid) {
			t.Errorf("a command over pipes: got %+v", got)
		}
		p, _ := start(t, client, "stty size; echo ready; read line; exit 4")
		if err := p.Resize(ipc.Size{Columns: 91, Rows: 31}); err != nil {
			t.Errorf("the terminal's master side cannot be used: %v", err)
		}
		p.Master.WriteString("go on\n")
		if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 4 {
			t.Errorf("a process on a terminal: got %+v, %v; want status 4", exit, err)
		}
		if results, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
			t.Errorf("the end: got %q, %v", show(results), err)
		}
		waitCalls(t, g.user, whole)
	}, asking)
}

func TestAnAgentThatLeavesOverEachLauncher(t *testing.T) {
	overAll(t, "", func(t *testing.T, g *ground, launcher ipc.Launcher) {
		client, err := ipc.Dial(t.Context(), launcher, ipc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
			t.Fatal(err)
		}
		p, _ := start(t, client, "echo ready; sleep 1000")
		client.Close()
		gone(t, p.PID)
		waitCalls(t, g.user, whole)
	})
}

func TestALaunchWhoseContextHasEndedOverEachLauncher(t *testing.T) {
	overAll(t, "", func(t *testing.T, g *ground, launcher ipc.Launcher) {
		gaveUp := errors.New("gave up")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gaveUp)
		if _, err := ipc.Dial(ctx, launcher, ipc.Options{}); !errors.Is(err, gaveUp) {
			t.Errorf("got %v, want %v", err, gaveUp)
		}
		// Those that are cancelled in the middle leave nothing behind for the next.
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				if client, err := ipc.Dial(ctx, launcher, ipc.Options{}); err == nil {
					client.Close()
				}
			})
		}
		all.Wait()
		client, err := ipc.Dial(t.Context(), launcher, ipc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if results, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.End); err != nil {
			t.Errorf("the next login: got %q, %v", show(results), err)
		}
	})
}

// oneLogin admits one login at a time.
const oneLogin = `service { name: "sshd" } limits { logins: 1 }`

func TestTooManyLoginsOverEachLauncher(t *testing.T) {
	overAll(t, oneLogin, func(t *testing.T, g *ground, launcher ipc.Launcher) {
		// A connection that found out whether the socket listens may still be leaving.
		var client *ipc.Client
		eventually(t, func() (begun bool) {
			var err error
			if client, err = ipc.Dial(t.Context(), launcher, ipc.Options{}); err != nil {
				return false
			}
			if _, err = client.Begin(t.Context(), loginOf(g.user)); err != nil {
				client.Close()
			}
			return err == nil
		}, "the first login")
		defer client.Close()
		second, err := ipc.Dial(t.Context(), launcher, ipc.Options{})
		if err == nil {
			defer second.Close()
			_, err = second.Begin(t.Context(), loginOf(g.user))
		}
		var busy *ipc.BusyError
		if !errors.As(err, &busy) || busy.RetryAfter <= 0 {
			t.Errorf("the second login: got %v, want a BusyError with a hint", err)
		}
	})
}

func TestAHelperThatIsNotThereOverEachLauncher(t *testing.T) {
	ready(t)
	for _, c := range []struct {
		launcher ipc.Launcher
		says     string
	}{
		{ipc.Exec{Path: "/no/helper"}, "/no/helper"},
		{ipc.Unix{Path: "/no/socket"}, "systemctl start pamhelper.socket"},
	} {
		if _, err := ipc.Dial(t.Context(), c.launcher, ipc.Options{}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%#v: got %v, want that it does not exist, and %q", c.launcher, err, c.says)
		}
	}
	b := newGround(t).broker()
	launcher := b.launcher()
	b.cmd.Process.Kill()
	<-launcher.Done()
	if _, err := ipc.Dial(t.Context(), launcher, ipc.Options{}); !errors.Is(err, ipc.ErrBrokerGone) {
		t.Errorf("a broker that was killed: got %v, want %v", err, ipc.ErrBrokerGone)
	}
}

func TestASocketOfAnotherUserIsNotTrusted(t *testing.T) {
	t.Parallel()
	ready(t)
	dir := public(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := dir + "/socket"
	cmd := exec.Command("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
		"systemd-socket-activate", "--accept", "--listen", path, "/bin/cat")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	var err error
	eventually(t, func() bool {
		_, err = ipc.Unix{Path: path}.Launch(t.Context())
		return !errors.Is(err, os.ErrNotExist) && (err == nil || !strings.Contains(err.Error(), "nobody listens"))
	}, "somebody who listens")
	if err == nil || !strings.Contains(err.Error(), "uid 65534 listens there") {
		t.Errorf("got %v, want a refusal that names the uid", err)
	}
}
