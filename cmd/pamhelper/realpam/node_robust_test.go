package realpam_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nodeStack counts the calls of modules, so that a login that stays open is seen.
const nodeStack = unixStack + "\nauth optional pam_warn.so\naccount optional pam_warn.so\nsession optional pam_warn.so\nsession required pam_permit.so"

// counting is a helper with that stack.
func counting(t *testing.T) (helper string) {
	t.Helper()
	return helperWith(t, nodeStack, nil)
}

// TestALoginIsUndoneWhoseClientIsKilled in the middle of a command, of a shell, and
// of a question.
func TestALoginIsUndoneWhoseClientIsKilled(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, counting(t), passwords)
	c := byPassword("node13", "password", password)
	c.line = "echo rea''dy; exec sleep 1000"
	undone := []string{wholeLogin, wholeLogin + " " + wholeLogin}
	for i, terminal := range []string{"-T", "-tt"} {
		c.args = []string{terminal}
		cmd := n.ssh(c)
		var shown workerLog
		cmd.Stdout = &shown
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool { return strings.Contains(shown.String(), "ready") }, "a command that runs")
		cmd.Process.Kill()
		cmd.Wait()
		waitCalls(t, "node13", undone[i])
		eventually(t, func() bool { return strings.Count(n.log.String(), `msg="process left"`) == i+1 }, "a line for the process that was left")
	}
	eventually(t, func() bool { return len(processesOf(uidOf(t, "node13"))) == 0 }, "the end of all processes of node13")

	p := newTerminal(t)
	cmd := n.ssh(client{user: "node14", options: []string{"PreferredAuthentications=keyboard-interactive"}})
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	p.run(cmd)
	p.shows("assword: ")
	cmd.Process.Kill()
	n.logs("user=node14")
	n.logs("code=PAM_AUTH_ERR")
	if got := calls("node14"); strings.Contains(got, "open_session") {
		t.Errorf("calls for node14: got %s, want no session", got)
	}
}

// TestNodeEndsALoginWhoseWorkerIsKilled and tells the user.
func TestNodeEndsALoginWhoseWorkerIsKilled(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, counting(t), passwords)
	c := byPassword("node15", "password", password)
	c.line = "echo rea''dy; exec sleep 1000"
	cmd := n.ssh(c)
	var shown, said workerLog
	cmd.Stdout, cmd.Stderr = &shown, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(shown.String(), "ready") }, "a command that runs")
	sleeping := processesOf(uidOf(t, "node15"))
	if len(sleeping) != 1 {
		t.Fatalf("processes of node15: got %v, want one", sleeping)
	}
	if err := syscall.Kill(parentOf(t, sleeping[0]), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 255 || !strings.Contains(said.String(), "The helper of this login has died.") {
		t.Errorf("got status %d and %q, want 255 and why", got, said.String())
	}
	n.logs("the helper is gone")
	waitCalls(t, "node15", wholeLogin) // the broker's sweep
}

// TestNodeWithoutAHelperTellsToTryLater and goes on serving.
func TestNodeWithoutAHelperTellsToTryLater(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.configure(passwords + "helper: unix:" + n.dir + "/no/such/socket\n")
	if err := os.MkdirAll(n.dir+"/no/such", 0o755); err != nil {
		t.Fatal(err)
	}
	n.start(pamhelper)
	for range 2 {
		n.run(byPassword("node1", "password", password)).expect(t, 255, "", "Logging in is not possible at the moment. Try again later.")
	}
	n.logs("login not possible")
}

// TestAServiceWithoutAccountOrSessionLinesLetsNobodyIn and the log says why.
func TestAServiceWithoutAccountOrSessionLinesLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for missing, said := range map[string]string{"account": "Permission denied", "session": "your session could not be opened"} {
		stack := strings.ReplaceAll(complete(unixStack), missing+" required", "#")
		c := byPassword("node1", "password", password)
		c.line = "echo in"
		n := nodeWith(t, helperWithOnly(t, map[string]string{"sshd": stack}), passwords)
		n.run(c).expect(t, 255, "", said)
		n.logs(`code=PAM_PERM_DENIED line="no line decided: there is none for this step, or all were ignored"`)
		// As Debian's, the service other may let everybody in whom it knows.
		n = nodeWith(t, helperWithOnly(t, map[string]string{"sshd": stack, "other": complete(unixStack)}), passwords)
		n.run(c).expect(t, 255, "", "")
		n.logs("has no " + missing + " line, and libpam would take those of the service other; write at least: " + missing + " required pam_permit.so")
	}
}

// TestNodeOutlivesMalformedSSH of many kinds.
func TestNodeOutlivesMalformedSSH(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords)
	garbage := make([]byte, 64<<10)
	rand.Read(garbage)
	for name, bytes := range map[string][]byte{
		"nothing":           {},
		"garbage":           garbage,
		"no newline":        bytes.Repeat([]byte("S"), 1<<20),
		"zeros":             make([]byte, 1<<20),
		"old version":       []byte("SSH-1.5-x\r\n"),
		"http":              []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"garbage behind":    append([]byte("SSH-2.0-x\r\n"), garbage...),
		"packet of no end":  append([]byte("SSH-2.0-x\r\n"), 0xff, 0xff, 0xff, 0xff, 4, 20),
		"packet of nothing": append([]byte("SSH-2.0-x\r\n"), 0, 0, 0, 0, 0),
		"escapes":           []byte("SSH-2.0-\x1b]0;x\x07\nlogin=0 addr=192.0.2.1 user=root\r\n"),
	} {
		conn, err := net.Dial("tcp", n.address())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		conn.Write(bytes) // the node may have closed it
		conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v, want the connection closed", name, err)
		}
		conn.Close()
	}
	c := byPassword("node1", "password", password)
	c.line = "echo in"
	n.run(c).expect(t, 0, "in\n", "")
	if strings.Contains(n.log.String(), "\x1b") || strings.Contains(n.log.String(), "\nlogin=0") {
		t.Errorf("the log has what the peer chose, unquoted")
	}
}

func (n *node) address() string { return fmt.Sprintf("%s:%d", n.host, n.port) }

// TestNodeLetsOnlySoManyLogInAtOnce keeps some of them for other addresses, and gives
// up those that are silent.
func TestNodeLetsOnlySoManyLogInAtOnce(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), "  max_unauthenticated_connections: 3\n  login_timeout: 2s\n"+strings.TrimPrefix(passwords, "\n"))
	var silent []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", n.address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		if got, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(got, "SSH-2.0-") {
			t.Fatalf("got %q, %v; want to be served", got, err)
		}
		silent = append(silent, conn)
	}
	c := byPassword("node1", "password", password)
	c.line = "echo in"
	n.run(c).expect(t, 255, "", "")
	n.logs("too many connections are logging in: closed\" addr=127.0.0.1 of=127.0.0.1/32 have=2 all=2 most=3")
	c.args = []string{"-b", "127.0.0.2"}
	n.run(c).expect(t, 0, "in\n", "")
	c.args = nil
	n.logs(`why="not logged in after 2s"`)
	for _, conn := range silent {
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("a silent connection: %v, want it closed", err)
		}
	}
	n.run(c).expect(t, 0, "in\n", "")
}

// TestNodeLetsSessionsEndWhenItIsToEnd: what runs may go on for the drain timeout.
func TestNodeLetsSessionsEndWhenItIsToEnd(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, counting(t), strings.ReplaceAll("  drain_timeout: 15s\n"+strings.TrimPrefix(passwords, "\n"), "\n\n", "\n"))
	c := byPassword("node16", "password", password)
	c.line = "echo rea''dy; read word; echo $word; exit 8"
	cmd := n.ssh(c)
	var shown workerLog
	cmd.Stdout = &shown
	cmd.Stdin = nil
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(shown.String(), "ready") }, "a command that runs")
	n.cmd.Process.Signal(syscall.SIGTERM)
	n.logs("ending: no new connections")
	eventually(t, func() bool {
		conn, err := net.Dial("tcp", n.address())
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, "no more connections")
	io.WriteString(input, "behind\n")
	input.Close()
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 8 || !strings.Contains(shown.String(), "behind") {
		t.Errorf("got status %d and %q, want 8 and what was read", got, shown.String())
	}
	n.cmd.Wait()
	if got := n.cmd.ProcessState.ExitCode(); got != 0 {
		t.Errorf("the broker's exit status: got %d, want 0", got)
	}
	waitCalls(t, "node16", wholeLogin)
}

// TestNodeReadsItsConfigurationAgain for new connections, where its broker is told to,
// and keeps the old one where the new one is not right.
func TestNodeReadsItsConfigurationAgain(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords)
	c := byPassword("node1", "password", password)
	c.line = "echo in"
	n.run(c).expect(t, 0, "in\n", "")
	writeFile(t, n.path("agent.yaml"), "ssh_service: {enabld: yes}\n")
	n.cmd.Process.Signal(syscall.SIGHUP)
	n.logs("configuration refused, the old one stays")
	n.run(c).expect(t, 0, "in\n", "")
	n.configure(passwords)
	n.mode("host", 0)
	n.cmd.Process.Signal(syscall.SIGHUP)
	n.logs("host: permission denied; let the agent's own group read it")
	n.logs("where agent check can read it as this user, it is outside of the directories that the service began with")
	n.mode("host", 0o600)
	n.run(c).expect(t, 0, "in\n", "")
	n.configure(passwords + "auth_service: {message_of_the_day: hello}\n")
	n.cmd.Process.Signal(syscall.SIGHUP)
	n.logs("configuration read, for new connections")
	n.run(c).expect(t, 255, "", "There is a message to acknowledge")
	if got := strings.Count(n.log.String(), "the policy was read again"); got != 3 {
		t.Errorf("the policy was read again %d times, want 3", got)
	}
}

// mode changes who may read a file.
func (n *node) mode(name string, mode os.FileMode) {
	n.t.Helper()
	if err := os.Chmod(n.path(name), mode); err != nil {
		n.t.Fatal(err)
	}
}

// agent is the process id of the node's agent.
func (n *node) agent() (pid int) {
	n.t.Helper()
	_, line, _ := strings.Cut(n.log.String(), "agent[")
	if _, err := fmt.Sscanf(line, "%d]", &pid); err != nil {
		n.t.Fatalf("the log does not name the agent: %v", err)
	}
	return pid
}

// TestNodeEndsWhenItsBrokerIsGone and so do its sessions.
func TestNodeEndsWhenItsBrokerIsGone(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords)
	c := byPassword("node17", "password", password)
	c.line = "echo rea''dy; exec sleep 1000"
	cmd := n.ssh(c)
	var shown workerLog
	cmd.Stdout = &shown
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(shown.String(), "ready") }, "a command that runs")
	pid := n.agent()
	n.cmd.Process.Kill()
	n.cmd.Wait()
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 255 {
		t.Errorf("ssh's exit status: got %d, want 255", got)
	}
	gone(t, pid)
	eventually(t, func() bool { return len(processesOf(uidOf(t, "node17"))) == 0 }, "the end of all processes of node17")
}

func parentOf(t *testing.T, pid int) (parent int) {
	t.Helper()
	_, line, _ := strings.Cut(readFile(t, fmt.Sprintf("/proc/%d/status", pid)), "\nPPid:")
	if _, err := fmt.Sscan(line, &parent); err != nil {
		t.Fatal(err)
	}
	return parent
}

// TestNodeUsesTheSocketsThatItIsStartedWith so that a port below 1024 needs no
// privileges of the agent.
func TestNodeUsesTheSocketsThatItIsStartedWith(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.port = 1000 + int(ports.Add(1))%23 // the agent could not bind it
	writeFile(t, n.path("known_hosts"), fmt.Sprintf("[%s]:%d %s", loopback, n.port, readFile(t, n.path("host.pub"))))
	n.configure(passwords)
	n.start(helperWith(t, unixStack, nil), "--listen", n.address())
	c := byPassword("node1", "password", password)
	c.line = "echo in"
	n.run(c).expect(t, 0, "in\n", "")
}

// TestNodeTellsWhatThePolicyDoesNotLetStart in words.
func TestNodeTellsWhatThePolicyDoesNotLetStart(t *testing.T) {
	t.Parallel()
	n := keyed(t, pamhelper, `
  authorized_keys: DIR/%u.keys
  pam: {enabled: yes, service_name: sftponly}
`)
	writeFile(t, n.path("node18.keys"), readFile(t, n.path("key.pub")))
	c := n.byKey("node18")
	c.answers, c.line = nil, "id"
	n.run(c).expect(t, 1, "", "policy")
	file, want := n.random("file", 1000)
	if r := runCmd(t, n.program("scp", c, "-q", file, "node18@"+loopback+":copied")); r.status != 0 {
		t.Errorf("scp: %+v", r)
	}
	if got := readFile(t, "/home/node18/copied"); got != string(want) {
		t.Errorf("got %d other bytes, want the %d", len(got), len(want))
	}
}

// TestASecondSIGTERMEndsSessionsAtOnce and in order all the same.
func TestASecondSIGTERMEndsSessionsAtOnce(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, counting(t), "  drain_timeout: 1h\n"+strings.TrimPrefix(passwords, "\n"))
	c := byPassword("node19", "password", password)
	c.line = "echo rea''dy; exec sleep 1000"
	cmd := n.ssh(c)
	var shown workerLog
	cmd.Stdout = &shown
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Contains(shown.String(), "ready") }, "a command that runs")
	pid := n.agent()
	syscall.Kill(pid, syscall.SIGTERM)
	n.logs("ending: no new connections")
	syscall.Kill(pid, syscall.SIGTERM)
	cmd.Wait()
	gone(t, pid)
	n.logs("step=end code=PAM_SUCCESS")
	eventually(t, func() bool { return strings.HasSuffix(calls("node19"), wholeLogin) }, "a login that was undone: %s", lazyCalls("node14"))
}
