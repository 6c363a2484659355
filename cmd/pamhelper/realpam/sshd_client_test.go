package realpam_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// way is how a process is asked for.
type way struct {
	name     string
	line     string // "": the login shell
	terminal bool
}

var ways = []way{
	{name: "command", line: `one "two  three" $HOME`},
	{name: "command on a terminal", line: `one "two  three" $HOME`, terminal: true},
	{name: "login shell on a terminal", terminal: true},
	{name: "login shell without a terminal"},
}

// window and terminalType are those of every terminal of the comparison.
var window = ipc.Size{Columns: 99, Rows: 33, WidthPx: 990, HeightPx: 660}

const terminalType = "xterm-256color"

// clientsVariables are what every client asks for. The last one is not admitted
// by either side.
var clientsVariables = []ipc.Variable{
	{Name: "LANG", Value: "from-client"}, {Name: "LC_TIME", Value: "from client"}, {Name: "LD_PRELOAD", Value: "/from/client"},
}

// ended is what came out of a process, and how the end of it was told.
type ended struct {
	stdout, stderr string         // with a terminal all is in stdout
	end            string         // "exit 3", "signal", "refused" at the login
	signal         syscall.Signal // with the helper: ssh does not say which one
}

func (e ended) String() string {
	return fmt.Sprintf("stdout %q, stderr %q, %s", e.stdout, e.stderr, e.end)
}

// text is what was written, with the line ends of a file.
func (e ended) text() string { return strings.ReplaceAll(e.stdout, "\r\n", "\n") }

// ssh runs a command, or the login shell, through Debian's ssh and sshd.
func (s *server) ssh(t *testing.T, user, password string, w way) ended {
	t.Helper()
	log := s.path("client.log") // what ssh itself says is not to be in stderr
	os.Remove(log)
	cmd := exec.Command("ssh", s.sshArgs(user, log, w)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=" + terminalType, "SSH_ASKPASS=" + askpass, "SSH_ASKPASS_REQUIRE=force", "ASKED=" + password}
	var got ended
	if w.terminal {
		got = onItsTerminal(t, cmd)
	} else {
		got = onPipes(t, cmd)
	}
	said := readFile(t, log)
	switch {
	case !strings.Contains(said, "requested to askpass"):
		t.Errorf("ssh was not asked for a password:\n%s", said)
	case !strings.Contains(said, "Authenticated to "):
		got.end = "refused"
	case strings.Contains(said, "rtype exit-signal"):
		got.end = "signal"
	}
	return got
}

func (s *server) sshArgs(user, log string, w way) []string {
	terminal, variables := "-T", "SetEnv"
	if w.terminal {
		terminal = "-tt"
	}
	for _, v := range clientsVariables {
		variables += fmt.Sprintf(" \"%s=%s\"", v.Name, v.Value)
	}
	args := []string{"-F", "none", "-v", "-E", log, "-p", fmt.Sprint(s.port), "-l", user, terminal}
	for _, option := range []string{"UserKnownHostsFile=" + s.path("known_hosts"), "GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes",
		"UpdateHostKeys=no", "IdentityFile=none", "PreferredAuthentications=password", "NumberOfPasswordPrompts=1", variables} {
		args = append(args, "-o", option)
	}
	args = append(args, loopback)
	if w.line != "" {
		args = append(args, w.line)
	}
	return args
}

func onPipes(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ended{stdout: stdout.String(), stderr: stderr.String(), end: fmt.Sprintf("exit %d", cmd.ProcessState.ExitCode())}
}

// onItsTerminal runs ssh on a terminal as the kernel makes them: ssh gives its
// modes and its size to the server.
func onItsTerminal(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	p := newTerminal(t)
	size := &unix.Winsize{Row: window.Rows, Col: window.Columns, Xpixel: window.WidthPx, Ypixel: window.HeightPx}
	if err := unix.IoctlSetWinsize(int(p.slave.Fd()), unix.TIOCSWINSZ, size); err != nil {
		t.Fatal(err)
	}
	p.run(cmd)
	cmd.Wait()
	const last = "the last that is written\n"
	if _, err := p.slave.WriteString(last); err != nil {
		t.Fatal(err)
	}
	p.shows(strings.TrimSpace(last)) // so all before it has been read
	shown, _, _ := strings.Cut(p.String(), strings.TrimSpace(last))
	shown = strings.TrimSuffix(shown, "Connection to "+loopback+" closed.\r\r\n") // ssh's own
	return ended{stdout: shown, end: fmt.Sprintf("exit %d", cmd.ProcessState.ExitCode())}
}

// ours runs the same through the helper, in a session of its own.
func (s *server) ours(t *testing.T, user string, w way) ended {
	t.Helper()
	client, _ := openSessionWith(t, ipc.Login{Service: "sshd", User: user, Rhost: loopback}, s.helper)
	defer func() {
		if _, err := client.End(t.Context()); err != nil {
			t.Errorf("end the login of %s: %v", user, err)
		}
	}()
	return inSession(t, client, w)
}

func inSession(t *testing.T, client *ipc.Client, w way) ended {
	t.Helper()
	command := ipc.Command{Line: w.line, Variables: clientsVariables}
	if !w.terminal {
		o := runCommand(t, client, command, "")
		return ended{o.stdout, o.stderr, endOf(o.exit), o.exit.Signal}
	}
	command.Terminal = &ipc.Terminal{Type: terminalType, Size: window}
	p, err := client.Start(t.Context(), command)
	if err != nil {
		t.Fatalf("start %q: %v", w.line, err)
	}
	defer p.Master.Close()
	var shown bytes.Buffer
	io.Copy(&shown, p.Master) // until the terminal hangs up
	exit, err := p.Wait(t.Context())
	if err != nil {
		t.Fatalf("wait for %q: %v", w.line, err)
	}
	return ended{stdout: shown.String(), end: endOf(exit), signal: exit.Signal}
}

func endOf(exit ipc.Exit) string {
	if exit.Signal != 0 {
		return "signal"
	}
	return fmt.Sprintf("exit %d", exit.Status)
}
