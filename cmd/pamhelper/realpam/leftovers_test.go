package realpam_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

const killsLeftovers = `service { name: "sshd" } kill_leftovers: true`

// openUnder opens a session under a policy.
func (g *ground) openUnder(policy string) (*ipc.Client, *workerLog) {
	g.t.Helper()
	client, log := dialHelper(g.t, &person{}, g.helper, "--policy", policyFile(g.t, policy))
	if results, err := client.Login(g.t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		g.t.Fatalf("open a session: %q, %v", show(results), err)
	}
	return client, log
}

// moved starts processes in kernel sessions of their own, of which the shell that
// started them knows nothing any more.
const moved = `trap "" HUP
setsid sh -c 'trap "" HUP TERM; sleep 1000 & setsid sleep 1000' >/dev/null 2>&1 &
setsid sleep 1000 >/dev/null 2>&1 &
(setsid sh -c 'exec sleep 1000' >/dev/null 2>&1 &)
`

func TestWhatHasMadeASessionOfItsOwnIsEndedWhereThePolicySaysSo(t *testing.T) {
	for _, how := range []string{"asked", "left", "killed agent"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			client, _ := g.openUnder(killsLeftovers)
			if o := runIn(t, client, moved, ""); o.exit.Status != 0 {
				t.Fatalf("got %+v, want it to succeed", o)
			}
			eventually(t, func() bool { return len(processesOf(g.uid)) >= 5 }, "five processes of %s", g.user)
			if how == "asked" {
				if results, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
					t.Errorf("got %q, %v", show(results), err)
				}
			}
			client.Close()
			if left := processesOf(g.uid); len(left) > 0 {
				t.Errorf("left when the worker has gone: %q, want none", describe(left))
			}
		})
	}
}

func TestWithoutThePolicysLeaveItStays(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.openUnder(`service { name: "sshd" }`)
	// It holds what runIn reads until it has moved.
	runIn(t, client, "setsid sh -c 'exec sleep 1000 >/dev/null 2>&1' &", "")
	eventually(t, func() bool { return len(processesOf(g.uid)) == 1 }, "one process of %s", g.user)
	client.Close()
	if left := processesOf(g.uid); len(left) != 1 {
		t.Errorf("left: %q, want what made a session of its own", describe(left))
	}
	g.endAll()
}

// zombiesOf are the children of a process that have ended.
func zombiesOf(parent int) (pids []string) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		status, _ := os.ReadFile("/proc/" + entry.Name() + "/status")
		if strings.Contains(string(status), "\nState:\tZ") && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", parent)) {
			pids = append(pids, entry.Name())
		}
	}
	return pids
}

func TestOrphansThatHaveEndedAreWaitedForAndChildrenOfModulesAreNot(t *testing.T) {
	t.Parallel()
	module := hostile(t)
	g := newGround(t)
	g = newGroundOf(t, g.account, "session required "+module+" keep in=session n="+strconv.Itoa(g.uid), "session required "+module+" await in=close")
	client, log := g.openUnder(killsLeftovers)
	worker := pidOf(t, log)
	eventually(t, func() bool { return len(zombiesOf(worker)) == 1 }, "the module's child to have ended")
	stay := zombiesOf(worker)
	o := runIn(t, client, `echo $$; i=0; while [ $i -lt 50 ]; do (setsid sh -c 'exit 3' >/dev/null 2>&1 &); i=$((i+1)); done; (setsid sleep 1000 >/dev/null 2>&1 &)`, "")
	if o.exit.Status != 0 {
		t.Fatalf("got %+v", o)
	}
	// The shell is waited for later where an orphan was still in its kernel session.
	stay = append(stay, strings.TrimSpace(o.stdout))
	orphan := func(pid string) bool { return !slices.Contains(stay, pid) }
	eventually(t, func() bool { return !slices.ContainsFunc(zombiesOf(worker), orphan) && len(processesOf(g.uid)) == 1 }, "the orphans to be waited for")
	if zombies := zombiesOf(worker); !slices.Contains(zombies, stay[0]) {
		t.Errorf("children that have ended: %q, want the module's %s among them", zombies, stay[0])
	}
	results, err := client.Do(t.Context(), ipc.CloseSession, ipc.End)
	if got, want := show(results), "close_session=PAM_SUCCESS end=PAM_SUCCESS"; got != want || err != nil {
		t.Errorf("got %q, %v; want %q: the module has waited for its child", got, err, want)
	}
}
