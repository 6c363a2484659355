package realpam_test

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// agentLogin is the command line of a login through the helper.
func agentLogin(helper string, args ...string) []string {
	return append([]string{"login", "--helper", "exec:" + helper, "--rhost", remote}, args...)
}

// atShell logs a user in on a terminal of 31 lines and 91 columns and waits for
// the shell's prompt.
func atShell(t *testing.T, helper, user string) *pty {
	t.Helper()
	cmd := exec.Command(agent, agentLogin(helper, user)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_TIME=C", "HIDDEN=x")
	p := newTerminal(t)
	p.quiet()
	p.resize(91, 31)
	p.run(cmd)
	p.answers(password)
	p.atKeyboard()
	p.shows("$ ")
	return p
}

func (p *pty) resize(columns, rows uint16) {
	p.t.Helper()
	if err := unix.IoctlSetWinsize(int(p.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		p.t.Fatal(err)
	}
}

// answers types the password where it is asked for.
func (p *pty) answers(secret string) {
	p.t.Helper()
	p.atPrompt("Password: ", false)
	p.typed(secret + "\n")
}

// atKeyboard waits until every key goes to the user's process.
func (p *pty) atKeyboard() {
	p.t.Helper()
	eventually(p.t, func() bool { return p.mode().Lflag&(unix.ICANON|unix.ISIG|unix.ECHO) == 0 && p.waits() },
		"a raw terminal, which shows:\n%s", p)
}

// piped is an agent whose standard descriptors are pipes. Its controlling
// terminal is there for the password.
type piped struct {
	*pty
	stdin          io.WriteCloser
	stdout, stderr workerLog
}

// overPipes starts a login for a command over pipes and answers its prompt.
func overPipes(t *testing.T, helper string, args ...string) *piped {
	t.Helper()
	p := &piped{}
	cmd := exec.Command(agent, agentLogin(helper, args...)...)
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin, p.pty = stdin, newTerminal(t)
	p.quiet()
	p.runBeside(cmd)
	p.answers(password)
	return p
}

// runAs runs a command as a user, with an input, to its end.
func runAs(t *testing.T, user, input string, words ...string) ran {
	t.Helper()
	p := overPipes(t, pamhelper, append([]string{user, "--"}, words...)...)
	io.WriteString(p.stdin, input) // fails where the command does not want it all
	p.stdin.Close()
	return p.ran()
}

// ran waits for the end. What it wrote is complete then.
func (p *piped) ran() ran {
	p.t.Helper()
	p.wait()
	if after := *p.mode(); after != p.before {
		p.t.Errorf("terminal mode: got %+v, want %+v as before", after, p.before)
	}
	return ran{p.stdout.String(), p.stderr.String(), p.cmd.ProcessState.ExitCode()}
}

// expect fails unless the program ended so. Standard error may hold more.
func (r ran) expect(t *testing.T, status int, stdout, stderr string) {
	t.Helper()
	if r.status != status || r.stdout != stdout || !strings.Contains(r.stderr, stderr) {
		t.Errorf("got status %d, standard output %q, standard error %q; want %d, %q, %q", r.status, r.stdout, r.stderr, status, stdout, stderr)
	}
}
