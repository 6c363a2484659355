package realpam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestWatchSeesEveryCallWithItsCode(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	name := service(t, "auth optional pam_debug.so auth=maxtries", "auth required pam_permit.so",
		"account required pam_debug.so acct=acct_expired", "password required pam_deny.so", "session optional pam_access.so")
	w := c.watch()
	for _, step := range []string{"authenticate", "acct_mgmt", "setcred(PAM_ESTABLISH_CRED)", "open_session", "close_session", "chauthtok"} {
		c.pam(name, "alice", step)
	}
	// pam_access's open_session is its authenticate, which libpam did not call.
	w.expect("pam_debug authenticate PAM_MAXTRIES", "pam_permit authenticate PAM_SUCCESS",
		"pam_debug acct_mgmt PAM_ACCT_EXPIRED",
		"pam_debug setcred PAM_SUCCESS", "pam_permit setcred PAM_SUCCESS",
		"pam_access open_session PAM_SUCCESS", "pam_access close_session PAM_SUCCESS",
		"pam_deny chauthtok PAM_AUTHTOK_ERR")
	for _, l := range w.seen() {
		if l.Service != name || l.User != "alice" || l.Program != "pamtester" || l.PID == 0 || l.Duration == nil || *l.Duration < 0 {
			t.Errorf("got %+v; want the service %s, alice, pamtester, a process and a duration", l, name)
		}
	}
}

func TestWatchShowsOnlyTheServiceThatIsAskedFor(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	one, other := service(t, "auth required pam_permit.so"), service(t, "auth required pam_deny.so")
	w, all := c.watch("--service", one), c.watch()
	c.pam(other, "alice", "authenticate")
	c.pam(one, "alice", "authenticate")
	all.expect("pam_deny authenticate PAM_AUTH_ERR", "pam_permit authenticate PAM_SUCCESS")
	w.expect("pam_permit authenticate PAM_SUCCESS")
}

func TestTwoWatchesDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	name := service(t, "auth required pam_permit.so")
	first, second := c.watch(), c.watch()
	c.pam(name, "alice", "authenticate")
	first.expect("pam_permit authenticate PAM_SUCCESS")
	second.expect("pam_permit authenticate PAM_SUCCESS")
	first.end(syscall.SIGINT)
	c.pam(name, "alice", "acct_mgmt")
	second.expect("pam_permit authenticate PAM_SUCCESS", "pam_permit acct_mgmt PAM_SUCCESS")
}

func TestWatchLeavesNothingInTheKernel(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		w := c.watch()
		if left := c.left(w.name); !slices.Equal(left, []string{"probes", "instances", "events"}) {
			t.Errorf("while it runs there are %q of it, want all", left)
		}
		if status := w.end(signal); status != 0 {
			t.Errorf("%v: got status %d, want 0; it said %s", signal, status, w.said())
		}
		if left := c.left(w.name); len(left) > 0 {
			t.Errorf("%v: left %q, want nothing", signal, left)
		}
	}
}

func TestWatchWhoseOutputNobodyReadsLeavesNothing(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	name := service(t, "auth required pam_permit.so")
	cmd := c.command(pamhelper, "watch")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = write, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	read.Read(make([]byte, 1)) // its head
	instance := instanceOf(cmd.Process.Pid)
	read.Close()
	c.pam(name, "alice", "authenticate")
	if err := cmd.Wait(); err != nil || instance == "" {
		t.Fatalf("got %v of the instance %q, want no error; it said %s", err, instance, &log)
	}
	if left := c.left(instance); len(left) > 0 {
		t.Errorf("left %q, want nothing", left)
	}
}

func TestWatchRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	name := service(t, "auth required pam_permit.so")
	living, killed := c.watch(), c.watch()
	killed.end(syscall.SIGKILL)
	next := c.watch()
	if left := c.left(killed.name); len(left) > 0 {
		t.Errorf("left of the killed one: %q, want nothing", left)
	}
	c.pam(name, "alice", "authenticate")
	next.expect("pam_permit authenticate PAM_SUCCESS")
	living.expect("pam_permit authenticate PAM_SUCCESS")
}

func TestWatchSeesAProcessThatHasLoadedItsModulesBefore(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := command("mkfifo", fifo); err != nil {
		t.Fatal(err)
	}
	name := service(t, "auth required pam_exec.so quiet "+script(t, "read -r line <"+fifo+"\n"), "auth required pam_permit.so")
	before := c.command("pamtester", name, "alice", "authenticate")
	if err := before.Start(); err != nil {
		t.Fatal(err)
	}
	gate, err := os.OpenFile(fifo, os.O_WRONLY, 0) // it waits now
	if err != nil {
		t.Fatal(err)
	}
	w := c.watch()
	gate.WriteString("\n")
	gate.Close()
	before.Wait()
	w.expect("pam_permit authenticate PAM_SUCCESS")
	if l := w.seen()[0]; l.Service != name || l.User != "alice" {
		t.Errorf("got %+v; want %s and alice", l, name)
	}
}

func TestWatchTellsOfCallsThatDoNotReturn(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := command("mkfifo", fifo); err != nil {
		t.Fatal(err)
	}
	dies := service(t, "auth required pam_exec.so quiet "+script(t, "kill -KILL $PPID\n"))
	waits := service(t, "auth required pam_exec.so quiet "+script(t, "read -r line <"+fifo+"\n"))
	w := c.watch()
	c.pam(dies, "alice", "authenticate")
	w.expect("pam_exec authenticate no return")
	waiting := c.command("pamtester", waits, "alice", "authenticate")
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	gate, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.end(syscall.SIGTERM)
	gate.Close()
	waiting.Wait()
	if got, want := w.calls(), "pam_exec authenticate no return\npam_exec authenticate running"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWatchFollowsModulesThatAreReplaced(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	name := service(t, "auth required pam_permit.so")
	w := c.watch()
	replace := func(with string) {
		t.Helper()
		if err := command("cp", filepath.Join(c.dir, with), c.dir+"/pam_permit.so.new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(c.dir+"/pam_permit.so.new", c.dir+"/pam_permit.so"); err != nil {
			t.Fatal(err)
		}
	}
	replace("pam_deny.so")
	w.logs("pam_permit.so is new or was replaced")
	c.pam(name, "alice", "authenticate")
	w.expect("pam_permit authenticate PAM_AUTH_ERR")
	// Written over in place, with code at other offsets.
	if err := command("cp", filepath.Join(c.dir, "pam_debug.so"), c.dir+"/pam_permit.so"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		return strings.Contains(c.pam(name, "alice", "authenticate"), "successfully") && strings.HasSuffix(w.calls(), "PAM_SUCCESS")
	}, "a call of the module that was written over")
	w.end(syscall.SIGTERM)
	if left := c.left(w.name); len(left) > 0 {
		t.Errorf("left %q, want nothing", left)
	}
}

func TestWatchSeesModulesOfOtherCompilers(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	source := filepath.Join(t.TempDir(), "module.c")
	writeFile(t, source, `
int pam_sm_authenticate(void *h, int f, int c, const char **v) { return 9; }
int pam_sm_setcred(void *h, int f, int c, const char **v) __attribute__((alias("pam_sm_authenticate")));
`)
	// Each function begins with endbr64, and two of them are one.
	if err := command("gcc", "-shared", "-fPIC", "-O2", "-fcf-protection=full", "-o", c.dir+"/pam_ibt.so", source); err != nil {
		t.Fatal(err)
	}
	w := c.watch()
	c.pam(service(t, "auth required pam_ibt.so"), "alice", "authenticate")
	w.expect("pam_ibt authenticate|setcred PAM_AUTHINFO_UNAVAIL")
}

func TestWatchMakesNamesHarmless(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	name := service(t, "auth required pam_permit.so")
	w := c.watch()
	long := strings.Repeat("x", 500)
	for _, user := range []string{"a\nb\x1b[2J", long} {
		c.pam(name, user, "authenticate")
	}
	w.expect("pam_permit authenticate PAM_SUCCESS", "pam_permit authenticate PAM_SUCCESS")
	lines := w.seen()
	if got, want := lines[0].User, "a\nb\x1b[2J"; got != want {
		t.Errorf("JSON: got %q, want %q", got, want)
	}
	if got := lines[1].User; got == "" || !strings.HasPrefix(long, got) {
		t.Errorf("a long name: got %q, want the beginning of it", got)
	}
}

func TestWatchHasNoTokens(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	name := service(t, unixStack)
	w := c.watch()
	cmd := c.command(pamhelper, "try", "--answers", "-", name, "alice", "authenticate")
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w.expect("pam_unix authenticate PAM_SUCCESS")
	if all := fmt.Sprint(w.seen()); strings.Contains(all, password) {
		t.Errorf("the output has the password: %s", all)
	}
}

func TestWatchSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	newCopies(t)
	// Where somebody has mounted the tracefs already, no capability is needed for that.
	const unmounted = `[ ! -d /sys/kernel/tracing ] || mount -t tmpfs tmpfs /sys/kernel/tracing
exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin sh -c 'exec "$0" watch' "$0"`
	for _, test := range []struct {
		says string
		args []string
	}{
		{"run it as root", []string{"setpriv", "--reuid", "nobody", "--clear-groups", pamhelper, "watch"}},
		{"this root may not trace", []string{"unshare", "--mount", "sh", "-ec", unmounted, pamhelper}},
		{"--pid is not possible in a PID namespace", []string{pamhelper, "watch", "--pid", "1"}},
		{"--pid -3 is no process", []string{pamhelper, "watch", "--pid", "-3"}},
	} {
		r := run(t, "", test.args[0], test.args[1:]...)
		if r.status != 2 || !strings.Contains(r.stderr, test.says) {
			t.Errorf("%q: got status %d, %q; want 2 and %q", test.args, r.status, r.stderr, test.says)
		}
	}
}

func TestWatchTellsOfLostEvents(t *testing.T) {
	t.Parallel()
	c := newCopies(t)
	many := service(t, strings.Repeat("auth required pam_permit.so\n", 500))
	w := c.watch()
	w.cmd.Process.Signal(syscall.SIGSTOP)
	for range 24 {
		c.pam(many, "alice", "authenticate")
	}
	w.cmd.Process.Signal(syscall.SIGCONT)
	w.logs("events were lost")
	name := service(t, "auth required pam_deny.so")
	c.pam(name, "alice", "authenticate")
	eventually(t, func() bool { return strings.HasSuffix(w.calls(), "pam_deny authenticate PAM_AUTH_ERR") }, "the call after those that were lost")
}
