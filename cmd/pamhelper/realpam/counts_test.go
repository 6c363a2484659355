package realpam_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// greet starts a worker under a policy, and returns why it serves nothing.
func (g *ground) greet(policy string) (*ipc.Client, *workerLog, error) {
	g.t.Helper()
	log := new(workerLog)
	client, err := ipc.Dial(g.t.Context(), ipc.Exec{Path: g.helper, Args: []string{"--policy", policy}, Log: log}, ipc.Options{Conversation: &person{}})
	if err == nil {
		g.t.Cleanup(func() { client.Close() })
	}
	return client, log, err
}

// served is greet for a login that there is room for.
func (g *ground) served(policy string) (*ipc.Client, *workerLog) {
	g.t.Helper()
	client, log, err := g.greet(policy)
	if err != nil {
		g.t.Fatalf("a login that there is room for: %v", err)
	}
	return client, log
}

// busy fails unless an error is of a limit, with a hint.
func busy(t *testing.T, what string, err error, retry time.Duration, says string) {
	t.Helper()
	var b *ipc.BusyError
	if !errors.As(err, &b) || b.RetryAfter != retry || !strings.Contains(b.Text, says) {
		t.Errorf("%s: got %v, want that it is busy, %q, try again in %s", what, err, says, retry)
	}
}

func (g *ground) opens(client *ipc.Client) error {
	g.t.Helper()
	_, err := client.Login(g.t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	return err
}

func TestLoginsWithoutAnOpenSessionAreCounted(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	policy := policyFile(t, `service { name: "sshd" } limits { unopened_logins: 2 }`)
	full := func(what string) {
		t.Helper()
		_, _, err := g.greet(policy)
		busy(t, what, err, time.Second, "2 logins have no open session yet")
	}
	first, _ := g.served(policy)
	second, log := g.served(policy)
	full("a third one")
	if err := g.opens(first); err != nil {
		t.Fatal(err)
	}
	third, _ := g.served(policy)
	full("behind one that has opened")
	killWorker(t, log)
	second.Close()
	fourth, _ := g.served(policy)
	full("behind one that was killed")
	third.Close()
	if err := g.opens(fourth); err != nil {
		t.Errorf("one that was counted: got %v, want a session", err)
	}
}

// A worker's own descriptors are not where a module closes those it believes to be its
// own. An open session has none of where slots are taken from.
func TestAModuleThatClosesDescriptorsDoesNotLetTheSlotsGo(t *testing.T) {
	for _, call := range []string{"setcred", "session"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, "auth required "+hostile(t)+" closeall in="+call, "session required "+hostile(t)+" closeall in="+call)
			policy := policyFile(t, `service { name: "sshd" } limits { logins_per_user: 1 }`)
			first, log := g.served(policy)
			if err := g.opens(first); err != nil {
				t.Fatal(err)
			}
			second, _ := g.served(policy)
			busy(t, "a second one", g.opens(second), 5*time.Second, "has 1 logins")
			var slots []string
			descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pidOf(t, log)))
			for _, fd := range descriptors {
				if target, _ := os.Readlink(fd); strings.Contains(target, "/slots") {
					slots = append(slots, filepath.Base(target))
				}
			}
			if len(slots) != 2 || strings.Count(strings.Join(slots, " "), ".") != 2 {
				t.Errorf("of slots the worker has %q open, want one of logins and one of users", slots)
			}
		})
	}
}

func TestLoginsAreCounted(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	policy := policyFile(t, `service { name: "sshd" } limits { logins: 2 }`)
	first, _ := g.served(policy)
	second, log := g.served(policy)
	for _, client := range []*ipc.Client{first, second} {
		if err := g.opens(client); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := g.greet(policy)
	busy(t, "a third one", err, 5*time.Second, "2 logins are going on")
	if _, err := first.End(t.Context()); err != nil {
		t.Error(err)
	}
	first.Close()
	third, _ := g.served(policy)
	_, _, err = g.greet(policy)
	busy(t, "behind one that has ended", err, 5*time.Second, "2 logins are going on")

	// What the user left running keeps no slot of a worker that was killed.
	runIn(t, second, "setsid sleep 1000 >/dev/null 2>&1 &", "")
	killWorker(t, log)
	second.Close()
	g.served(policy)
	third.Close()
	if r := run(t, "", g.helper, "sweep"); r.status != 0 {
		t.Errorf("sweep: got %+v", r)
	}
	g.endAll()
}

func TestLoginsOfAUserAreCountedBehindTheProof(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	policy := policyFile(t, `service { name: "sshd" } limits { logins_per_user: 1 }`)
	unproven, _ := g.served(policy)
	if _, err := unproven.Login(t.Context(), loginOf(g.user), ipc.Authenticate); err != nil {
		t.Fatal(err)
	}
	first, log := g.served(policy)
	if err := g.opens(first); err != nil {
		t.Fatalf("got %v: a login without credentials is none of the user's", err)
	}
	second, _ := g.served(policy)
	busy(t, "a second one", g.opens(second), 5*time.Second, `user "`+g.user+`" has 1 logins`)
	killWorker(t, log)
	first.Close()
	third, _ := g.served(policy)
	if err := g.opens(third); err != nil {
		t.Errorf("behind one that was killed: got %v, want a session", err)
	}
	third.Close()
	if r := run(t, "", g.helper, "sweep"); r.status != 0 {
		t.Errorf("sweep: got %+v", r)
	}
}

func TestCommandsAreHeldToThePolicyAndTheLoginGoesOn(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.openUnder(`service { name: "sshd" commands { line: "echo listed" } }`)
	for _, line := range []string{"", "id", "echo listed; id", "echo  listed"} {
		p, err := client.Start(t.Context(), ipc.Command{Line: line, Terminal: &ipc.Terminal{}})
		if !errors.Is(err, ipc.ErrNotStarted) || !strings.Contains(err.Error(), `the policy allows: "echo listed"`) {
			t.Errorf("%q: got %v, %v; want it not started, and what is allowed", line, p, err)
		}
	}
	if o := runIn(t, client, "echo listed", ""); o.stdout != "listed\n" {
		t.Errorf("the line that is listed: got %+v", o)
	}
}
