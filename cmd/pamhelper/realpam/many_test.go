package realpam_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// An agent that makes logins one after the other: how many, and after how many it
// says what it holds.
const (
	manyLogins = 1000
	firstLook  = 100
)

// mostGrowth is how much larger its heap may be at the end than at the first look,
// in bytes: about a hundred for each login between, which is less than a process or
// a connection takes, and more than the runtime's own heap varies.
const mostGrowth = 100 << 10

// beManyAgents makes the logins, with a process over descriptors and on a terminal
// in turn, and tells its descriptors, goroutines and heap.
func beManyAgents(helper, user string) error {
	for i := 1; i <= manyLogins; i++ {
		command := ipc.Command{Line: "exit 3"}
		if i%2 == 0 {
			command.Terminal = &ipc.Terminal{}
		}
		if err := loginOnce(helper, user, command); err != nil {
			return fmt.Errorf("login %d: %w", i, err)
		}
		if i == firstLook || i == manyLogins {
			fmt.Println("holds", holdings())
		}
	}
	return nil
}

func loginOnce(helper, user string, command ipc.Command) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := ipc.Dial(ctx, ipc.Exec{Path: helper}, ipc.Options{})
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Login(ctx, loginOf(user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		return err
	}
	p, err := client.Start(ctx, command)
	if err != nil {
		return err
	}
	if p.Master != nil {
		defer p.Master.Close()
	}
	if exit, err := p.Wait(ctx); err != nil || exit.Status != 3 {
		return fmt.Errorf("ended with %+v, %v", exit, err)
	}
	_, err = client.Do(ctx, ipc.CloseSession, ipc.End)
	return err
}

func holdings() string {
	var memory runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers of the first one let go
	runtime.ReadMemStats(&memory)
	files, _ := os.ReadDir("/proc/self/fd")
	return fmt.Sprint(len(files), runtime.NumGoroutine(), memory.HeapAlloc)
}

func TestAThousandLoginsLeaveNothingInTheAgent(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	g := newGround(t)
	log := g.t.TempDir() + "/calls"
	g.rewrite("/etc/pam.d/sshd", strings.ReplaceAll("auth required M\naccount required M\nsession required M\n", "M", hostile(t)+" nothing log="+log))
	began := time.Now()
	a := g.manyAgent()
	var first, last struct{ files, goroutines, heap int }
	fmt.Sscan(a.told("holds"), &first.files, &first.goroutines, &first.heap)
	fmt.Sscan(a.told("holds"), &last.files, &last.goroutines, &last.heap)
	t.Logf("%d logins in %s; after %d the agent holds %+v, in the end %+v", manyLogins, time.Since(began).Round(time.Second), firstLook, first, last)
	if first.files == 0 || last.files > first.files || last.goroutines > first.goroutines || last.heap > first.heap+mostGrowth {
		t.Errorf("after %d logins the agent holds %+v, after %d %+v; want no more descriptors and goroutines, and at most %d bytes more",
			firstLook, first, manyLogins, last, mostGrowth)
	}
	seen := map[string]int{}
	for _, call := range strings.Fields(readFile(t, log)) {
		seen[call]++
	}
	for _, call := range []string{"authenticate", "account", "establish", "open", "close", "delete"} {
		if seen[call] != manyLogins {
			t.Errorf("the module saw %s %d times, want %d", call, seen[call], manyLogins)
		}
	}
}

// manyAgent is an agent in the helper's own mount namespace, which saves making
// one for each login.
func (g *ground) manyAgent() *agentProcess {
	g.t.Helper()
	dir := filepath.Dir(g.helper)
	a := &agentProcess{t: g.t, cmd: exec.Command("unshare", "--mount", "sh", "-c", `. "$0"; exec "$1"`,
		dir+"/mounts", fmt.Sprintf("/proc/%d/exe", os.Getpid()))}
	a.start(pamhelper, g.user, "many")
	return a
}
