package worker_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/worker"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// started runs a worker over a descriptor, as a socket unit does, and returns how
// it ended and its log.
func started(t *testing.T, third *os.File, args ...string) (syscall.WaitStatus, string) {
	t.Helper()
	helper, _ := build(t)
	cmd := exec.CommandContext(t.Context(), helper, append([]string{"worker"}, args...)...)
	var log bytes.Buffer
	cmd.Env, cmd.Stderr = []string{"LISTEN_FDS=1"}, &log
	if third != nil {
		cmd.ExtraFiles = []*os.File{third}
	}
	cmd.Run() // its error is the status
	return cmd.ProcessState.Sys().(syscall.WaitStatus), log.String()
}

func TestWhatIsNoConnectionIsRefusedInWords(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		open func() (interface{ File() (*os.File, error) }, error)
		says string
	}{
		{"a socket that listens, as of Accept=no", func() (interface{ File() (*os.File, error) }, error) {
			return net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/listens"})
		}, "set Accept=yes in the socket unit"},
		{"a datagram socket", func() (interface{ File() (*os.File, error) }, error) {
			return net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/datagrams"})
		}, "ListenStream= with a path"},
		{"a network socket", func() (interface{ File() (*os.File, error) }, error) {
			return net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		}, "ListenStream= with a path"},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket, err := c.open()
			if err != nil {
				t.Fatal(err)
			}
			file, err := socket.File()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			status, log := started(t, file)
			if !strings.Contains(log, "no connection on descriptor 3") || !strings.Contains(log, c.says) || status.ExitStatus() != worker.ExitUsage {
				t.Errorf("got status %d and %q, want %d and %q", status.ExitStatus(), log, worker.ExitUsage, c.says)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		if status, log := started(t, nil); status.ExitStatus() != worker.ExitUsage || !strings.Contains(log, "by an agent or a socket unit") {
			t.Errorf("got status %d and %q, want %d and who starts a worker", status.ExitStatus(), log, worker.ExitUsage)
		}
	})
}

// TestTheExitStatusTellsWhoseFaultTheEndWas: a service manager counts only what an
// administrator has to look at as a failure.
func TestTheExitStatusTellsWhoseFaultTheEndWas(t *testing.T) {
	for _, c := range []struct {
		name, module string
		agent        func(*ipc.Client) error
		status       int
		signal       syscall.Signal
	}{
		{"a login in order", "nothing", func(c *ipc.Client) error { return logIn(t, c, whole...) }, 0, -1},
		{"a login that PAM refused", "return n=7", func(c *ipc.Client) error { return logIn(t, c, ipc.Authenticate) }, 0, -1},
		{"an agent that leaves", "nothing", func(c *ipc.Client) error { return logIn(t, c, ipc.Authenticate) }, 0, -1},
		{"an agent that breaks the protocol", "nothing", func(c *ipc.Client) error {
			logIn(t, c)
			return logIn(t, c) // Begin twice
		}, worker.ExitEnded, -1},
		{"a module that hangs", "pause", func(c *ipc.Client) error { return logIn(t, c, ipc.Authenticate) }, worker.ExitBroken, -1},
		{"a module that exits with 0", "exit", func(c *ipc.Client) error { return logIn(t, c, ipc.Authenticate) }, worker.ExitBroken, -1},
		{"a module that crashes", "segv", func(c *ipc.Client) error { return logIn(t, c, ipc.Authenticate) }, -1, syscall.SIGSEGV},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(c.module)
			s := newStack(t, words[0], words[1:]...)
			ended := make(chan syscall.WaitStatus, 1)
			client, err := ipc.Dial(t.Context(), handedOver{s, ended}, ipc.Options{LoginTimeout: 5 * time.Second, CloseTimeout: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			said := c.agent(client)
			client.Close()
			status := <-ended
			if status.ExitStatus() != c.status || status.Signal() != c.signal {
				t.Errorf("got status %d, signal %d behind %v; want %d, %d", status.ExitStatus(), status.Signal(), said, c.status, c.signal)
			}
		})
	}
}

// handedOver is a Launcher that tells how its worker ended.
type handedOver struct {
	*stack
	ended chan syscall.WaitStatus
}

var _ ipc.Launcher = handedOver{}

func (h handedOver) Launch(context.Context) (net.Conn, error) {
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	go func() {
		defer theirs.Close()
		status, _ := started(h.t, theirs, "--debug", "--confdir", h.dir)
		h.ended <- status
	}()
	return ours, nil
}

// pair is a connected pair: an end to use and an end to pass on.
func pair() (*net.UnixConn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, err := ipc.UnixConn(os.NewFile(uintptr(fds[0]), "agent"))
	return ours, os.NewFile(uintptr(fds[1]), "worker"), err
}

func logIn(t *testing.T, client *ipc.Client, steps ...ipc.Step) error {
	_, err := client.Login(t.Context(), ipc.Login{Service: "svc", User: "tester"}, steps...)
	return err
}
