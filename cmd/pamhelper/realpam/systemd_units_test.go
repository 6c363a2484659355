package realpam_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// stack replaces the service of logins on this machine.
func (s *systemd) stack(lines ...string) {
	s.t.Helper()
	writeFile(s.t, s.path("/etc/pam.d/sshd"), complete(strings.Join(lines, "\n")))
}

// saysOf is what systemd said of a unit.
func (s *systemd) saysOf(unit string) (lines string) {
	for line := range strings.Lines(s.says.String()) {
		if strings.Contains(line, unit) {
			lines += line
		}
	}
	return lines
}

// worker is the process id of a unit's worker, seen from here.
func (s *systemd) worker(unit string) (worker int) {
	s.t.Helper()
	for _, pid := range s.processesOf(unit) {
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(name) == "pamhelper\n" {
			worker = pid
		}
	}
	if worker == 0 {
		s.t.Fatalf("no worker in %s: %q", unit, describe(s.processesOf(unit)))
	}
	return worker
}

func TestTheSocketIsTheAgentsAndTheRecordsAreRoots(t *testing.T) {
	t.Parallel()
	s := startSystemd(t)
	s.listens()
	for name, want := range map[string]string{
		"/run/pamhelper.sock": "socket 660 root pamhelper-agent\n", "/run/pamhelper": "directory 700 root root\n",
	} {
		if got := s.in("stat", "-c", "%F %a %U %G", name).stdout; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got, want := s.in("getent", "passwd", "pamhelper-agent").stdout, ":/usr/sbin/nologin\n"; !strings.HasSuffix(got, want) {
		t.Errorf("the agent's user: got %q, want one that ends with %q", got, want)
	}
}

// systemds are variables by which systemd tells a service something.
var systemds = []string{"LISTEN_", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_", "REMOTE_", "MAINPID", "WATCHDOG_", "LANG"}

func expectNothingOfSystemd(t *testing.T, who, environment string) {
	t.Helper()
	if environment == "" {
		t.Errorf("the environment of %s was not seen", who)
	}
	for line := range strings.Lines(environment) {
		if slices.ContainsFunc(systemds, func(name string) bool { return strings.HasPrefix(line, name) }) {
			t.Errorf("the environment of %s has %q, want nothing of systemd's", who, line)
		}
	}
}

func TestASessionUnderSystemdIsThatOfALogin(t *testing.T) {
	t.Parallel()
	s := startSystemd(t)
	client := s.listens().open(t, "unit1")
	unit := s.only()
	if got, want := s.ctl("show", "--property=SubState", unit), "SubState=running\n"; got != want {
		t.Errorf("%s: got %q, want %q", unit, got, want)
	}
	expectNothingOfSystemd(t, "the user", runIn(t, client, "env", "").stdout)
	expectOutput(t, client, "cd /proc/self/fd && echo *", "0 1 2 3\n") // 3 is the directory
	// Whatever the shell inherits it has of process 1, as in a login through sshd.
	const attributes = "grep -E '^(CapBnd|NoNewPrivs|Seccomp|SigIgn|SigBlk):' /proc/%s/status; " +
		"for n in mnt net ipc uts user pid cgroup; do readlink /proc/%[1]s/ns/$n; done"
	want := strings.Replace(s.in("sh", "-c", fmt.Sprintf(attributes, "1")).stdout, "SigBlk", "", 1)
	got := runIn(t, client, fmt.Sprintf(attributes, "self"), "").stdout
	for _, mine := range strings.Fields("CapBnd NoNewPrivs Seccomp mnt net ipc uts user pid cgroup") {
		if value := attribute(want, mine); value == "" || attribute(got, mine) != value {
			t.Errorf("%s of the user's process: got %q, want %q as process 1 has it", mine, attribute(got, mine), value)
		}
	}
	for _, signals := range []string{"SigIgn", "SigBlk"} {
		if value := attribute(got, signals); value != "0000000000000000" {
			t.Errorf("%s of the user's process: got %q, want none", signals, value)
		}
	}
	p, _ := start(t, client, "tty; echo ready; read -r line; exit 3")
	p.Master.WriteString("go on\n")
	if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 3 {
		t.Errorf("a process on a terminal: got %+v, %v; want status 3", exit, err)
	}
	if _, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Error(err)
	}
	s.gone()
	waitCalls(t, "unit1", wholeLogin)
}

// attribute is what is behind a name in lines like "Name: value" and "name:[value]".
func attribute(lines, name string) string {
	for line := range strings.Lines(lines) {
		if value, is := strings.CutPrefix(line, name+":"); is {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func TestModulesUnderSystemdSeeNothingOfIt(t *testing.T) {
	t.Parallel()
	module := hostile(t)
	s := startSystemd(t)
	s.stack("auth required pam_permit.so", "session required "+module+" shell in=session [file=env; cd /proc/self/fd && echo descriptors * && readlink 0]")
	client := s.listens().dial(t, &person{})
	if _, err := client.Login(t.Context(), loginOf("unit2"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.End); err != nil {
		t.Fatal(err)
	}
	s.gone()
	printed := ""
	for line := range strings.Lines(s.journal.all.String()) {
		printed += after(line, "module output: ")
	}
	expectNothingOfSystemd(t, "a module", printed)
	if want := "descriptors 0 1 2 3\n/dev/null\n"; !strings.HasSuffix(printed, want) {
		t.Errorf("a module's child printed\n%s\nwant at its end %q", printed, want)
	}
}

// ending is a way for a login to end.
type ending struct {
	name, stack string // the machine's own stack where empty
	login       func(*testing.T, unixSocket)
	failed      string // what systemd makes of the unit; empty: nothing
}

// refusedWith expects a login's error.
func (path unixSocket) refusedWith(t *testing.T, p *person, login ipc.Login, wanted any) {
	t.Helper()
	client, err := ipc.Dial(t.Context(), path, ipc.Options{Conversation: p, LoginTimeout: time.Second, CloseTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Login(t.Context(), login, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); !errors.As(err, wanted) {
		t.Errorf("the login ended with %v, want a %T", err, wanted)
	}
}

func endings(module string) []ending {
	crash := func(t *testing.T, path unixSocket) {
		path.refusedWith(t, &person{}, loginOf("unit3"), new(*ipc.CrashError))
	}
	return []ending{
		{"a wrong password", "", func(t *testing.T, path unixSocket) {
			path.refusedWith(t, &person{answers: []string{"wrong"}}, loginOf("unit3"), new(ipc.Code))
		}, ""},
		{"somebody who does not exist", "", func(t *testing.T, path unixSocket) {
			path.refusedWith(t, &person{answers: []string{"wrong"}}, loginOf("nobody-of-that-name"), new(ipc.Code))
		}, ""},
		{"a service that the policy does not name", "", func(t *testing.T, path unixSocket) {
			path.refusedWith(t, &person{}, ipc.Login{Service: "su", User: "unit3", Rhost: remote}, new(*ipc.RefusedError))
		}, ""},
		{"an agent that leaves in a prompt", "", func(t *testing.T, path unixSocket) {
			client := path.dial(t, &person{})
			go client.Login(t.Context(), loginOf("unit3"), ipc.Authenticate)
			client.Close()
		}, ""},
		{"an agent that says nothing", "", func(t *testing.T, path unixSocket) {
			conn, err := path.Launch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		}, ""},
		{"what is no frame", "", func(t *testing.T, path unixSocket) {
			conn, err := path.Launch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
			if event, _, err := ipc.NewConn(conn).ReadEvent(); event.GetFault().GetKind() != pb.Fault_VIOLATION {
				t.Errorf("got %v, %v; want that it is a violation", event, err)
			}
		}, ""},
		{"a module that crashes", "auth required " + module + " segv", crash, "Failed with result '"}, // signal or core-dump
		{"a module that exits with 0", "auth required " + module + " exit", crash, "Failed with result 'exit-code'"},
		{"a module that hangs", "auth required " + module + " pause", func(t *testing.T, path unixSocket) {
			path.refusedWith(t, &person{}, loginOf("unit3"), new(*ipc.HangError))
		}, "Failed with result 'exit-code'"},
	}
}

func TestOnlyWhatTheHelperOrAModuleDidWrongIsAFailedUnit(t *testing.T) {
	ready(t)
	for _, c := range endings(hostile(t)) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := startSystemd(t)
			if c.stack != "" {
				s.stack(c.stack)
			}
			c.login(t, s.listens())
			const unit = "pamhelper@0-"
			eventually(t, func() bool {
				says := s.saysOf(unit)
				return strings.Contains(says, "Deactivated successfully") || strings.Contains(says, "Failed with result")
			}, "the end of %s", unit)
			if says := s.saysOf(unit); strings.Contains(says, "Failed") != (c.failed != "") || !strings.Contains(says, c.failed) {
				t.Errorf("systemd says\n%s\nwant it to say: %q", says, c.failed)
			}
			s.gone() // no failed unit stays
		})
	}
}

func TestAKilledWorkerIsSweptByItsUnitAndOtherLoginsGoOn(t *testing.T) {
	t.Parallel()
	s := startSystemd(t)
	path := s.listens()
	killed := path.open(t, "unit4")
	unit := s.only()
	p, own := start(t, killed, `sleep 1000 & setsid sh -c 'echo ready $$; exec sleep 1000' & wait`)
	other := path.open(t, "unit5")
	survivor := inNamespace(t, s, own[0])
	if err := syscall.Kill(s.worker(unit), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context()); !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("the process: got %v, want %v", err, ipc.ErrHelperDied)
	}
	waitCalls(t, "unit4", wholeLogin)
	eventually(t, func() bool { return strings.Contains(s.saysOf(unit), "remains running after unit stopped") }, "the end of %s", unit)
	if says := s.saysOf(unit); !strings.Contains(says, "Failed with result 'signal'") {
		t.Errorf("systemd says\n%s\nwant that the unit failed", says)
	}
	if !alive(survivor) {
		t.Error("what made a session of its own has ended, want only the login's own processes ended")
	}
	if left := s.in("pgrep", "-u", "unit4").stdout; strings.Count(left, "\n") != 1 {
		t.Errorf("processes of the user: got %q, want what made a session of its own", left)
	}
	if o := runIn(t, other, "echo on", ""); o.stdout != "on\n" {
		t.Errorf("the other session: got %+v, want it to go on", o)
	}
	if listed := s.in("pamhelper", "sessions").stdout; strings.Count(listed, " live ") != 1 || strings.Contains(listed, "unit4") {
		t.Errorf("sessions: got\n%s\nwant the other one, live", listed)
	}
	endLoginOf(t, other)
	eventually(t, func() bool { return slices.Equal(s.instances(), []string{unit}) }, "only %s, as long as a process is in it", unit)
	kill([]int{survivor})
	s.gone()
}

// inNamespace is the process id here of one that knows itself by another number.
func inNamespace(t *testing.T, s *systemd, pid int) (here int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		status, _ := os.ReadFile("/proc/" + entry.Name() + "/status")
		namespace, _ := os.Readlink("/proc/" + entry.Name() + "/ns/pid")
		if fields := strings.Fields(attribute(string(status), "NSpid")); namespace == root && len(fields) > 0 && fields[len(fields)-1] == fmt.Sprint(pid) {
			fmt.Sscan(entry.Name(), &here)
		}
	}
	if here == 0 {
		t.Fatalf("process %d of the machine is not to be found", pid)
	}
	return here
}

func endLoginOf(t *testing.T, client *ipc.Client) {
	t.Helper()
	if results, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Errorf("end the login: got %q, %v", show(results), err)
	}
}

// TestManyLoginsAtOnceWithASweepBehindEach: the sweep of one that ends leaves those
// that live alone, also those that just begin or end.
func TestManyLoginsAtOnceWithASweepBehindEach(t *testing.T) {
	t.Parallel()
	s := startSystemd(t)
	path := s.listens()
	var logins sync.WaitGroup
	for range 4 {
		logins.Go(func() {
			for range 3 {
				client, err := ipc.Dial(t.Context(), path, ipc.Options{Conversation: &person{answers: []string{password}}})
				if err != nil {
					t.Error(err)
					return
				}
				results, err := client.Login(t.Context(), loginOf("unit6"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.CloseSession, ipc.End)
				if err != nil {
					t.Errorf("got %q, %v", show(results), err)
				}
				client.Close()
			}
		})
	}
	logins.Wait()
	s.gone()
	eventually(t, func() bool { return strings.Count(s.says.String(), "-unknown.service: Deactivated successfully") == 12 }, "12 units of logins that ended well")
	if got := calls("unit6"); strings.Count(got, "open_session") != 12 || strings.Count(got, "close_session") != 12 {
		t.Errorf("calls: got %s, want 12 sessions opened and closed once", got)
	}
	if left := recordsIn(t, s.path("/run/pamhelper")); len(left) > 0 {
		t.Errorf("records that are left: %q, want none", left)
	}
}

func TestStoppingTheUnitsClosesTheSession(t *testing.T) {
	t.Parallel()
	s := startSystemd(t)
	client := s.listens().open(t, "unit7")
	unit := s.only()
	p, _ := start(t, client, `trap "" HUP; echo ready; while :; do sleep 1000; done`)
	s.ctl("stop", "pamhelper.socket")
	if _, err := os.Stat(s.path("/run/pamhelper.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket after its unit was stopped: got %v, want it removed", err)
	}
	if o := runIn(t, client, "echo on", ""); o.stdout != "on\n" {
		t.Errorf("the session without the socket: got %+v, want it to go on", o)
	}
	s.ctl("stop", unit)
	if exit, err := p.Wait(t.Context()); err != nil || exit.Signal != syscall.SIGTERM {
		t.Errorf("the shell: got %+v, %v; want SIGTERM behind a SIGHUP that it ignores", exit, err)
	}
	waitCalls(t, "unit7", wholeLogin)
	s.gone()
	if says := s.saysOf(unit); strings.Contains(says, "Failed") {
		t.Errorf("systemd says\n%s\nwant no failure", says)
	}
}

func TestOneConnectionTooManyEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := startSystemd(t)
	s.unit("pamhelper.socket.d/few.conf", "[Socket]\nMaxConnections=2\n")
	path := s.listens()
	first := path.dial(t, &person{})
	path.dial(t, &person{})
	if _, err := ipc.Dial(t.Context(), path, ipc.Options{}); !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("the third: got %v, want %v", err, ipc.ErrHelperDied)
	}
	first.Close()
	eventually(t, func() bool { return len(s.instances()) == 1 }, "the end of the first")
	path.dial(t, &person{})
}

// TestTheAgentUnitConfinesAnAgentAndNotItsUsers: the agent of these tests in the
// place of the real one, in its unit.
func TestTheAgentUnitConfinesAnAgentAndNotItsUsers(t *testing.T) {
	t.Parallel()
	s := startSystemd(t)
	s.stack("auth required pam_permit.so", "session optional pam_warn.so", "session required pam_permit.so")
	binary := filepath.Join(base, filepath.Base(s.dir)+"-agent")
	if err := command("cp", fmt.Sprintf("/proc/%d/exe", os.Getpid()), binary); err != nil {
		t.Fatal(err)
	}
	s.unit("pamhelper-agent.service.d/test.conf", "[Service]\nExecStart=\nExecStart="+binary+
		"\nEnvironment=\""+agentVariable+"=unix:/run/pamhelper.sock unit8 /dev/null\"\n")
	s.ctl("start", "pamhelper-agent.service") // and with it the socket
	eventually(t, func() bool { return strings.Contains(s.journal.all.String(), ": running ") }, "an agent with a shell: %s", &s.journal.all)
	shell := s.in("pgrep", "--oldest", "-u", "unit8").stdout
	of := func(pid string) string { return s.in("cat", "/proc/"+strings.TrimSpace(pid)+"/status").stdout }
	agent := of(strings.TrimPrefix(s.ctl("show", "--property=MainPID", "pamhelper-agent.service"), "MainPID="))
	for name, want := range map[string]string{
		"CapEff": "0000000000000000", "CapPrm": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
		"Uid": strings.TrimSpace(strings.Repeat(strings.TrimSpace(s.in("id", "-u", "pamhelper-agent").stdout)+"\t", 4)),
	} {
		if got := attribute(agent, name); got != want {
			t.Errorf("%s of the agent: got %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"NoNewPrivs": "0", "Seccomp": "0", "CapBnd": attribute(of("1"), "CapBnd")} {
		if got := attribute(of(shell), name); got != want {
			t.Errorf("%s of the user's shell: got %q, want %q", name, got, want)
		}
	}
	s.ctl("stop", "pamhelper-agent.service")
	s.gone()
	waitCalls(t, "unit8", "open_session(0) close_session(0)")
}
