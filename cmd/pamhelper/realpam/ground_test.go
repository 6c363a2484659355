package realpam_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// recordDir is where a helper keeps its records.
const recordDir = "/run/pamhelper"

// ground is what a test of faults has for itself: a user, a stack that counts its
// calls with pam_warn, and a helper with its own records, so that a sweep of one
// test closes nothing of another one. When the test ends, and its clients have
// gone, nothing of its logins may be left.
type ground struct {
	t       *testing.T
	helper  string
	records string // what the helper sees as recordDir
	account
	survivors []int // processes that stay, as with sshd
	// unclosable: the test has seen that something stays undone. Only processes
	// and terminals are looked for.
	unclosable bool
	refused    int // sessions that were refused: those are not closed
}

// account is the line of the user in the helper's own /etc/passwd.
type account struct {
	user, home, shell string
	uid               int
}

func (a account) line() string {
	return fmt.Sprintf("root:x:0:0:root:/root:/bin/sh\n%s:x:%d:%d::%s:%s\n", a.user, a.uid, a.uid, a.home, a.shell)
}

var grounds atomic.Int32

// newGround makes one. Lines of the stack come behind pam_warn; facilities that
// they leave out are permitted.
func newGround(t *testing.T, stack ...string) *ground {
	t.Helper()
	number := int(grounds.Add(1))
	name := fmt.Sprintf("fault%d", number)
	return newGroundOf(t, account{user: name, home: "/home/" + name, shell: "/bin/sh", uid: 20000 + number}, stack...)
}

func newGroundOf(t *testing.T, a account, stack ...string) *ground {
	t.Helper()
	ready(t)
	lines := append([]string{"auth optional pam_warn.so", "auth required pam_permit.so",
		"session optional pam_warn.so", "session required pam_permit.so"}, stack...)
	g := &ground{t: t, account: a}
	g.helper = helperWith(t, strings.Join(lines, "\n"), map[string]string{"/etc/passwd": a.line()})
	g.records = filepath.Join(filepath.Dir(g.helper), "records")
	err := errors.Join(os.MkdirAll(recordDir, 0o700), os.Mkdir(g.records, 0o700), os.MkdirAll(a.home, 0o755), os.Chown(a.home, a.uid, a.uid))
	if err != nil {
		t.Fatal(err)
	}
	g.before("mount --bind '" + g.records + "' " + recordDir)
	t.Cleanup(g.check)
	return g
}

// before runs a line of shell before each helper, in its mount namespace.
func (g *ground) before(line string) {
	g.t.Helper()
	mounts, err := os.OpenFile(filepath.Join(filepath.Dir(g.helper), "mounts"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	_, err = mounts.WriteString(line + "\n")
	if err := errors.Join(err, mounts.Close()); err != nil {
		g.t.Fatal(err)
	}
}

// open logs the user in and opens the session.
func (g *ground) open() (*ipc.Client, *workerLog) {
	g.t.Helper()
	return openSessionWith(g.t, loginOf(g.user), g.helper)
}

// check is what holds after every login, however it ended.
func (g *ground) check() {
	g.t.Helper()
	defer reapOrphans(g.uid)
	if left := without(processesOf(g.uid), g.survivors); len(left) > 0 {
		g.t.Errorf("processes of %s that are left: %q, want none", g.user, describe(left))
		kill(left)
	}
	kill(g.survivors)
	// One whose master side was just closed is still there while another test's
	// child has not become its program.
	eventually(g.t, func() bool { return len(terminalsOf(g.t, g.uid)) == 0 }, "no terminals that %s owns", g.user)
	if g.unclosable {
		return
	}
	// A worker that nobody here waits for removes its own last of all.
	eventually(g.t, func() bool { return len(recordsIn(g.t, g.records)) == 0 }, "the end of the records in %s", g.records)
	eventually(g.t, g.undone, "what undoes each call of the modules of %s: %s", g.user, lazyCalls(g.user))
}

// undone reports whether the modules saw the end of all that they saw begin.
func (g *ground) undone() bool {
	seen := calls(g.user)
	count := func(call string) int { return strings.Count(seen, call) }
	return count("open_session") <= count("close_session")+g.refused && count("setcred(0x2)") <= count("setcred(0x4)")
}

// processesOf are the living processes that have the user id in any role: also
// those of setuid programs.
func processesOf(uid int) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		status, _ := os.ReadFile("/proc/" + entry.Name() + "/status")
		_, uids, _ := strings.Cut(string(status), "\nUid:")
		uids, _, _ = strings.Cut(uids, "\n")
		if slices.Contains(strings.Fields(uids), strconv.Itoa(uid)) && !strings.Contains(string(status), "\nState:\tZ") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// reapOrphans waits for the user's processes whose parents have gone, as process
// 1 has to: by the thousand they make /proc slow to read.
func reapOrphans(uid int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		status, _ := os.ReadFile("/proc/" + entry.Name() + "/status")
		if strings.Contains(string(status), "\nState:\tZ") && strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", uid)) {
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // fails for those of another parent
		}
	}
}

func describe(pids []int) (shown []string) {
	for _, pid := range pids {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		shown = append(shown, fmt.Sprintf("%d %s", pid, strings.ReplaceAll(string(line), "\x00", " ")))
	}
	return shown
}

func kill(pids []int) {
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// endAll ends what a test has seen to be left.
func (g *ground) endAll() {
	g.t.Helper()
	kill(processesOf(g.uid))
	eventually(g.t, func() bool { return len(processesOf(g.uid)) == 0 }, "the end of the processes of %s", g.user)
}

func without(list, those []int) []int {
	return slices.DeleteFunc(slices.Clone(list), func(n int) bool { return slices.Contains(those, n) })
}

func terminalsOf(t *testing.T, uid int) (owned []string) {
	t.Helper()
	for _, name := range names(t, "/dev/pts") {
		var stat syscall.Stat_t
		if err := syscall.Stat("/dev/pts/"+name, &stat); err == nil && int(stat.Uid) == uid {
			owned = append(owned, name)
		}
	}
	return owned
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// recordsIn are the names in a helper's directory but that of the slots, which stays.
func recordsIn(t *testing.T, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(names(t, dir), func(name string) bool { return name == "slots" })
}

// hostileModule is where the module of the worker's tests is, once it is built.
var hostileModule = sync.OnceValues(func() (string, error) {
	module := base + "/pam_hostile.so"
	return module, command("gcc", "-shared", "-fPIC", "-o", module, "../internal/worker/testdata/hostile/pam_hostile.c", "-lpam", "-lpthread")
})

// hostile returns the path of a module that does what no module should.
func hostile(t *testing.T) string {
	t.Helper()
	ready(t)
	module, err := hostileModule()
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// public makes a directory that every user may enter.
func public(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "public")
	if err := errors.Join(err, os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}
