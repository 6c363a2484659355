package realpam_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// socketOf makes a connection whose ends the kernel knows as another user's.
func socketOf(t *testing.T, uid int) (agent *net.UnixConn, worker *os.File) {
	t.Helper()
	var fds [2]int
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with its uid
		_, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
		if errno != 0 {
			made <- errno
			return
		}
		var err error
		fds, err = syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		made <- err
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	agent, err := ipc.UnixConn(os.NewFile(uintptr(fds[0]), "agent"))
	if err != nil {
		t.Fatal(err)
	}
	return agent, os.NewFile(uintptr(fds[1]), "worker")
}

// startedWorker is one that no launcher of ours has started.
type startedWorker struct {
	t     *testing.T
	agent *net.UnixConn
	log   workerLog
	cmd   *exec.Cmd
}

// startWorker starts a worker as systemd or a broker does, for an agent with a uid.
func startWorker(t *testing.T, uid int, policy *os.File, args ...string) *startedWorker {
	t.Helper()
	ready(t)
	agent, end := socketOf(t, uid)
	defer end.Close()
	w := &startedWorker{t: t, agent: agent}
	w.cmd = exec.Command(pamhelper, append([]string{"worker"}, args...)...)
	w.cmd.Env, w.cmd.Stderr, w.cmd.ExtraFiles = []string{}, &w.log, []*os.File{end}
	if policy != nil {
		w.cmd.ExtraFiles = append(w.cmd.ExtraFiles, policy)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		agent.Close()
		w.cmd.Wait()
		if t.Failed() {
			t.Logf("the worker's log:\n%s", w.log.String())
		}
	})
	return w
}

func (w *startedWorker) greet(p *person) (*ipc.Client, error) {
	return ipc.NewClient(w.t.Context(), w.agent, ipc.Options{Conversation: p})
}

func TestTheAgentsOwnUserNeverLogsIn(t *testing.T) {
	t.Parallel()
	ready(t)
	s := servedBy(t, `users { allow: ["alice", "bob"] }`, "auth required pam_permit.so")
	alice := uidOf(t, "alice")
	for _, c := range []struct {
		name string
		peer int
		args []string
		user string
		code ipc.Code
	}{
		{"of the socket", alice, nil, "alice", ipc.AuthErr},
		{"of the socket, another user", alice, nil, "bob", ipc.Success},
		{"of the flag", 0, []string{"--agent-uid", itoa(alice)}, "alice", ipc.AuthErr},
		{"of the flag, another user", 0, []string{"--agent-uid", itoa(alice)}, "bob", ipc.Success},
		{"root", 0, nil, "alice", ipc.Success},
	} {
		w := startWorker(t, c.peer, nil, append([]string{"--policy", s.policy}, c.args...)...)
		client, err := w.greet(&person{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		results, _ := client.Login(t.Context(), s.login(c.user), ipc.Authenticate)
		if len(results) != 2 || results[1].Code != c.code {
			t.Errorf("%s, %s: got %q, want %s", c.name, c.user, show(results), c.code)
		}
		client.Close()
	}
}

func TestOnlyAgentsOfThePolicyAreServedOverASocket(t *testing.T) {
	t.Parallel()
	ready(t)
	path := policyFile(t, `service { name: "sshd" } agent: ["nosuchuser", "alice"]`)
	alice, bob := uidOf(t, "alice"), uidOf(t, "bob")
	for _, c := range []struct {
		name   string
		peer   int
		args   []string
		served bool
	}{
		{"alice", alice, nil, true},
		{"bob", bob, nil, false},
		{"root", 0, nil, true},
		{"bob, whom the broker has started", bob, []string{"--agent-uid", itoa(bob)}, true},
	} {
		w := startWorker(t, c.peer, nil, append([]string{"--policy", path}, c.args...)...)
		client, err := w.greet(&person{})
		var refused *ipc.RefusedError
		if (err == nil) != c.served || err != nil && (!errors.As(err, &refused) || !strings.Contains(err.Error(), "the policy names: nosuchuser, alice")) {
			t.Errorf("%s: got %v, want it served: %v", c.name, err, c.served)
		}
		if err == nil {
			client.Close()
			continue
		}
		w.cmd.Wait()
		if got := w.cmd.ProcessState.ExitCode(); got != 3 {
			t.Errorf("%s: exit status %d, want 3", c.name, got)
		}
		if want := "not served: uid " + itoa(bob); !strings.Contains(w.log.String(), want) {
			t.Errorf("%s: log %q, want %q in it", c.name, w.log.String(), want)
		}
	}
}
