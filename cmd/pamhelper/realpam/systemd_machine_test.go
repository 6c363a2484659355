package realpam_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// systemd is a real one, as process 1 of a PID namespace and the root of a part of
// the machine's cgroups, with the units that install.sh installed and systemd's own
// targets. /run and /etc are its own. Tests start what they want of the units.
type systemd struct {
	t       *testing.T
	dir     string // has run and etc
	cgroup  string // its root, seen from here
	pid     int
	says    workerLog // what systemd itself logs
	journal journal
}

// systemdScript prepares the namespaces. Its argument is the directory. The cgroup
// namespace comes last: its root is where its maker is.
const systemdScript = `set -e
mount -t proc proc /proc
mount --bind "$1/etc" /etc
mount --bind "$1/run" "$1/run"
mount --bind ` + base + ` "$1/run/realpam"
mount --rbind "$1/run" /run
mount --bind ` + base + `/installed/usr/local /usr/local
touch /dev/kmsg /dev/console
mount --bind "$1/kmsg" /dev/kmsg
mount --bind /dev/null /dev/console
systemd-sysusers pamhelper.conf
systemd-tmpfiles --create pamhelper.conf
exec unshare --cgroup sh -c '
umount -l /sys/fs/cgroup &&
mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
exec /lib/systemd/systemd --system --unit=test.target --log-target=kmsg --show-status=no'
`

// startSystemd starts one that is up when it returns.
func startSystemd(t *testing.T) *systemd {
	t.Helper()
	ready(t)
	s := &systemd{t: t, cgroup: ownCgroup(t)}
	var err error
	if s.dir, err = os.MkdirTemp(base, "systemd"); err != nil { // short: the paths of sockets are in it
		t.Fatal(err)
	}
	for _, dir := range []string{"etc", "run/realpam", "run/lock", "run/units", "run/systemd/journal"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(s.dir, 0o755), command("cp", "-a", "/etc/.", s.dir+"/etc"), s.copyTargets()); err != nil {
		t.Fatal(err)
	}
	s.unit("test.target", "[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\n")
	writeFile(t, s.path("/run/utmp"), "")
	s.journal.listen(t, s.path("/run/systemd/journal/stdout"))
	s.boot(s.kernelLog())
	eventually(t, func() bool { return strings.Contains(s.says.String(), "Reached target test.target") }, "systemd that is up:\n%s", &s.says)
	return s
}

// ownCgroup makes a cgroup below the one that this process is in, and removes it
// when the test ends.
func ownCgroup(t *testing.T) string {
	t.Helper()
	of, _, _ := strings.Cut(after(readFile(t, "/proc/self/cgroup"), "0::"), "\n")
	mounted := ""
	for line := range strings.Lines(readFile(t, "/proc/self/mountinfo")) {
		if fields := strings.Fields(line); strings.Contains(line, " - cgroup2 ") {
			mounted = fields[4]
		}
	}
	dir, err := os.MkdirTemp(filepath.Join(mounted, of), "realpam")
	if mounted == "" || err != nil {
		t.Skipf("needs a cgroup2 file system to make a cgroup in: %q, %v", mounted, err)
	}
	t.Cleanup(func() { removeCgroup(t, dir) })
	return dir
}

func after(text, word string) string {
	_, rest, _ := strings.Cut(text, word)
	return rest
}

// removeCgroup waits for the end of the processes in it.
func removeCgroup(t *testing.T, dir string) {
	t.Helper()
	eventually(t, func() bool {
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			if entry.IsDir() {
				removeTree(filepath.Join(dir, entry.Name()))
			}
		}
		err := os.Remove(dir)
		return err == nil || os.IsNotExist(err)
	}, "the end of what is in the cgroup %s", dir)
}

func removeTree(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			removeTree(filepath.Join(dir, entry.Name()))
		}
	}
	os.Remove(dir)
}

// copyTargets takes systemd's own targets, without what the machine has hung below
// them.
func (s *systemd) copyTargets() error {
	targets, err := filepath.Glob("/lib/systemd/system/*.target")
	if err != nil {
		return err
	}
	return command("cp", append(targets, s.path("/run/units"))...)
}

// path is a path of its machine, seen from here: one in /run or /etc.
func (s *systemd) path(name string) string { return s.dir + name }

// unit writes a unit, or a drop-in, before it is loaded.
func (s *systemd) unit(name, text string) {
	s.t.Helper()
	path := s.path("/run/units/" + name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	writeFile(s.t, path, text)
}

// kernelLog is what systemd writes its own log to.
func (s *systemd) kernelLog() (reader *os.File) {
	s.t.Helper()
	path := s.path("/kmsg")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		s.t.Fatal(err)
	}
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return reader
}

func (s *systemd) boot(log *os.File) {
	s.t.Helper()
	cgroup, err := os.Open(s.cgroup)
	if err != nil {
		s.t.Fatal(err)
	}
	defer cgroup.Close()
	cmd := exec.Command("sh", "-c", systemdScript, "sh", s.dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "container=realpam", "SYSTEMD_UNIT_PATH=/run/units:/usr/local/lib/systemd/system"}
	cmd.Stdout, cmd.Stderr = &s.says, &s.says
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		UseCgroupFD: true, CgroupFD: int(cgroup.Fd()),
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			fmt.Fprintln(&s.says, lines.Text())
		}
	})
	s.t.Cleanup(func() {
		cmd.Process.Kill() // everything in its PID namespace goes with it
		cmd.Wait()
		log.Close()
		reading.Wait()
		if s.t.Failed() {
			s.t.Logf("systemd says:\n%s\nits journal:\n%s", &s.says, &s.journal.all)
		}
	})
}

// in runs a command on its machine.
func (s *systemd) in(name string, args ...string) ran {
	s.t.Helper()
	return run(s.t, "", "nsenter", append([]string{"--target", strconv.Itoa(s.pid), "--mount", "--pid", "--ipc", "--", name}, args...)...)
}

// ctl runs systemctl, which has to succeed.
func (s *systemd) ctl(args ...string) (output string) {
	s.t.Helper()
	r := s.in("systemctl", args...)
	if r.status != 0 {
		s.t.Fatalf("systemctl %q: status %d\n%s%s", args, r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

// listens starts the socket unit and returns a launcher for it.
func (s *systemd) listens() unixSocket {
	s.t.Helper()
	s.ctl("start", "pamhelper.socket")
	return unixSocket(s.path("/run/pamhelper.sock"))
}

// instances are the units of logins that are there, failed ones too.
func (s *systemd) instances() (names []string) {
	s.t.Helper()
	for line := range strings.Lines(s.ctl("list-units", "--all", "--plain", "--no-legend", "pamhelper@*")) {
		names = append(names, strings.Fields(line)[0])
	}
	return names
}

// only waits for the one login there is, and returns its unit.
func (s *systemd) only() (unit string) {
	s.t.Helper()
	eventually(s.t, func() bool {
		names := s.instances()
		if len(names) == 1 {
			unit = names[0]
		}
		return len(names) == 1
	}, "one login")
	return unit
}

// processesOf are those in a unit's cgroup.
func (s *systemd) processesOf(unit string) (pids []int) {
	s.t.Helper()
	text, _ := os.ReadFile(filepath.Join(s.cgroup, "system.slice/system-pamhelper.slice", unit, "cgroup.procs"))
	for word := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// gone waits until no login is a unit any more.
func (s *systemd) gone() {
	s.t.Helper()
	eventually(s.t, func() bool { return len(s.instances()) == 0 }, "the end of every unit of a login")
}

// unixSocket is a launcher that reaches its worker through a socket in the file
// system.
type unixSocket string

var _ ipc.Launcher = unixSocket("")

func (path unixSocket) Launch(ctx context.Context) (net.Conn, error) {
	return ipc.Unix{Path: string(path)}.Launch(ctx)
}

// dial greets a worker.
func (path unixSocket) dial(t *testing.T, p *person) *ipc.Client {
	t.Helper()
	client, err := ipc.Dial(t.Context(), path, ipc.Options{Conversation: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// open logs a user in and opens the session.
func (path unixSocket) open(t *testing.T, user string) *ipc.Client {
	t.Helper()
	client := path.dial(t, &person{answers: []string{password}})
	results, err := client.Login(t.Context(), loginOf(user), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	if err != nil {
		t.Fatalf("open a session of %s: %q, %v", user, show(results), err)
	}
	return client
}

// journal takes the place of journald's socket for standard output and error: what
// units print.
type journal struct {
	all  workerLog // "UNIT: LINE"
	read sync.WaitGroup
}

func (j *journal) listen(t *testing.T, path string) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err := errors.Join(err, os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	j.read.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			j.read.Go(func() { j.take(conn) })
		}
	})
	t.Cleanup(func() { // runs when everything in the namespace has ended
		listener.Close()
		j.read.Wait()
	})
}

// journalHeader is how many lines come before what is printed; the second one is
// the unit.
const journalHeader = 7

func (j *journal) take(conn net.Conn) {
	defer conn.Close()
	unit := ""
	lines := bufio.NewScanner(conn)
	for i := 0; lines.Scan(); i++ {
		if i == 1 {
			unit = lines.Text()
		}
		if i >= journalHeader {
			fmt.Fprintf(&j.all, "%s: %s\n", unit, lines.Text())
		}
	}
}
