package realpam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

func TestUmaskReachesTheUserAndSparesTheRecord(t *testing.T) {
	for i, mask := range []string{"0027", "0077", "0777"} {
		t.Run(mask, func(t *testing.T) {
			t.Parallel()
			user := fmt.Sprint("umask", i+1)
			client := openStack(t, user, "session required pam_umask.so umask="+mask)
			expectOutput(t, client, "umask", mask+"\n")
			expectMade(t, client, user, mask)
			onATerminal(t, client, user)
			expectRecordModes(t, user)
			endLogin(t, client, user)
		})
	}
}

// expectMade fails unless a file that the user makes has the mode that the mask
// leaves.
func expectMade(t *testing.T, client *ipc.Client, user, mask string) {
	t.Helper()
	var bits uint32
	fmt.Sscanf(mask, "%o", &bits)
	expectOutput(t, client, "touch made && stat -c %U:%a made", fmt.Sprintf("%s:%o\n", user, 0o666&^bits))
}

func TestPrivateTmpIsTheSessionsAndTheHelperGoesOn(t *testing.T) {
	t.Parallel()
	ready(t)
	instances := filepath.Join(base, "instances")
	if err := os.Mkdir(instances, 0); err != nil {
		t.Fatal(err)
	}
	helper := helperWith(t, "session required pam_namespace.so",
		map[string]string{"/etc/security/namespace.conf": "/tmp " + instances + "/ user root\n"})
	const inside = "/tmp/of-namespace1"
	client, log := openSessionWith(t, loginOf("namespace1"), helper)
	expectOutput(t, client, "echo private >"+inside+"; stat -c %a /tmp", "1777\n")
	if _, err := os.Stat(inside); !os.IsNotExist(err) {
		t.Errorf("%s on the machine: got %v, want none", inside, err)
	}
	if got := readFile(t, filepath.Join(instances, "namespace1", filepath.Base(inside))); got != "private\n" {
		t.Errorf("the file in the user's instance: got %q, want what the user wrote", got)
	}
	expectOutput(t, client, "cat "+inside+"; readlink /proc/self/ns/mnt", "private\n"+mountNamespace(t, pidOf(t, log))+"\n")
	onATerminal(t, client, "namespace1")
	expectRecordModes(t, "namespace1")
	endLogin(t, client, "namespace1")
}

// mountNamespace names the mount namespace of a process's main thread.
func mountNamespace(t *testing.T, pid int) string {
	t.Helper()
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestSweepOfALoginWithAPrivateTmp: the namespace went with the processes in it,
// and the machine's own /tmp stays. Sweep takes every dead login there is: the
// test is not parallel.
func TestSweepOfALoginWithAPrivateTmp(t *testing.T) {
	helper := helperWith(t, "session required pam_namespace.so",
		map[string]string{"/etc/security/namespace.conf": "/tmp tmpfs tmpfs root\n"})
	client, log := openSessionWith(t, loginOf("namespace3"), helper)
	if _, err := client.Start(t.Context(), ipc.Command{Line: "exec sleep 1000"}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pidOf(t, log), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	client.Close()
	const sweepAndCompare = `. "$0/mounts"; before=$(cat /proc/self/mountinfo); ` + pamhelper + ` sweep || exit
[ "$before" = "$(cat /proc/self/mountinfo)" ] || echo mounts changed: "$before" and now "$(cat /proc/self/mountinfo)"`
	swept := run(t, "", "unshare", "--mount", "sh", "-c", sweepAndCompare, filepath.Dir(helper))
	if swept.status != 0 || !strings.HasSuffix(swept.stdout, " namespace3 through sshd: closed\n") {
		t.Errorf("sweep: got %+v, want the login of namespace3 closed and the mounts as they were", swept)
	}
	if id := recordOf(t, "namespace3"); id != "" {
		t.Errorf("record after the sweep: got %s, want none", id)
	}
}

func TestPrivateHomeIsWhereTheProcessStarts(t *testing.T) {
	t.Parallel()
	helper := helperWith(t, "session required pam_namespace.so",
		map[string]string{"/etc/security/namespace.conf": "/home/namespace2 tmpfs tmpfs root\n"})
	client := openSessionOf(t, "namespace2", helper)
	expectOutput(t, client, "pwd; touch mine; stat -f -c %T .", "/home/namespace2\ntmpfs\n")
	if _, err := os.Stat("/home/namespace2/mine"); !os.IsNotExist(err) {
		t.Errorf("the file in the machine's home: got %v, want none", err)
	}
	endLogin(t, client, "namespace2")
}

// expectRecordModes fails unless a record is root's alone.
func expectRecordModes(t *testing.T, user string) {
	t.Helper()
	dir := filepath.Join("/run/pamhelper", recordOf(t, user))
	for path, want := range map[string]os.FileMode{
		"/run/pamhelper": os.ModeDir | 0o700, dir: os.ModeDir | 0o700, dir + "/record": 0o600, dir + "/lock": 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; info.Mode() != want || owner != 0 {
			t.Errorf("%s: got %s of %d, want %s of root", path, info.Mode(), owner, want)
		}
	}
}

// onATerminal runs a process on a terminal, which is in the login's record
// meanwhile, is the user's, and is given back.
func onATerminal(t *testing.T, client *ipc.Client, user string) {
	t.Helper()
	p, err := client.Start(t.Context(), ipc.Command{Line: `stat -c "%U:%a" "$SSH_TTY"; read -r line; stty size`, Terminal: &ipc.Terminal{}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Master.Close()
	listed := run(t, "", pamhelper, "sessions").stdout
	if want := fmt.Sprintf("%d (%s)", p.PID, strings.TrimPrefix(p.Terminal, "/dev/")); !strings.Contains(listed, want) {
		t.Errorf("pamhelper sessions: got\n%s\nwant %q in it", listed, want)
	}
	if err := p.Resize(ipc.Size{Columns: 70, Rows: 20}); err != nil {
		t.Error(err)
	}
	p.Master.WriteString("go on\n")
	shown := readTerminal(p)
	for _, want := range []string{user + ":620\r\n", "20 70\r\n"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the terminal shows %q, want %q in it", shown, want)
		}
	}
	if exit, err := p.Wait(t.Context()); err != nil || exit.Status != 0 {
		t.Errorf("got %+v, %v; want status 0", exit, err)
	}
	var stat syscall.Stat_t // as long as the master is open nobody else has the name
	if err := syscall.Stat(p.Terminal, &stat); err != nil || stat.Uid != 0 || stat.Mode&0o777 != 0o600 {
		t.Errorf("%s afterwards: got mode %o of %d, %v; want 600 of root", p.Terminal, stat.Mode&0o777, stat.Uid, err)
	}
}
