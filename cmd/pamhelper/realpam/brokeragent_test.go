package realpam_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// What this test binary does as an agent that a broker has started.
const (
	roleRelay  = "agent-that-hands-over"
	roleReport = "agent-that-reports"
	roleLogin  = "agent-that-logs-in"
	roleMany   = "agent-of-many-logins"
)

func init() {
	if len(os.Args) < 2 {
		return
	}
	roles := map[string]func([]string) error{roleRelay: beRelay, roleReport: beReporter, roleLogin: beLogin, roleMany: beMany}
	be := roles[os.Args[1]]
	if be == nil {
		return
	}
	if err := be(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// beRelay hands the control socket to whoever is on standard input, says which
// signals come, and does not heed them.
func beRelay([]string) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	fd, err := strconv.Atoi(os.Getenv("PAMHELPER_BROKER"))
	if err != nil {
		return err
	}
	wire, err := ipc.UnixConn(os.Stdin)
	if err != nil {
		return err
	}
	if _, _, err := wire.WriteMsgUnix(fmt.Appendln(nil, os.Getpid()), unix.UnixRights(fd), nil); err != nil {
		return err
	}
	unix.Close(fd)
	go func() {
		for sig := range signals {
			if sig != syscall.SIGURG { // the runtime's own
				fmt.Fprintln(wire, unix.SignalName(sig.(syscall.Signal)))
			}
		}
	}()
	var status int
	fmt.Fscanf(bufio.NewReader(wire), "exit %d\n", &status)
	os.Exit(status)
	return nil
}

// beReporter says all that the agent has.
func beReporter([]string) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		number, _ := strconv.Atoi(entry.Name())
		flags, flagErr := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0)
		if err != nil || flagErr != nil || flags&unix.FD_CLOEXEC != 0 {
			continue // this program's own
		}
		kind, _, _ := strings.Cut(target, ":")
		fmt.Println("descriptor", number, kind)
	}
	for _, variable := range os.Environ() {
		fmt.Println("variable", variable)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		fmt.Print("status ", strings.Join(strings.Fields(line), " "), "\n")
	}
	dir, _ := os.Getwd()
	fmt.Println("dir", dir)
	var core unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_CORE, &core)
	fmt.Println("core", core.Cur, core.Max)
	sid, _ := unix.Getsid(0)
	fmt.Println("leader", sid == os.Getpid())
	fmt.Println("pid", os.Getpid())
	_, err = os.OpenFile("/dev/tty", os.O_RDWR, 0)
	fmt.Println("tty", errors.Is(err, unix.ENXIO))
	bits, _ := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	fmt.Printf("securebits %#x\n", bits)
	for _, fd := range listenFDs() {
		address, err := unix.Getsockname(fd)
		if in, ok := address.(*unix.SockaddrInet4); ok {
			fmt.Println("listens", in.Port, err)
		}
	}
	return nil
}

// listenFDs are the descriptors that LISTEN_FDS names, by their names.
func listenFDs() (fds []int) {
	for i, name := range strings.Split(os.Getenv("LISTEN_FDNAMES"), ":") {
		if name == "listen" {
			fds = append(fds, 3+i)
		}
	}
	return fds
}

// beLogin logs a user in and stays, as beAgent does.
func beLogin(args []string) error {
	ctx := context.Background()
	broker, err := ipc.OpenBroker()
	if err != nil {
		return err
	}
	client, err := ipc.Dial(ctx, broker, ipc.Options{Conversation: teller{}, CloseTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	if len(args) > 1 {
		fmt.Println("greeted")
		select {}
	}
	if _, err := client.Login(ctx, loginOf(args[0]), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		return err
	}
	p, err := client.Start(ctx, ipc.Command{Line: "sleep 1000 & sleep 1000", Terminal: &ipc.Terminal{}})
	if err != nil {
		return err
	}
	fmt.Println("running", p.PID)
	<-broker.Done()
	fmt.Println("gone")
	_, err = p.Wait(ctx)
	return err
}

// statusLines are the lines of /proc/PID/status that say what a process may do.
func statusLines(text string) (lines []string) {
	for _, line := range strings.Split(text, "\n") {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "status "), ":")
		if slices.Contains([]string{"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
			"Umask", "SigIgn", "SigBlk"}, name) {
			lines = append(lines, strings.TrimPrefix(line, "status "))
		}
	}
	slices.Sort(lines)
	return lines
}

// reported runs an agent that says what it has, under a broker that is in the worst
// of surroundings: nohup, blocked signals, descriptors left open, a terminal.
func reported(t *testing.T, flags ...string) (report, name string, uid int) {
	t.Helper()
	g := newGround(t)
	name, uid = g.agentUser()
	group := t.TempDir() + "/group"
	writeFile(t, group, fmt.Sprintf("root:x:0:\n%s:x:%d:\nextra:x:40001:someone,%s\nother:x:40002:someone\n", name, uid, name))
	g.before("mount --bind '" + group + "' /etc/group")
	cmd := g.brokerCommand(name, flags, roleReport)
	cmd.Args = append([]string{"nohup", "env", "-i", "TERM=vt100", "SECRET=of-root", "LISTEN_FDS=3", "PAMHELPER_BROKER=9", "PATH=" + os.Getenv("PATH"),
		"sh", "-c", `exec 7</etc/shadow 9</etc/passwd; trap "" TSTP USR1 PIPE; exec "$0" "$@"`, g.helper}, cmd.Args[1:]...)
	cmd.Path = "/usr/bin/nohup"
	log := logTo(t, cmd)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the broker: %v\n%s", err, log.String())
	}
	return string(out), name, uid
}

// linesOf returns the lines that begin with a word, sorted, without it.
func linesOf(text, word string) (lines []string) {
	for _, line := range strings.Split(text, "\n") {
		if after, ok := strings.CutPrefix(line, word+" "); ok {
			lines = append(lines, after)
		}
	}
	slices.Sort(lines)
	return lines
}

func expectLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

func TestTheAgentHasNothingOfRoot(t *testing.T) {
	t.Parallel()
	report, name, uid := reported(t)
	id := strings.Repeat(fmt.Sprintf(" %d", uid), 4)
	none := " 0000000000000000"
	expectLines(t, "/proc/self/status", statusLines(report), []string{
		"Uid:" + id, "Gid:" + id, fmt.Sprintf("Groups: %d 40001", uid),
		"CapInh:" + none, "CapPrm:" + none, "CapEff:" + none, "CapBnd:" + none, "CapAmb:" + none,
		"NoNewPrivs: 1", "Umask: 0077", "SigIgn:" + none, "SigBlk:" + none,
	})
	expectLines(t, "the environment", linesOf(report, "variable"), []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/var/empty", "USER=" + name, "LOGNAME=" + name, "SHELL=/bin/false",
		"TERM=vt100", "PAMHELPER_BROKER=3",
	})
	expectLines(t, "descriptors", linesOf(report, "descriptor"), []string{"0 /dev/null", "1 pipe", "2 pipe", "3 socket"})
	for word, want := range map[string]string{"dir": "/", "core": "0 0", "leader": "true", "tty": "true", "securebits": "0xeb"} {
		expectLines(t, word, linesOf(report, word), []string{want})
	}
}

func TestTheAgentListensOnAPortOfRoots(t *testing.T) {
	t.Parallel()
	report, _, _ := reported(t, "--listen", "127.0.0.1:22", "--listen", "127.0.0.2:23")
	expectLines(t, "descriptors", linesOf(report, "descriptor"),
		[]string{"0 /dev/null", "1 pipe", "2 pipe", "3 socket", "4 socket", "5 socket"})
	pid := linesOf(report, "pid")[0]
	var listening []string
	for _, variable := range linesOf(report, "variable") {
		if strings.HasPrefix(variable, "LISTEN_") {
			listening = append(listening, variable)
		}
	}
	expectLines(t, "variables", listening, []string{"LISTEN_PID=" + pid, "LISTEN_FDS=3", "LISTEN_FDNAMES=pamhelper:listen:listen"})
	expectLines(t, "listens", linesOf(report, "listens"), []string{"22 <nil>", "23 <nil>"})
	if conn, err := net.Dial("tcp", "127.0.0.1:22"); err == nil {
		conn.Close()
		t.Error("the port is open behind the end of the broker")
	}
}

func TestTheBrokerKeepsNothingOfItsStarter(t *testing.T) {
	t.Parallel()
	b := newGround(t).broker()
	dir := fmt.Sprintf("/proc/%d", b.cmd.Process.Pid)
	status := readFile(t, dir+"/status")
	if !strings.Contains(status, "\nUmask:\t0077\n") {
		t.Errorf("status: got %q, want umask 077", status)
	}
	if cwd, err := os.Readlink(dir + "/cwd"); cwd != "/" {
		t.Errorf("working directory: got %q, %v; want /", cwd, err)
	}
	for _, fd := range []string{"0", "1"} {
		if target, err := os.Readlink(dir + "/fd/" + fd); target != "/dev/null" {
			t.Errorf("descriptor %s: got %q, %v; want /dev/null", fd, target, err)
		}
	}
}

func TestWhatTheAgentSaysIsMarkedInTheLog(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	name, _ := g.agentUser()
	r := run(t, "", g.helper, "broker", "--user", name, "--", "sh", "-c",
		`printf 'pamhelper[1]: broker: all is well\n\033[2Jhalf' >&2; printf forged`)
	if r.status != 0 || r.stdout != "forged" {
		t.Errorf("got status %d, standard output %q; want 0 and what the agent wrote", r.status, r.stdout)
	}
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "agent[") && !strings.HasPrefix(line, "pid=") {
			t.Errorf("a line that is not marked as the agent's: %q", line)
		}
	}
	if !hasLine(r.stderr, "pamhelper[1]: broker: all is well") || !hasLine(r.stderr, "half") || strings.Contains(r.stderr, "\033") {
		t.Errorf("got %q, want both lines of the agent, and no escape", r.stderr)
	}
}

func TestTheAgentHasNoDescriptorOfTheLog(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	name, _ := g.agentUser()
	log := t.TempDir() + "/log"
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := g.brokerCommand(name, nil)
	cmd.Args = append(cmd.Args[:len(cmd.Args)-1], "sh", "-c", "readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 >&2")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, file
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if text := readFile(t, log); strings.Contains(text, log) || strings.Count(text, "pipe:[") != 2 || strings.Count(text, "/dev/null") != 1 {
		t.Errorf("the agent's standard descriptors: got\n%swant /dev/null and twice a pipe", text)
	}
}
