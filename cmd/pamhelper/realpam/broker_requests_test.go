package realpam_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestABrokerDoesNotTakeWhatItDoesNotKnow(t *testing.T) {
	length := func(n uint32) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
	newWorker, err := ipc.AppendFrame(nil, &pb.BrokerRequest{Body: &pb.BrokerRequest_NewWorker{NewWorker: &pb.NewWorker{}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		sends  []byte
		rights bool
		says   string
	}{
		{"an empty frame", length(0), false, "length 0"},
		{"a frame above the cap", length(4097), false, "frame longer"},
		{"4 GiB", length(1<<32 - 1), false, "frame longer"},
		{"garbage", append(length(3), 0xff, 0xff, 0xff), false, "does not decode"},
		{"a request of a worker", append(length(2), 0x1a, 0), false, "does not know"},
		{"a field that NewWorker does not have", append(length(4), 0x0a, 2, 8, 1), false, "does not know"},
		{"a field beside NewWorker", append(length(4), 0x0a, 0, 0x10, 1), false, "does not know"},
		{"a descriptor", newWorker, true, "1 descriptors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t).broker("--spare", "0")
			var oob []byte
			if c.rights {
				oob = unix.UnixRights(0)
			}
			if _, _, err := b.control.WriteMsgUnix(c.sends, oob, nil); err != nil {
				t.Fatal(err)
			}
			b.control.SetReadDeadline(time.Now().Add(patience))
			if n, err := b.control.Read(make([]byte, 100)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %d bytes, %v; want the control socket closed", n, err)
			}
			b.says("SIGTERM")
			b.logs("broke the protocol", c.says)
			if n := len(b.workers()); n != 0 {
				t.Errorf("workers: got %d, want none", n)
			}
		})
	}
}

func TestAnAgentThatBrokeTheProtocolIsKilledWhereItStays(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker("--stop-timeout", "50ms")
	b.control.Write([]byte{0, 0, 0, 0})
	b.exits(128 + int(syscall.SIGKILL))
}

func TestAHalfClosedControlSocketEndsNoLogin(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker()
	request, err := ipc.AppendFrame(nil, &pb.BrokerRequest{Body: &pb.BrokerRequest_NewWorker{NewWorker: &pb.NewWorker{}}})
	if err != nil {
		t.Fatal(err)
	}
	b.control.Write(request)
	conn := ipc.NewControlConn(b.control)
	_, socket, err := conn.ReadBrokerReply()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.control.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadBrokerReply(); !errors.Is(err, io.EOF) {
		t.Errorf("the control socket: got %v, want its end", err)
	}
	stream, err := ipc.UnixConn(socket)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ipc.NewClient(t.Context(), stream, ipc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if _, err := client.Login(t.Context(), loginOf(b.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.CloseSession, ipc.End); err != nil {
		t.Errorf("the login: %v, want it to go on", err)
	}
	if strings.Contains(b.log.String(), "broke the protocol") {
		t.Error("the end of the requests is no violation")
	}
}

func TestTooManyLoginsAndTooFastOnesAreBusyAtOnce(t *testing.T) {
	for _, c := range []struct{ name, policy, says string }{
		{"at once", `service { name: "sshd" } limits { logins: 3 }`, "limits.logins"},
		{"in a second", `service { name: "sshd" } limits { starts_per_second: 1 starts_at_once: 3 }`, "limits.starts_per_second"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t).broker("--policy", policyFile(t, c.policy))
			launcher := b.launcher()
			for range 3 {
				conn, err := launcher.Launch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
			}
			began := time.Now()
			_, err := launcher.Launch(t.Context())
			var busy *ipc.BusyError
			if !errors.As(err, &busy) || busy.RetryAfter <= 0 || busy.RetryAfter > time.Second || !strings.Contains(busy.Text, c.says) {
				t.Fatalf("got %v, want a BusyError with a hint and %q", err, c.says)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("refused after %s, want at once", took)
			}
			b.logs("no worker for the agent", c.says)
			if c.name == "at once" {
				return
			}
			time.Sleep(busy.RetryAfter + 10*time.Millisecond) // what the hint says
			conn, err := launcher.Launch(t.Context())
			if err != nil {
				t.Fatalf("behind the hint: %v", err)
			}
			conn.Close()
		})
	}
}

func TestAnAgentThatDoesNotReadItsRepliesHoldsUpOnlyItself(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker("--policy", policyFile(t, `service { name: "sshd" } limits { logins: 20 starts_per_second: 1000 starts_at_once: 1000 }`))
	request, err := ipc.AppendFrame(nil, &pb.BrokerRequest{Body: &pb.BrokerRequest_NewWorker{NewWorker: &pb.NewWorker{}}})
	if err != nil {
		t.Fatal(err)
	}
	b.control.SetWriteDeadline(time.Now().Add(2 * time.Second))
	sent := 0
	for err == nil {
		var n int
		n, err = b.control.Write(request)
		sent += n / len(request)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("behind %d requests: %v, want nobody to read them", sent, err)
	}
	workers := b.workers()
	if len(workers) != 20 {
		t.Errorf("workers: got %d, want the 20 of the policy", len(workers))
	}
	// Reaping and sweeping go on, and so do signals.
	syscall.Kill(workers[0], syscall.SIGKILL)
	b.logs(fmt.Sprint("worker ", workers[0]), "SIGKILL")
	eventually(t, func() bool { return !alive(workers[0]) && len(childrenOf(t, b.cmd.Process.Pid, "\x00sweep")) == 0 }, "the end of the worker and of the sweep")
	b.signal(syscall.SIGUSR1)
	b.says("SIGUSR1")
	t.Logf("%d requests were sent, %d bytes of log", sent, len(b.log.String()))
	fmt.Fprintln(b.wire, "exit 0")
	b.exits(0)
	if lines := strings.Count(b.log.String(), "\n"); lines > 100 {
		t.Errorf("the log has %d lines, want few", lines)
	}
}

func TestSIGHUPTakesOverAGoodPolicyOnly(t *testing.T) {
	t.Parallel()
	path := policyFile(t, `service { name: "sshd" } limits { logins: 1 }`)
	b := newGround(t).broker("--policy", path)
	launcher := b.launcher()
	held := func() (conns int) {
		for ; ; conns++ {
			conn, err := launcher.Launch(t.Context())
			var busy *ipc.BusyError
			if errors.As(err, &busy) {
				return conns
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
		}
	}
	if n := held(); n != 1 {
		t.Errorf("got %d workers, want 1", n)
	}
	writeFile(t, path, "service { name: \"sshd\" }\nlimits { logins: 7 surprise: 1 }")
	b.signal(syscall.SIGHUP)
	b.logs("the policy stays as it is", path, "2:")
	if n := held(); n != 0 {
		t.Errorf("with a policy that is not valid: got %d more workers, want none", n)
	}
	writeFile(t, path, `service { name: "sshd" } limits { logins: 3 }`)
	b.signal(syscall.SIGHUP)
	b.logs("the policy was read again")
	if n := held(); n != 2 {
		t.Errorf("with the new policy: got %d more workers, want 2", n)
	}
}

// The built-in policy may allow more than the one that is gone.
func TestSIGHUPWhileThePolicyIsGoneChangesNothing(t *testing.T) {
	t.Parallel()
	path := policyFile(t, `service { name: "sshd" } limits { logins: 1 }`)
	g := newGround(t)
	g.before("mount --bind '" + filepath.Dir(path) + "' /etc/pamhelper")
	b := g.broker()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b.signal(syscall.SIGHUP)
	b.logs("the policy stays as it is: /etc/pamhelper/policy.textproto: does not exist")
	launcher := b.launcher()
	conn, err := launcher.Launch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var busy *ipc.BusyError
	if conn, err := launcher.Launch(t.Context()); !errors.As(err, &busy) {
		t.Errorf("a second worker: %v, %v; want it refused, by the limit of the policy that is gone", conn, err)
	}
}
