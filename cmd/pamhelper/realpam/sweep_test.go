package realpam_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// died opens a session, with a shell in it, and kills the worker.
func (g *ground) died() *ipc.Process {
	g.t.Helper()
	client, log := g.open()
	p, _ := start(g.t, client, "echo ready; sleep 1000")
	killWorker(g.t, log)
	return p
}

// states are those that "pamhelper sessions" shows, which is the same in both of
// its forms.
func (g *ground) states(t *testing.T) (states []string) {
	t.Helper()
	table := run(t, "", g.helper, "sessions")
	lines := run(t, "", g.helper, "sessions", "--json")
	if table.status != 0 || lines.status != 0 {
		t.Fatalf("sessions: status %d and %d, want 0\n%s%s", table.status, lines.status, table.stderr, lines.stderr)
	}
	for line := range strings.Lines(lines.stdout) {
		var s struct{ ID, State, User string }
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("a line of --json: %v: %q", err, line)
		}
		states = append(states, s.State)
		if row := s.ID + "  " + s.State + "  "; !strings.Contains(table.stdout, row) {
			t.Errorf("sessions: got\n%swant a row that begins with %q", table.stdout, row)
		}
	}
	return states
}

func (g *ground) expectStates(want ...string) {
	g.t.Helper()
	if got := g.states(g.t); strings.Join(got, ", ") != strings.Join(want, ", ") {
		g.t.Errorf("states of the sessions: got %q, want %q", got, want)
	}
}

func TestSweepLeavesALoginAloneWhoseWorkerLives(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, _ := g.open()
	p, _ := start(t, client, "echo ready; sleep 1000")
	g.expectStates("live")
	g.swept(0)
	g.expectStates("live")
	if !alive(p.PID) {
		t.Error("the shell was ended, want the login left alone")
	}
	if o := runIn(t, client, "echo on", ""); o.stdout != "on\n" {
		t.Errorf("the session after a sweep: got %+v, want it to go on", o)
	}
	if _, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Error(err)
	}
	waitCalls(t, g.user, whole)
}

func TestTwoSweepsAtOnceCloseALoginOnce(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	const logins = 4
	for range logins {
		g.died()
	}
	var sweeping sync.WaitGroup
	results := make([]ran, 3)
	for i := range results {
		sweeping.Go(func() { results[i] = run(t, "", g.helper, "sweep") })
	}
	sweeping.Wait()
	said := ""
	for i, r := range results {
		if r.status != 0 {
			t.Errorf("sweep %d: got status %d\n%s%s", i, r.status, r.stdout, r.stderr)
		}
		said += r.stdout
	}
	if n := strings.Count(said, ": closed\n"); n != logins || strings.Count(said, "\n") != logins {
		t.Errorf("the sweeps said\n%swant each of %d logins closed once", said, logins)
	}
	if got := calls(g.user); strings.Count(got, "close_session") != logins || strings.Count(got, "setcred(0x4)") != logins {
		t.Errorf("calls: got %s, want %d sessions closed", got, logins)
	}
}

func TestAModuleThatCrashesInCloseIsGivenUpAfterThreeTries(t *testing.T) {
	t.Parallel()
	g := newGround(t, "session required "+hostile(t)+" segv in=close")
	client, log := g.open()
	p, _ := start(t, client, "echo ready; sleep 1000")
	_, err := client.Do(t.Context(), ipc.CloseSession)
	var crash *ipc.CrashError
	if !errors.As(err, &crash) || crash.Module != "pam_hostile.so" {
		t.Errorf("closing: got %v, want that pam_hostile.so crashed", err)
	}
	gone(t, pidOf(t, log))
	if alive(p.PID) {
		t.Error("the shell outlives the crash")
	}
	g.expectStates("dead")
	g.swept(1, "not closed: the helper died: pam_hostile.so (/etc/pam.d/sshd:5) crashed (segmentation fault) (try 1 of 3)")
	g.expectStates("dead")
	g.swept(1, "not closed: the helper died: pam_hostile.so (/etc/pam.d/sshd:5) crashed (segmentation fault) (try 2 of 3)")
	g.swept(1, "not closed: the helper died: pam_hostile.so (/etc/pam.d/sshd:5) crashed (segmentation fault); given up after 3 tries, its record is in /run/pamhelper/failed/")
	g.expectStates("failed")
	g.swept(0)
	if n := strings.Count(calls(g.user), "close_session"); n != 4 {
		t.Errorf("close_session was called %d times, want 4: by the worker and three sweeps", n)
	}
	// The crash kept the credentials from being deleted: nobody knows more.
	g.unclosable = true
}

func TestSweepGivesUpOnAModuleThatHangsInClose(t *testing.T) {
	t.Parallel()
	h := holding(t, "close_session")
	g := newGround(t, h.line)
	g.died()
	began := time.Now()
	g.swept(1, "not closed: module pam_exec.so (/etc/pam.d/sshd:5) does not return; the helper has ended without it (try 1 of 3)")
	if took := time.Since(began); took < 15*time.Second || took > 25*time.Second {
		t.Errorf("given up after %s, want about the 15 s of the close deadline", took)
	}
	gone(t, h.called(t))
	h.letGo(t)
	g.swept(0, "closed")
}

func TestSweepOfALoginThatAnotherOneIsClosing(t *testing.T) {
	t.Parallel()
	h := holding(t, "close_session")
	g := newGround(t, h.line)
	g.died()
	first := exec.Command(g.helper, "sweep")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	h.called(t)
	g.expectStates("live")
	g.swept(0)
	h.letGo(t)
	if err := first.Wait(); err != nil {
		t.Errorf("the first sweep: %v", err)
	}
	waitCalls(t, g.user, whole)
}

func TestASweepThatIsKilledLeavesTheLoginToTheNext(t *testing.T) {
	t.Parallel()
	h := holding(t, "close_session")
	g := newGround(t, h.line)
	g.died()
	first := exec.Command(g.helper, "sweep")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	h.called(t)
	first.Process.Kill()
	first.Wait()
	h.letGo(t)
	// The process that closes goes on: killing the sweep is no reason to stop.
	eventually(t, func() bool { return len(recordsIn(t, g.records)) == 0 }, "the login to be closed")
	g.swept(0)
	waitCalls(t, g.user, whole)
}

// edited changes the only record that there is.
func (g *ground) edited(change func(*pb.Record)) {
	g.t.Helper()
	path := filepath.Join(g.records, recordsIn(g.t, g.records)[0], "record")
	var r pb.Record
	if err := proto.Unmarshal([]byte(readFile(g.t, path)), &r); err != nil {
		g.t.Fatal(err)
	}
	change(&r)
	text, err := proto.Marshal(&r)
	if err != nil {
		g.t.Fatal(err)
	}
	writeFile(g.t, path, string(text))
}

func TestARecordOfAnotherBootIsRemovedAndNothingElseDone(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := g.died()
	g.edited(func(r *pb.Record) { r.BootId = "11111111-2222-3333-4444-555555555555" })
	g.expectStates("old boot")
	before := calls(g.user)
	g.swept(0, "closed")
	if got := calls(g.user); got != before {
		t.Errorf("calls of the sweep: got %s behind %s, want none", got, before)
	}
	if !alive(p.PID) {
		t.Error("a process was ended whose number is another one's in this boot")
	}
	g.unclosable = true
	g.endAll()
	p.Master.Close()
}

func TestARecordOfAnotherPIDNamespaceIsLeftAlone(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.died()
	var namespace uint64
	g.edited(func(r *pb.Record) { namespace = r.PidNamespace; r.PidNamespace++ })
	g.expectStates("elsewhere")
	before := calls(g.user)
	g.swept(0, "left alone: its processes are in another PID namespace; run sweep there")
	if got := calls(g.user); got != before {
		t.Errorf("calls of the sweep: got %s behind %s, want none", got, before)
	}
	g.edited(func(r *pb.Record) { r.PidNamespace = namespace })
	g.swept(0, "closed")
	waitCalls(t, g.user, whole)
}

// The process that is recorded has ended, and its number is another one's.
func TestAProcessWithARecordedNumberAndAnotherStartStays(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	client, log := g.open()
	p, _ := start(t, client, "echo ready; sleep 1000")
	killWorker(t, log)
	g.edited(func(r *pb.Record) { r.Processes[0].StartTime-- })
	g.swept(0, "closed")
	if !alive(p.PID) {
		t.Error("a process was ended that is not the recorded one")
	}
	g.endAll()
}

// damage is what can be in the place of a record that no worker left so.
var damage = map[string]func(dir string) error{
	"garbage":   func(dir string) error { return os.WriteFile(dir+"/record", []byte("\xff\xfe garbage"), 0o600) },
	"empty":     func(dir string) error { return os.Truncate(dir+"/record", 0) },
	"cut":       func(dir string) error { return os.Truncate(dir+"/record", 40) },
	"no record": func(dir string) error { return os.Remove(dir + "/record") },
	"no lock":   func(dir string) error { return os.Remove(dir + "/lock") },
	"nothing":   func(dir string) error { return errors.Join(os.Remove(dir+"/lock"), os.Remove(dir+"/record")) },
	"a file":    func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, []byte("x"), 0o600)) },
	"directories": func(dir string) error {
		return errors.Join(os.Remove(dir+"/record"), os.Mkdir(dir+"/record", 0o700))
	},
}

func TestADamagedRecordIsSetAsideAndTheOthersAreClosed(t *testing.T) {
	for name, spoil := range damage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			g.died()
			broken := recordsIn(t, g.records)[0]
			g.endAll()
			if err := spoil(filepath.Join(g.records, broken)); err != nil {
				t.Fatal(err)
			}
			g.died()
			g.expectStates("unreadable", "dead")
			r := run(t, "", g.helper, "sweep")
			if want := broken + " cannot be read, what it was to close is not known; it is in /run/pamhelper/failed/" + broken + " now: "; r.status != 1 ||
				!strings.Contains(r.stdout, want) || !strings.Contains(r.stdout, ": closed\n") || strings.Count(r.stdout, "\n") != 2 {
				t.Errorf("sweep: got status %d and\n%s%swant 1, %q and the other one closed", r.status, r.stdout, r.stderr, want)
			}
			g.expectStates("failed")
			g.swept(0)
			g.unclosable = true
		})
	}
}

func TestWhatAWorkerLeftThatDiedWhileItMadeItsRecordIsRemoved(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	old := filepath.Join(g.records, ".part-0123456789abcdef")
	fresh := filepath.Join(g.records, ".part-fedcba9876543210")
	if err := errors.Join(os.MkdirAll(old, 0o700), os.WriteFile(old+"/lock", nil, 0o600), os.MkdirAll(fresh, 0o700),
		os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour))); err != nil {
		t.Fatal(err)
	}
	g.expectStates()
	g.swept(0)
	if left := recordsIn(t, g.records); len(left) != 1 || left[0] != filepath.Base(fresh) {
		t.Errorf("after a sweep: got %q, want only what may be being made", left)
	}
	if err := os.Remove(fresh); err != nil {
		t.Fatal(err)
	}
}

// refusedBeforeCredentials logs in, as far as to the fault that has to come, and
// wants nothing established.
func (g *ground) refusedBeforeCredentials(says string) {
	g.t.Helper()
	client, _ := dialHelper(g.t, &person{}, g.helper)
	results, err := client.Login(g.t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	want := "begin=PAM_SUCCESS authenticate=PAM_SUCCESS account=PAM_SUCCESS"
	if !errors.Is(err, ipc.ErrInternal) || !strings.Contains(err.Error(), says) || show(results) != want {
		g.t.Errorf("got %q, %v; want %q and an error with %q", show(results), err, want, says)
	}
	client.Close()
	waitCalls(g.t, g.user, "authenticate(0x1)")
}

// notServed tries a login whose worker serves nothing: it says why, and leaves.
func (g *ground) notServed(says string, args ...string) {
	g.t.Helper()
	client, err := ipc.Dial(g.t.Context(), ipc.Exec{Path: g.helper, Args: args}, ipc.Options{})
	if err == nil {
		client.Close()
	}
	if !errors.Is(err, ipc.ErrInternal) || !strings.Contains(err.Error(), says) {
		g.t.Errorf("a new login: got %v, want an error with %q", err, says)
	}
}

func TestARecordDirectoryThatOthersCouldChangeIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"owner":        func(dir string) error { return os.Chown(dir, 1234, 0) },
		"group writes": func(dir string) error { return os.Chmod(dir, 0o770) },
		"others write": func(dir string) error { return os.Chmod(dir, 0o777) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			if err := spoil(g.records); err != nil {
				t.Fatal(err)
			}
			g.notServed("is not a directory that only root can write to")
			for _, args := range [][]string{{"sweep"}, {"sessions"}} {
				r := run(t, "", g.helper, args...)
				if r.status != 2 || r.stdout != "" || strings.Count(r.stderr, "is not a directory that only root can write to") != 1 {
					t.Errorf("%s: got status %d, %q, %q; want 2, no output, and what is wrong, once", args, r.status, r.stdout, r.stderr)
				}
			}
		})
	}
}

// onRun puts something else in the place of /run, with only this package's own
// directory in it.
const onRun = `mkdir -p "$STACKED/keep"; mount --bind ` + base + ` "$STACKED/keep"; mount -t tmpfs none /run; mkdir ` + base +
	`; mount --move "$STACKED/keep" ` + base + `; `

func TestARecordDirectoryThatIsNoneIsRefused(t *testing.T) {
	for name, line := range map[string]string{
		"a symbolic link":           "mkdir -m 700 /run/elsewhere; ln -s /run/elsewhere /run/pamhelper",
		"a symbolic link to nobody": "ln -s /run/elsewhere /run/pamhelper",
		"a file":                    "touch /run/pamhelper",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			g.before(onRun + line)
			g.notServed("is not a directory that only root can write to")
		})
	}
}

func TestARecordDirectoryThatIsMissingIsMade(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.before(onRun)
	client, log := g.open()
	p := pidOf(t, log)
	dir := filepath.Join("/proc", strconv.Itoa(p), "root", recordDir)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 || len(recordsIn(t, dir)) != 1 {
		t.Errorf("%s: got %v, %v; want it made with mode 700 and one record", recordDir, info, err)
	}
	if _, err := client.Do(t.Context(), ipc.End); err != nil {
		t.Error(err)
	}
}

func TestNoRoomForTheRecordBeforeCredentials(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.before("mount -t tmpfs -o mode=700,size=16k none " + recordDir + "; dd if=/dev/zero of=" + recordDir + "/full bs=4k 2>/dev/null || :")
	g.refusedBeforeCredentials("no space left on device")
}

func TestNoRoomForTheRecordWithAnOpenSession(t *testing.T) {
	t.Parallel()
	ready(t)
	g := newGround(t, "session required pam_exec.so quiet "+script(t, "dd if=/dev/zero of="+recordDir+"/full bs=4k 2>/dev/null\nexit 0\n"))
	g.before("mount -t tmpfs -o mode=700,size=64k none " + recordDir)
	client, log := g.open()
	if p, err := client.Start(t.Context(), ipc.Command{Line: "true", Terminal: &ipc.Terminal{}}); !errors.Is(err, ipc.ErrNotStarted) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v, %v; want that a process that cannot be written down is not started", p, err)
	}
	if left := processesOf(g.uid); len(left) > 0 {
		t.Errorf("processes of the user: %q, want none", describe(left))
	}
	dir := filepath.Join("/proc", strconv.Itoa(pidOf(t, log)), "root", recordDir)
	if err := os.Remove(dir + "/full"); err != nil {
		t.Fatal(err)
	}
	if o := runIn(t, client, "echo again", ""); o.stdout != "again\n" {
		t.Errorf("with room again: got %+v, want the process to run", o)
	}
	if _, err := client.Do(t.Context(), ipc.CloseSession, ipc.End); err != nil {
		t.Error(err)
	}
	waitCalls(t, g.user, whole)
}

func TestAnEnvironmentThatIsTooLargeForARecordIsRefusedBeforeTheSession(t *testing.T) {
	t.Parallel()
	g := newGround(t, "auth required "+hostile(t)+" variables in=setcred n=300")
	client, _ := dialHelper(t, &person{}, g.helper)
	_, err := client.Login(t.Context(), loginOf(g.user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	if !errors.Is(err, ipc.ErrInternal) || !strings.Contains(err.Error(), "record") {
		t.Errorf("got %v, want that the record would be too large", err)
	}
	client.Close()
	waitCalls(t, g.user, "authenticate(0x1) setcred(0x2) setcred(0x4)")
}

// A worker's own descriptors are not where a module closes those it believes to
// be its own.
func TestAModuleThatClosesDescriptorsDoesNotLetTheRecordGo(t *testing.T) {
	for _, call := range []string{"setcred", "session"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, "auth required "+hostile(t)+" closeall in="+call, "session required "+hostile(t)+" closeall in="+call)
			client, _ := g.open()
			g.expectStates("live")
			g.swept(0)
			if o := runIn(t, client, "echo on", ""); o.stdout != "on\n" {
				t.Errorf("the session: got %+v, want it to go on", o)
			}
		})
	}
}

func TestSweepOfAUserWhoIsGone(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := g.died()
	g.rewrite("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
	g.swept(0, "closed")
	if alive(p.PID) {
		t.Error("the shell is still there")
	}
	waitCalls(t, g.user, whole)
}

func TestOnlyRootSweepsAndSeesSessions(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"sweep", "sessions"} {
		r := run(t, "", "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", pamhelper, command)
		if r.status != 2 || r.stdout != "" || !strings.Contains(r.stderr, "run it as root") {
			t.Errorf("%s: got %+v; want status 2 and that it is for root", command, r)
		}
	}
}
