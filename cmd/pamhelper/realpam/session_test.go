package realpam_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// openSession logs a user in and opens the session, as an agent does.
func openSession(t *testing.T, user string) *ipc.Client {
	t.Helper()
	client, _ := openSessionWith(t, loginOf(user), pamhelper)
	return client
}

func openSessionWith(t *testing.T, login ipc.Login, helper string) (*ipc.Client, *workerLog) {
	t.Helper()
	client, log := dialHelper(t, &person{answers: []string{password}}, helper)
	results, err := client.Login(t.Context(), login, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	if err != nil {
		t.Fatalf("open a session of %s: %q, %v", login.User, show(results), err)
	}
	return client, log
}

// output is what a process wrote and how it ended.
type output struct {
	stdout, stderr string
	exit           ipc.Exit
}

// runIn runs a command line in a session, with an input, over pipes.
func runIn(t *testing.T, client *ipc.Client, line, input string) output {
	t.Helper()
	return runCommand(t, client, ipc.Command{Line: line}, input)
}

func runCommand(t *testing.T, client *ipc.Client, command ipc.Command, input string) output {
	t.Helper()
	stdin, stdout, stderr := pipe(t), pipe(t), pipe(t)
	command.Stdin, command.Stdout, command.Stderr = stdin.r, stdout.w, stderr.w
	process, err := client.Start(t.Context(), command)
	if err != nil {
		t.Fatalf("start %q: %v", command.Line, err)
	}
	for _, passed := range []*os.File{stdin.r, stdout.w, stderr.w} {
		passed.Close()
	}
	var copying sync.WaitGroup
	copying.Go(func() { io.WriteString(stdin.w, input); stdin.w.Close() })
	var out, errors bytes.Buffer
	copying.Go(func() { io.Copy(&out, stdout.r) })
	copying.Go(func() { io.Copy(&errors, stderr.r) })
	copying.Wait()
	exit, err := process.Wait(t.Context())
	if err != nil {
		t.Fatalf("wait for %q: %v", command.Line, err)
	}
	return output{out.String(), errors.String(), exit}
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

func TestACommandRunsAsTheUser(t *testing.T) {
	t.Parallel()
	client := openSession(t, "alice")
	o := runIn(t, client, `id -un; echo "$0" "$HOME" "$USER" "$LOGNAME" "$SHELL"; pwd; tr a-z A-Z; echo to standard error >/dev/stderr; exit 7`, "input")
	if want := "alice\nsh /home/alice alice alice /bin/sh\n/home/alice\nINPUT"; o.stdout != want {
		t.Errorf("standard output: got %q, want %q", o.stdout, want)
	}
	if want := "to standard error\n"; o.stderr != want || o.exit.Status != 7 {
		t.Errorf("got standard error %q and %+v, want %q and status 7", o.stderr, o.exit, want)
	}
}

func TestTheLoginShellRunsOnATerminal(t *testing.T) {
	t.Parallel()
	client := openSession(t, "bob")
	p, err := client.Start(t.Context(), ipc.Command{Terminal: &ipc.Terminal{Type: "xterm", Size: ipc.Size{Columns: 99, Rows: 33}}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Master.Close()
	if _, err := p.Master.WriteString("echo \"$0 $TERM $SSH_TTY\"; stty size; stat -c %U:%G:%a $(tty); exit 3\n"); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	io.Copy(&shown, p.Master) // until the terminal hangs up
	for _, want := range []string{"-sh xterm " + p.Terminal + "\r\n", "33 99\r\n", "bob:tty:620\r\n"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("the terminal shows %q, want %q", shown.String(), want)
		}
	}
	if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 3 {
		t.Errorf("ended with %+v, %v; want status 3", exit, err)
	}
}
