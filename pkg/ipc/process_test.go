package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
)

// inSession returns a client whose session is open, of a helper that plays
// processes with run.
func inSession(t *testing.T, run func(*ipctest.Process) ipc.Exit) *ipc.Client {
	t.Helper()
	client := dial(t, &ipctest.Helper{Run: run}, nil)
	if _, err := client.Login(t.Context(), alice, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestAProcessGetsItsDescriptorsAndTellsItsEnd(t *testing.T) {
	client := inSession(t, func(p *ipctest.Process) ipc.Exit {
		io.Copy(p.Stdout, p.Stdin)
		io.WriteString(p.Stderr, p.Command.Line+" "+p.Command.Variables[0].Name)
		return ipc.Exit{Status: 7}
	})
	stdin, stdout, stderr := pipe(t), pipe(t), pipe(t)
	process, err := client.Start(t.Context(), ipc.Command{Line: "cat", Variables: []ipc.Variable{{Name: "LANG", Value: "C"}},
		Stdin: stdin.r, Stdout: stdout.w, Stderr: stderr.w})
	if err != nil {
		t.Fatal(err)
	}
	stdin.r.Close()
	stdout.w.Close()
	stderr.w.Close()
	content := bytes.Repeat([]byte{0, 1, 2, 0xff}, 1<<18)
	go func() {
		stdin.w.Write(content)
		stdin.w.Close()
	}()
	if out, _ := io.ReadAll(stdout.r); !bytes.Equal(out, content) {
		t.Errorf("%d bytes came through, want %d, the same", len(out), len(content))
	}
	if out, _ := io.ReadAll(stderr.r); string(out) != "cat LANG" {
		t.Errorf("standard error %q, want the command and the variable", out)
	}
	exit, err := process.Wait(t.Context())
	if err != nil || exit.Status != 7 || exit.Signal != 0 {
		t.Errorf("ended with %+v, %v; want status 7", exit, err)
	}
	if err := process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal after the end: %v, want %v", err, os.ErrProcessDone)
	}
}

func TestAProcessOnATerminal(t *testing.T) {
	client := inSession(t, func(p *ipctest.Process) ipc.Exit {
		io.WriteString(p.Stdout, p.Command.Terminal.Type)
		<-p.Signals
		return ipc.Exit{Signal: syscall.SIGHUP}
	})
	process, err := client.Start(t.Context(), ipc.Command{Terminal: &ipc.Terminal{Type: "xterm", Size: ipc.Size{Columns: 132, Rows: 50}}})
	if err != nil {
		t.Fatal(err)
	}
	defer process.Master.Close()
	buf := make([]byte, 16)
	if n, err := process.Master.Read(buf); string(buf[:n]) != "xterm" {
		t.Errorf("read %q, %v from the terminal, want xterm", buf[:n], err)
	}
	if err := process.Resize(ipc.Size{Columns: 80, Rows: 24}); err != nil {
		t.Errorf("resize: %v", err)
	}
	process.Signal(syscall.SIGHUP)
	if exit, err := process.Wait(t.Context()); err != nil || exit.Status != -1 || exit.Signal != syscall.SIGHUP {
		t.Errorf("ended with %+v, %v; want the signal HUP", exit, err)
	}
}

func TestProcessesRunAtOnceAndBesideSteps(t *testing.T) {
	client := inSession(t, func(p *ipctest.Process) ipc.Exit {
		<-p.Signals
		return ipc.Exit{Status: len(p.Command.Line)}
	})
	var started sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		started.Go(func() {
			process, err := client.Start(t.Context(), ipc.Command{Line: string(bytes.Repeat([]byte("x"), i))})
			if err != nil {
				t.Error(err)
				return
			}
			process.Signal(syscall.SIGTERM)
			exit, err := process.Wait(t.Context())
			if err != nil {
				t.Error(err)
			}
			statuses[i] = exit.Status
		})
	}
	started.Wait()
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7}; !slices.Equal(statuses, want) {
		t.Errorf("statuses %v, want %v", statuses, want)
	}
	if _, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Error(err)
	}
}

func TestTheEndOfTheLoginEndsItsProcesses(t *testing.T) {
	client := inSession(t, func(p *ipctest.Process) ipc.Exit { return ipc.Exit{Signal: <-p.Signals} })
	process, err := client.Start(t.Context(), ipc.Command{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exit, err := process.Wait(t.Context()); err != nil || exit.Signal != syscall.SIGHUP {
		t.Errorf("ended with %+v, %v; want the signal HUP", exit, err)
	}
}

// keeping is a launcher that keeps the stream.
type keeping struct {
	ipc.Launcher
	stream *net.UnixConn
}

func (k *keeping) Launch(ctx context.Context) (net.Conn, error) {
	conn, err := k.Launcher.Launch(ctx)
	if err == nil {
		k.stream = conn.(*net.UnixConn)
	}
	return conn, err
}

func TestWaitingForAProcessOfALoginThatIsGone(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*ipc.Client, *net.UnixConn)
		want error
	}{
		// Nothing comes any more, as from a worker that was killed.
		{"death", func(_ *ipc.Client, stream *net.UnixConn) { stream.CloseRead() }, ipc.ErrHelperDied},
		{"left", func(client *ipc.Client, _ *net.UnixConn) { client.Close() }, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			over := make(chan struct{})
			defer close(over)
			launcher := &keeping{Launcher: &ipctest.Helper{Run: func(*ipctest.Process) ipc.Exit { <-over; return ipc.Exit{} }}}
			client, err := ipc.Dial(t.Context(), launcher, ipc.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if _, err := client.Login(t.Context(), alice, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
				t.Fatal(err)
			}
			process, err := client.Start(t.Context(), ipc.Command{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
			defer cancel()
			if _, err := process.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting no longer: %v", err)
			}
			c.end(client, launcher.stream)
			if exit, err := process.Wait(t.Context()); !errors.Is(err, c.want) || exit.Status != -1 {
				t.Errorf("wait: %+v, %v; want no status and %v", exit, err, c.want)
			}
		})
	}
}

func TestWhoWaitsIsToldThatTheLoginWasLeft(t *testing.T) {
	h := authenticating(func(c *ipctest.Call) ipc.Code { c.Prompt(false, "Password: "); return 0 })
	prompted := make(chan struct{})
	client := dial(t, h, &person{answer: func(ctx context.Context) ([]byte, error) {
		close(prompted)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	go func() {
		<-prompted
		client.Close()
	}()
	if _, err := client.Login(t.Context(), alice, ipc.Authenticate); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a step that waited: %v, want %v", err, net.ErrClosed)
	}
	if _, err := client.Begin(t.Context(), alice); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a step behind it: %v, want %v", err, net.ErrClosed)
	}
}

func TestStartOutsideOfASession(t *testing.T) {
	client := dial(t, authenticating(func(*ipctest.Call) ipc.Code { return ipc.AuthErr }), nil)
	client.Login(t.Context(), alice, ipc.Authenticate)
	if process, err := client.Start(t.Context(), ipc.Command{}); !errors.Is(err, ipc.ErrSkipped) || process != nil {
		t.Errorf("behind a failed step: %v, %v; want it skipped", process, err)
	}
	client = dial(t, &ipctest.Helper{}, nil)
	var violation *ipc.ViolationError
	if _, err := client.Start(t.Context(), ipc.Command{}); !errors.As(err, &violation) {
		t.Errorf("before Begin: %v, want a violation", err)
	}
}

func TestDeathOfTheHelperInAPromptIsSeenAtOnce(t *testing.T) {
	who := &person{}
	h := authenticating(func(c *ipctest.Call) ipc.Code { c.Prompt(false, "Password: "); return 0 })
	launcher := &keeping{Launcher: h}
	client, err := ipc.Dial(t.Context(), launcher, ipc.Options{Conversation: who})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	who.answer = func(ctx context.Context) ([]byte, error) {
		launcher.stream.CloseRead() // nothing comes any more, as from a worker that was killed
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	if _, err := client.Login(t.Context(), alice, ipc.Authenticate); !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("error %v, want %v", err, ipc.ErrHelperDied)
	}
}

type ends struct{ r, w *os.File }

func pipe(t *testing.T) ends {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return ends{r, w}
}
