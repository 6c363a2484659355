package realpam_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// onMachine puts a node's configuration and host key onto a machine of systemd's and
// starts its units: the agent's, and with it the socket's.
func (n *node) onMachine(s *systemd, lines string) {
	n.t.Helper()
	const dir = "/etc/pamhelper"
	n.configure(lines + "helper: unix:/run/pamhelper.sock\n")
	writeFile(n.t, s.path(dir+"/agent.yaml"), strings.ReplaceAll(readFile(n.t, n.path("agent.yaml")), n.path("host"), dir+"/host"))
	if err := command("cp", n.path("host"), s.path(dir+"/host")); err != nil {
		n.t.Fatal(err)
	}
	if r := s.in("sh", "-ec", "chmod 400 "+dir+"/host; chown pamhelper-agent "+dir+"/host"); r.status != 0 {
		n.t.Fatalf("the host key: %+v", r)
	}
	s.ctl("start", "pamhelper-agent.service")
	eventually(n.t, func() bool { return strings.Contains(s.journal.all.String(), "msg=listening") }, "an agent that listens: %s", &s.journal.all)
}

// TestALoginOverSSHThroughTheUnitsOfSystemd has a worker that systemd starts, and no
// process of root's between logins.
func TestALoginOverSSHThroughTheUnitsOfSystemd(t *testing.T) {
	t.Parallel()
	s, n := startSystemd(t), newNode(t)
	s.stack(nodeStack)
	n.onMachine(s, passwords)
	c := byPassword("node26", "password", password)
	c.line = "echo rea''dy; read word; id -un; echo $word; echo ${GOMAXPROCS-not the worker\\'s}; exit 3"
	cmd := n.ssh(c)
	var shown workerLog
	cmd.Stdin, cmd.Stdout = nil, &shown
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(shown.String(), "ready\n") }, "a command that runs: %s", &s.journal.all)
	if unit := s.only(); !strings.HasPrefix(unit, "pamhelper@") {
		t.Errorf("the login is the unit %s, want one of pamhelper@.service", unit)
	}
	agent := s.in("cat", "/proc/"+strings.TrimSpace(s.in("pgrep", "--oldest", "-u", "pamhelper-agent").stdout)+"/status").stdout
	for name, want := range map[string]string{"Name": "agent", "CapEff": "0000000000000000", "CapBnd": "0000000000000000"} {
		if got := attribute(agent, name); got != want {
			t.Errorf("%s of the agent: got %q, want %q", name, got, want)
		}
	}
	if got := s.in("pgrep", "-u", "root", "-x", "pamhelper").stdout; strings.Count(got, "\n") != 1 {
		t.Errorf("processes of pamhelper as root: got %q, want the worker alone", got)
	}
	input.Write([]byte("typed\n"))
	input.Close()
	cmd.Wait()
	if got, want := shown.String(), "ready\nnode26\ntyped\nnot the worker's\n"; got != want || cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("got %q and status %d, want %q and 3", got, cmd.ProcessState.ExitCode(), want)
	}
	s.gone()
	waitCalls(t, "node26", wholeLogin)
	if got := s.in("pgrep", "-x", "pamhelper").stdout; got != "" {
		t.Errorf("processes of pamhelper behind the login: got %q, want none", got)
	}
	c.args, c.line = []string{"-tt"}, "tty; exit 4"
	if r := n.run(c); r.status != 4 || !strings.HasPrefix(r.stdout, "/dev/pts/") {
		t.Errorf("on a terminal: got %+v, want its name and status 4", r)
	}
	c.answers[0].text = "wrong"
	n.run(c).expect(t, 255, "", "Permission denied")
	s.gone()
	s.ctl("stop", "pamhelper-agent.service")
	if says := s.saysOf("pamhelper"); strings.Contains(says, "Failed") {
		t.Errorf("systemd says\n%s\nwant no failure", says)
	}
	if strings.Contains(s.journal.all.String(), password) {
		t.Error("the journal has the password")
	}
}

// startBySocket starts the node's agent as the agent's user, without a broker, with a
// socket that systemd accepts on.
func (n *node) startBySocket(a *activated, lines string) {
	n.t.Helper()
	n.configure(lines + "helper: unix:" + string(a.unixSocket) + "\n")
	if err := errors.Join(os.Chown(string(a.unixSocket), uidOf(n.t, agentUser), -1), os.Chmod(string(a.unixSocket), 0o600)); err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.Command("setpriv", "--reuid", agentUser, "--regid", agentUser, "--clear-groups", agent, "run", "--config", n.path("agent.yaml"))
	n.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	n.cmd.Stderr = &n.log
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		n.cmd.Process.Kill()
		n.cmd.Wait()
		if n.t.Failed() {
			n.t.Logf("the node's log:\n%s", n.log.String())
		}
	})
	n.logs("msg=listening")
}

// TestALoginOverSSHThroughAnAcceptedSocket of systemd-socket-activate; and a login
// whose agent is killed is closed by its own worker.
func TestALoginOverSSHThroughAnAcceptedSocket(t *testing.T) {
	t.Parallel()
	a, n := activate(t, counting(t), accepting...), newNode(t)
	n.startBySocket(a, passwords)
	c := byPassword("node27", "keyboard-interactive", password)
	c.line, c.stdin = "id -un; cat; exit 5", "input\n"
	n.run(c).expect(t, 5, "node27\ninput\n", "")
	waitCalls(t, "node27", wholeLogin)
	a.ended("code 0")

	c = byPassword("node28", "password", password)
	c.line = "echo rea''dy; exec sleep 1000"
	cmd := n.ssh(c)
	var shown workerLog
	cmd.Stdout = &shown
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(shown.String(), "ready") }, "a command that runs")
	n.cmd.Process.Signal(syscall.SIGKILL)
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 255 {
		t.Errorf("ssh's exit status: got %d, want 255", got)
	}
	waitCalls(t, "node28", wholeLogin)
	eventually(t, func() bool { return len(processesOf(uidOf(t, "node28"))) == 0 }, "the end of all processes of node28")
}
