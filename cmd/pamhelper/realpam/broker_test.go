package realpam_test

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// brokered is a broker, with an agent that hands its control socket to the test: the
// test then is the agent, but for the process.
type brokered struct {
	*ground
	cmd      *exec.Cmd
	log      fileLog
	agent    int           // its process id
	agentUID int           // of the user that it is
	wire     *net.UnixConn // to the agent's process
	said     *bufio.Reader
	control  *net.UnixConn
	ended    chan struct{}
}

// fileLog is the log of a program whose children may write to it longer than it
// lives.
type fileLog string

func (l fileLog) String() string {
	text, _ := os.ReadFile(string(l))
	return string(text)
}

// logTo sends a program's standard error to a log.
func logTo(t *testing.T, cmd *exec.Cmd) fileLog {
	t.Helper()
	file, err := os.OpenFile(t.TempDir()+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	cmd.Stderr = file
	return fileLog(file.Name())
}

// agentBinary is this program, where another user may execute it.
var agentBinary = sync.OnceValues(func() (string, error) {
	path := base + "/test-agent"
	return path, errors.Join(command("cp", fmt.Sprintf("/proc/%d/exe", os.Getpid()), path), os.Chmod(path, 0o755))
})

// agentUser gives the helper a user to start the agent as.
func (g *ground) agentUser() (name string, uid int) {
	g.t.Helper()
	uid = g.uid + 10000
	name = fmt.Sprintf("agent%d", uid)
	g.rewrite("/etc/passwd", g.line()+fmt.Sprintf("%s:x:%d:%d::/var/empty:/bin/false\n", name, uid, uid))
	return name, uid
}

// brokerCommand is a broker's command line, with an agent of this test's binary.
func (g *ground) brokerCommand(user string, flags []string, role ...string) *exec.Cmd {
	g.t.Helper()
	binary, err := agentBinary()
	if err != nil {
		g.t.Fatal(err)
	}
	words := append(append([]string{"broker", "--user", user}, flags...), "--", binary)
	return exec.Command(g.helper, append(words, role...)...)
}

// broker starts one and takes over the agent's control socket.
func (g *ground) broker(flags ...string) *brokered {
	g.t.Helper()
	b := &brokered{ground: g}
	var name string
	name, b.agentUID = g.agentUser()
	b.cmd = g.brokerCommand(name, flags, roleRelay)
	b.begin()
	return b
}

func (b *brokered) begin() {
	b.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "")
	defer theirs.Close()
	if b.wire, err = ipc.UnixConn(os.NewFile(uintptr(fds[0]), "")); err != nil {
		b.t.Fatal(err)
	}
	b.cmd.Stdin, b.log = theirs, logTo(b.t, b.cmd)
	b.cmd.Env = append(os.Environ(), "TERM=vt100", "SECRET=of-root", "LISTEN_FDS=9")
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.ended = make(chan struct{})
	go func() { b.cmd.Wait(); close(b.ended) }()
	b.t.Cleanup(b.tidy)
	b.takeControl()
}

func (b *brokered) tidy() {
	b.wire.Close() // the agent's process leaves
	if b.control != nil {
		b.control.Close()
	}
	select {
	case <-b.ended:
	case <-time.After(patience):
		b.t.Errorf("the broker did not end in %s when its agent left", patience)
		b.cmd.Process.Kill()
		<-b.ended
	}
	if b.t.Failed() {
		b.t.Logf("the broker's log:\n%s", b.log.String())
	}
}

// takeControl receives what the agent's process hands over.
func (b *brokered) takeControl() {
	b.t.Helper()
	b.wire.SetReadDeadline(time.Now().Add(patience))
	text, oob := make([]byte, 32), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := b.wire.ReadMsgUnix(text, oob)
	if err != nil {
		b.t.Fatalf("from the agent: %v; the broker's log:\n%s", err, b.log.String())
	}
	messages, err1 := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || err1 != nil || len(messages) != 1 {
		b.t.Fatalf("from the agent: %q, %v, %v, %d control messages; the broker's log:\n%s", text[:n], err, err1, len(messages), b.log.String())
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		b.t.Fatal(err)
	}
	if b.control, err = ipc.UnixConn(os.NewFile(uintptr(fds[0]), "")); err != nil {
		b.t.Fatal(err)
	}
	fmt.Sscanf(string(text[:n]), "%d\n", &b.agent)
	b.said = bufio.NewReader(b.wire)
}

// says waits for a line of the agent's process.
func (b *brokered) says(want string) {
	b.t.Helper()
	b.wire.SetReadDeadline(time.Now().Add(patience))
	if line, err := b.said.ReadString('\n'); line != want+"\n" {
		b.t.Errorf("the agent says %q (%v), want %q", line, err, want)
	}
}

// launcher is the control socket as an agent uses it. The test has no other use of
// it behind that.
func (b *brokered) launcher() *ipc.Broker {
	b.t.Helper()
	launcher := ipc.NewBroker(b.control)
	b.control = nil
	b.t.Cleanup(func() { launcher.Close() })
	return launcher
}

// open opens a session of the ground's user through the broker.
func (b *brokered) open(launcher ipc.Launcher) *ipc.Client {
	b.t.Helper()
	client, err := ipc.Dial(b.t.Context(), launcher, ipc.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { client.Close() })
	results, err := client.Login(b.t.Context(), loginOf(b.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	if err != nil {
		b.t.Fatalf("open a session: %q, %v", show(results), err)
	}
	return client
}

func (b *brokered) signal(sig syscall.Signal) {
	b.t.Helper()
	if err := b.cmd.Process.Signal(sig); err != nil {
		b.t.Fatal(err)
	}
}

// exits waits for the end of the broker.
func (b *brokered) exits(status int) {
	b.t.Helper()
	select {
	case <-b.ended:
	case <-time.After(2 * patience):
		b.t.Fatalf("the broker did not end in %s", 2*patience)
	}
	if got := b.cmd.ProcessState.ExitCode(); got != status {
		b.t.Errorf("the broker's exit status: got %d (%s), want %d", got, b.cmd.ProcessState, status)
	}
}

// logs waits for a line in the broker's log with all these words.
func (b *brokered) logs(words ...string) {
	b.t.Helper()
	eventually(b.t, func() bool { return hasLine(b.log.String(), words...) }, "a line with %q in the broker's log:\n%s", words, b.log)
}

func hasLine(text string, words ...string) bool {
lines:
	for line := range strings.Lines(text) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue lines
			}
		}
		return true
	}
	return false
}

// childrenOf lists the processes that a process has started and not reaped, by what
// they are called with.
func childrenOf(t *testing.T, pid int, argument string) (found []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "stat"))
		line, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		_, fields, _ := strings.Cut(string(stat), ") ")
		parts := strings.Fields(fields)
		if len(parts) > 1 && parts[1] == strconv.Itoa(pid) && strings.Contains(string(line), argument) {
			found = append(found, child)
		}
	}
	return found
}

// The names of a spare worker's process, before it is ready and then.
const (
	newSpare     = "pamhelper new"
	waitingSpare = "pamhelper spare"
)

// sparesOf are the processes that a broker keeps for logins to come, ready or not.
func sparesOf(t *testing.T, broker int) []int {
	t.Helper()
	return slices.DeleteFunc(childrenOf(t, broker, "\x00worker\x00"), func(pid int) bool { return !isSpare(pid) })
}

// workers are the broker's that have a login.
func (b *brokered) workers() []int {
	b.t.Helper()
	return slices.DeleteFunc(childrenOf(b.t, b.cmd.Process.Pid, "\x00worker\x00"), isSpare)
}

// isSpare reports whether a worker has no login yet: with it, it takes the name of all
// others. One that has just been started has no name of its own, and one that ends no
// command line.
func isSpare(pid int) bool {
	name := processName(pid)
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return name == newSpare || name == waitingSpare || strings.Contains(string(line), "\x00--spare\x00") && name != "pamhelper"
}

// processName is what the process calls itself (PR_SET_NAME); empty where it has ended.
func processName(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(name))
}

// worker is the one worker of the broker that has a login.
func (b *brokered) worker() int {
	b.t.Helper()
	found := b.workers()
	if len(found) != 1 {
		b.t.Fatalf("workers of the broker: got %v, want one", found)
	}
	return found[0]
}

func TestALoginThroughABroker(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker()
	launcher := b.launcher()
	client := b.open(launcher)
	if got := runIn(t, client, "id -u", "").stdout; got != fmt.Sprintln(b.uid) {
		t.Errorf("id -u: got %q, want %d", got, b.uid)
	}
	if _, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Error(err)
	}
	waitCalls(t, b.user, whole)
}

func TestTheAgentsExitStatusIsTheBrokers(t *testing.T) {
	for _, status := range []int{0, 1, 7, 255} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			b := newGround(t).broker()
			fmt.Fprintf(b.wire, "exit %d\n", status)
			b.exits(status)
		})
	}
	t.Run("signal", func(t *testing.T) {
		t.Parallel()
		b := newGround(t).broker()
		syscall.Kill(b.agent, syscall.SIGKILL)
		b.exits(128 + int(syscall.SIGKILL))
	})
}

func TestSignalsArePassedToTheAgent(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGINT, syscall.SIGTERM} {
		b.signal(sig)
		b.says(unix.SignalName(sig))
	}
	fmt.Fprintln(b.wire, "exit 5")
	b.exits(5)
}

func TestASecondSIGTERMEndsAnAgentThatStays(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker()
	client := b.open(b.launcher())
	p, _ := start(t, client, "echo ready; sleep 1000")
	b.signal(syscall.SIGTERM)
	b.says("SIGTERM")
	if !alive(p.PID) {
		t.Error("a session ended by SIGTERM alone, want the agent to decide that")
	}
	b.signal(syscall.SIGTERM)
	b.exits(128 + int(syscall.SIGKILL))
	b.logs("second SIGTERM", strconv.Itoa(b.agent))
	if alive(p.PID) {
		t.Error("the shell is there behind the end of the broker")
	}
	waitCalls(t, b.user, whole)
}

func TestAnAgentThatDoesNotStopInTimeIsKilled(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker("--stop-timeout", "100ms")
	b.signal(syscall.SIGTERM)
	b.says("SIGTERM")
	b.exits(128 + int(syscall.SIGKILL))
	b.logs("did not end in 100ms")
}

func TestWhatAnEarlierBrokerLeftIsSweptAtTheStart(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := g.open()
	p, _ := start(t, client, "echo ready; sleep 1000")
	killWorker(t, log)
	b := g.broker() // its agent has been started
	if alive(p.PID) {
		t.Error("the shell of a dead login is there when the agent is started")
	}
	if left := recordsIn(t, g.records); len(left) > 0 {
		t.Errorf("records when the agent is started: %q, want none", left)
	}
	b.logs("closed")
	waitCalls(t, g.user, whole)
}

func TestABrokerRefusesWhatItCannotStart(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	name, _ := g.agentUser()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		args   []string
		says   string
		status int // 0: 2
	}{
		{args: []string{"--user", name}, says: "name the COMMAND"},
		{args: []string{"--", "true"}, says: `required flag(s) "user" not set`},
		{args: []string{"--user", name, "true"}, says: "in front of --"},
		{args: []string{"--user", "root", "--", "true"}, says: "uid 0"},
		{args: []string{"--user", "nobodyatall", "--", "true"}, says: "no such user"},
		{args: []string{"--user", name, "--", "no-such-command"}, says: "not in /usr/local/bin:/usr/bin:/bin"},
		{args: []string{"--user", name, "--", "bin/true"}, says: "relative path"},
		{args: []string{"--user", name, "--", "/no/such"}, says: "/no/such cannot be executed"},
		{args: []string{"--user", name, "--", "/etc/shadow"}, says: "may not execute it"},
		{args: []string{"--user", name, "--listen", "localhost:22", "--", "true"}, says: "not a numeric address"},
		{args: []string{"--user", name, "--listen", taken.Addr().String(), "--", "true"}, says: "address already in use; another process has it", status: 1},
		{args: []string{"--user", name, "--listen", "192.0.2.7:22", "--", "true"}, says: "no interface of this machine has it", status: 1},
		{args: []string{"--user", name, "--listen", ":", "--", "true"}, says: "not a numeric address"},
		{args: []string{"--user", name, "--listen", ":ssh", "--", "true"}, says: "not a numeric address"},
		{args: []string{"--user", name, "--policy", "/no/policy", "--", "true"}, says: "/no/policy"},
		{args: []string{"--user", name, "--stop-timeout", "0", "--", "true"}, says: "--stop-timeout"},
		{args: []string{"--user", name, "--spare", "65", "--", "true"}, says: "--spare 65: it is a number of waiting processes, from 0 to 64"},
		{args: []string{"--user", name, "--spare", "-1", "--", "true"}, says: "--spare -1: it is a number of waiting processes, from 0 to 64"},
	} {
		r := run(t, "", g.helper, append([]string{"broker"}, c.args...)...)
		if want := cmp.Or(c.status, 2); r.status != want || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%q: got status %d and %q, want %d and %q", c.args, r.status, r.stderr, want, c.says)
		}
	}
}

// In a container root may lack what a broker needs.
func TestABrokerSaysWhatTheMachineDoesNotGiveIt(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	name, _ := g.agentUser()
	broker := g.helper + " broker --user " + name + " -- true"
	for _, c := range []struct{ with, says string }{
		{"setpriv --bounding-set=-setpcap --inh-caps=-setpcap " + broker, "needs CAP_SETPCAP"},
		{"setpriv --bounding-set=-setuid --inh-caps=-setuid " + broker, "needs CAP_SETPCAP, CAP_SETUID"},
		{"ulimit -n 500; " + broker, "raise its hard limit"},
		{"unshare -m sh -c 'mount -t tmpfs -o ro,mode=700 none /run/pamhelper && exec " + pamhelper + " broker --user nobody -- true'",
			"cannot be kept in /run/pamhelper: read-only file system"},
	} {
		if r := run(t, "", "/bin/sh", "-c", c.with); r.status != 2 || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%s: got status %d and %q, want 2 and %q", c.with, r.status, r.stderr, c.says)
		}
	}
}

func TestABrokerSaysWhereItHasDescriptorsForFewerLogins(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	name, _ := g.agentUser()
	r := run(t, "", "/bin/sh", "-c", "ulimit -n 700; "+g.helper+" broker --user "+name+" -- true")
	if want := "limits.logins admits 1000 logins, and the broker has descriptors for 188: raise its hard limit"; r.status != 0 || !strings.Contains(r.stderr, want) {
		t.Errorf("got status %d and %q, want 0 and %q", r.status, r.stderr, want)
	}
}

// In a container the broker may be process 1, to which all are left whose parents end.
func TestABrokerThatIsProcess1ReapsWhatIsLeftToIt(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	name, _ := g.agentUser()
	agent := `orphan=$( (sh -c 'echo $$' &) )
		for i in $(seq 200); do
			[ -e /proc/$orphan ] || { echo gone; exit 7; }
			sleep 0.05
		done`
	r := run(t, "", "unshare", "--pid", "--fork", "--mount-proc", g.helper, "broker", "--user", name, "--", "sh", "-c", agent)
	if r.status != 7 || r.stdout != "gone\n" {
		t.Errorf("got status %d, %q and\n%s\nwant 7 and the orphan gone", r.status, r.stdout, r.stderr)
	}
}
