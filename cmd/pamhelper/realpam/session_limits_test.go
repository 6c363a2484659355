package realpam_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// limitsFile is what pam_limits reads. Where the system refuses one limit it only
// logs that, and the session opens.
const limitsFile = "/etc/security/limits.conf"

// openedAndClosed is what pam_warn logs of a session.
const openedAndClosed = "open_session(0) close_session(0)"

// limitsStack logs each open and close, which a script could not where it may
// write no file.
const limitsStack = "session required pam_limits.so\nsession required pam_warn.so"

func TestLimitsReachTheUsersProcess(t *testing.T) {
	t.Parallel()
	helper := helperWith(t, limitsStack, map[string]string{limitsFile: `
limits1 soft nofile 256
limits1 hard nofile 512
limits1 - nproc 300
limits1 - memlock 64
limits1 soft stack 4096
limits1 - msgqueue 4096
limits1 - priority 5
limits1 soft cpu 1
limits1 hard cpu 2
* - sigpending 77
nobody - nofile 9
`})
	client, log := openSessionWith(t, loginOf("limits1"), helper)
	for range 2 { // each process has them
		expectLimits(t, client,
			"Max open files 256 512 files",
			"Max processes 300 300 processes",
			"Max locked memory 65536 65536 bytes",
			"Max stack size 4194304 "+hardLimit(t, "Max stack size")+" bytes",
			"Max msgqueue size 4096 4096 bytes",
			"Max pending signals 77 77 signals",
			"Max cpu time 60 120 seconds",
			"Max address space "+softLimit(t, "Max address space")+" "+hardLimit(t, "Max address space")+" bytes")
		if got := runIn(t, client, "nice", "").stdout; got != "5\n" {
			t.Errorf("nice: got %q, want 5", got)
		}
	}
	// They are the user's alone.
	worker := limitsOf(readFile(t, fmt.Sprintf("/proc/%d/limits", pidOf(t, log))))
	if !strings.Contains(worker, "\nMax pending signals "+softLimit(t, "Max pending signals")+" ") {
		t.Errorf("limits of the worker: got%s\nwant those it was started with", worker)
	}
	endLogin(t, client, "limits1")
	waitCalls(t, "limits1", openedAndClosed)
}

// lowLimit is a limit that a worker cannot live with, and a command that shows
// that it holds in the user's process.
type lowLimit struct {
	item, value string
	// A row of /proc/PID/limits: its name, the value there, its unit. Without it
	// nothing lives long enough to read it.
	row, number, unit string
	command           string
	status            int            // how the command ends,
	signal            syscall.Signal // or what ends it,
	softSignal        syscall.Signal // where only the soft limit is low
}

var lowLimits = []lowLimit{
	{"as", "102400", "Max address space", "104857600", "bytes", "exec dd if=/dev/zero of=/dev/null bs=200M count=1", 1, 0, 0},
	{"fsize", "0", "Max file size", "0", "bytes", "echo text >file", -1, unix.SIGXFSZ, unix.SIGXFSZ},
	{"nofile", "4", "Max open files", "4", "files", "exec 3</dev/null 4</dev/null", 2, 0, 0},
	{"cpu", "0", "", "", "", "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done", -1, unix.SIGKILL, unix.SIGXCPU},
	{"stack", "64", "Max stack size", "65536", "bytes", "f() { f; }; f", -1, unix.SIGSEGV, unix.SIGSEGV},
	{"core", "1", "Max core file size", "1024", "bytes", "true", 0, 0, 0},
	{"nproc", "1", "Max processes", "1", "processes", "(true); exit 0", 2, 0, 0},
}

func TestLimitsThatWouldKillTheWorkerReachTheUserOnly(t *testing.T) {
	for _, c := range lowLimits {
		for _, kind := range []string{"soft", "-"} {
			t.Run(limitedUser(kind, c.item), func(t *testing.T) {
				t.Parallel()
				user := limitedUser(kind, c.item)
				conf := strings.Join([]string{user, kind, c.item, c.value}, " ") + "\n"
				client := openSessionOf(t, user, helperWith(t, limitsStack, map[string]string{limitsFile: conf}))
				if kind == "soft" {
					c.expect(t, client, hardLimit, c.softSignal)
				} else {
					c.expect(t, client, func(*testing.T, string) string { return c.number }, c.signal)
				}
				endLogin(t, client, user)
				waitCalls(t, user, openedAndClosed)
			})
		}
	}
}

// expect fails unless the limit holds in processes of the session.
func (c lowLimit) expect(t *testing.T, client *ipc.Client, hard func(t *testing.T, row string) string, signal syscall.Signal) {
	t.Helper()
	if c.row != "" {
		expectLimits(t, client, strings.Join([]string{c.row, c.number, hard(t, c.row), c.unit}, " "))
	}
	if exit := runIn(t, client, c.command, "").exit; exit.Status != c.status || exit.Signal != signal {
		t.Errorf("%s: got %+v, want status %d, signal %d", c.command, exit, c.status, signal)
	}
}

// limitedUser is a user for one limit: processes are counted for each user.
func limitedUser(kind, item string) string { return strings.Replace(kind, "-", "both", 1) + "-" + item }

func limitedUsers() (names []string) {
	for _, c := range lowLimits {
		names = append(names, limitedUser("soft", c.item), limitedUser("-", c.item))
	}
	return names
}

func TestAllLimitsAtOnceAndATerminal(t *testing.T) {
	t.Parallel()
	conf := ""
	for _, c := range lowLimits {
		conf += "limits2 - " + c.item + " " + c.value + "\n"
	}
	// A shell needs some CPU to start.
	client := openSessionOf(t, "limits2", helperWith(t, limitsStack, map[string]string{limitsFile: conf + "limits2 - cpu 1\n"}))
	p, err := client.Start(t.Context(), ipc.Command{Line: "ulimit -a", Terminal: &ipc.Terminal{}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Master.Close()
	shown := strings.Join(strings.Fields(readTerminal(p)), " ")
	for _, want := range []string{"time(seconds) 60 ", "file(blocks) 0 ", "stack(kbytes) 64 ", "coredump(blocks) 2 ", "process 1 ",
		"nofiles 4 ", "vmemory(kbytes) 102400 "} {
		if !strings.Contains(shown, want) {
			t.Errorf("ulimit -a on the terminal: got %q, want %q in it", shown, want)
		}
	}
	if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 0 {
		t.Errorf("got %+v, %v; want status 0", exit, err)
	}
	left, err := client.Start(t.Context(), ipc.Command{Line: "exec sleep 1000"})
	if err != nil {
		t.Fatal(err)
	}
	endLogin(t, client, "limits2")
	if exit, err := left.Wait(t.Context()); err != nil || exit.Signal != unix.SIGHUP {
		t.Errorf("what was left running: got %+v, %v; want it ended by SIGHUP", exit, err)
	}
	waitCalls(t, "limits2", openedAndClosed)
}

// TestLimitsTooLowForAnyProcess: the shell cannot even load its library.
func TestLimitsTooLowForAnyProcess(t *testing.T) {
	t.Parallel()
	client := openSessionOf(t, "limits3", helperWith(t, limitsStack, map[string]string{limitsFile: "limits3 - nofile 3\n"}))
	if got := runIn(t, client, "true", ""); got.exit.Status != 127 || !strings.Contains(got.stderr, "libc.so") {
		t.Errorf("got %+v, want status 127 and the loader's complaint", got)
	}
	endLogin(t, client, "limits3")
}

func TestExecBehindLimitsRunsWithThem(t *testing.T) {
	t.Parallel()
	ready(t)
	out := t.TempDir() + "/out"
	look := script(t, `grep "Max open files" /proc/self/limits | sed "s/^/$PAM_TYPE /" >>`+out+"\n")
	stack := "session required pam_exec.so " + look + "\n" + limitsStack + "\nsession required pam_exec.so " + look
	client := openSessionOf(t, "limits4", helperWith(t, stack, map[string]string{limitsFile: "limits4 soft nofile 200\nlimits4 hard nofile 300\n"}))
	endLogin(t, client, "limits4")
	before := "Max open files " + softLimit(t, "Max open files") + " " + hardLimit(t, "Max open files") + " files"
	want := "\nopen_session " + before + "\nopen_session Max open files 200 300 files" +
		"\nclose_session Max open files 200 300 files\nclose_session Max open files 200 300 files"
	if got := limitsOf(readFile(t, out)); got != want {
		t.Errorf("what pam_exec's scripts saw: got%s\nwant%s", got, want)
	}
}

func TestLimitThatNobodyMaySetIsTheModulesError(t *testing.T) {
	t.Parallel()
	// nofile is above fs.nr_open (prlimit(2)). The module goes on with the others.
	helper := helperWith(t, limitsStack, map[string]string{limitsFile: "limits5 - nofile 1073741817\nlimits5 - nproc 300\n"})
	client := openSessionOf(t, "limits5", helper)
	expectRefusedLimit(t, "nofile")
	expectLimits(t, client, strings.Join(append([]string{"Max open files"}, limitNow(t, "Max open files")...), " "),
		"Max processes 300 300 processes")
	endLogin(t, client, "limits5")
}

// TestLimitRaisedAgainNeedsTheCapability: as the kernel has it, though the
// worker itself has kept its own limits.
func TestLimitRaisedAgainNeedsTheCapability(t *testing.T) {
	t.Parallel()
	const stack = "session required pam_limits.so conf=/etc/security/time.conf\n" + limitsStack
	files := map[string]string{"/etc/security/time.conf": "limits6 - sigpending 50\n", limitsFile: "limits6 - sigpending 60\n"}
	client := openSessionOf(t, "limits6", helperWith(t, stack, files))
	want := "60 60"
	if !mayRaise(t) {
		expectRefusedLimit(t, "sigpending")
		want = "50 50"
	}
	expectLimits(t, client, "Max pending signals "+want+" signals")
	endLogin(t, client, "limits6")
}

// expectRefusedLimit waits for what pam_limits logs where setrlimit(2) fails.
func expectRefusedLimit(t *testing.T, item string) {
	t.Helper()
	waitLogged(t, "pam_limits(sshd:session): Could not set limit for '"+item+"'", "Operation not permitted")
}

func mayRaise(t *testing.T) bool {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}

// expectLimits fails unless a process of the session has the rows of
// /proc/PID/limits. It needs no second process and no fourth descriptor.
func expectLimits(t *testing.T, client *ipc.Client, rows ...string) {
	t.Helper()
	got := limitsOf(runIn(t, client, "exec cat /proc/self/limits", "").stdout)
	for _, row := range rows {
		if !strings.Contains(got+"\n", "\n"+row+"\n") {
			t.Errorf("limits of the user's process: got%s\nwant a row %q", got, row)
		}
	}
}

// limitsOf puts single blanks between the words of a table, and a newline before
// each row.
func limitsOf(table string) (rows string) {
	for line := range strings.Lines(table) {
		rows += "\n" + strings.Join(strings.Fields(line), " ")
	}
	return rows
}

func softLimit(t *testing.T, name string) string { return limitNow(t, name)[0] }

func hardLimit(t *testing.T, name string) string { return limitNow(t, name)[1] }

// limitNow is what a helper is started with, soft and hard.
func limitNow(t *testing.T, name string) []string {
	t.Helper()
	for row := range strings.Lines(limitsOf(run(t, "", "cat", "/proc/self/limits").stdout)) {
		if numbers, ok := strings.CutPrefix(row, name+" "); ok {
			return strings.Fields(numbers)
		}
	}
	t.Fatalf("no limit %q", name)
	return nil
}
