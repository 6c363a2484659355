package confine_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"golang.org/x/sys/unix"
)

// uids to run as: each test its own. A machine where the tests do not run as root
// has one.
var lastUID atomic.Uint32

func newUID() uint32 {
	if os.Getuid() != 0 {
		return uint32(os.Getuid())
	}
	return 64100 + lastUID.Add(1)
}

// process is a child, seen from outside.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	in       io.Writer
	out      *json.Decoder
	messages *net.UnixConn
	errors   *bytes.Buffer
	dir      string // that it may read
	began
}

// newProcess starts a child as uid on ground of its own.
func newProcess(t *testing.T, uid uint32, o order) *process {
	t.Helper()
	o.Base = newBase(t, uid)
	o.Abstract = filepath.Base(o.Base) + t.Name()
	serveUnix(t, filepath.Join(o.Base, "dir", "socket"))
	serveUnix(t, filepath.Join(o.Base, "outside", "socket"))
	serveUnix(t, "@"+o.Abstract)
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := socketpair(t)
	terminal := newTerminal(t)
	p := &process{t: t, cmd: exec.Command(static), messages: ours, errors: new(bytes.Buffer), dir: filepath.Join(o.Base, "dir")}
	p.cmd.Env = []string{orderVariable + "=" + string(text), "TZ=EST5EDT"}
	p.cmd.ExtraFiles = []*os.File{theirs, terminal}
	p.cmd.Stderr = p.errors
	p.cmd.SysProcAttr = as(uid)
	p.cmd.SysProcAttr.Setsid, p.cmd.SysProcAttr.Setctty, p.cmd.SysProcAttr.Ctty = true, true, terminalFD
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	terminal.Close()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	p.out = json.NewDecoder(bufio.NewReader(out))
	p.read(&p.began)
	if o.Confine && p.Error != "<nil>" {
		t.Fatalf("Confine: %s\n%s", p.Error, p.errors)
	}
	return p
}

func (p *process) read(into any) {
	p.t.Helper()
	if err := p.out.Decode(into); err != nil {
		p.cmd.Wait()
		p.t.Fatalf("the child does not answer: %v\n%s", err, p.errors)
	}
}

func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("%v\n%s", err, p.errors)
	}
}

// works lets the child do what has to go well; meanwhile is done at the same time.
func (p *process) works(name string, meanwhile func() error) {
	p.t.Helper()
	p.say(name)
	if meanwhile != nil {
		if err := meanwhile(); err != nil {
			p.t.Errorf("%s, seen from outside: %v", name, err)
		}
	}
	var got answer
	p.read(&got)
	if got.Outcome != "ok" {
		p.t.Errorf("%s: %s, want ok", name, got.Outcome)
	}
}

// as is root's way of being uid.
func as(uid uint32) *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
}

// newBase is a directory of uid with a file in each of two directories.
func newBase(t *testing.T, uid uint32) string {
	t.Helper()
	base, err := os.MkdirTemp("", "confine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	for _, dir := range []string{"dir", "outside"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(base, dir, "file"), []byte("old\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{base, base + "/dir", base + "/dir/file", base + "/outside", base + "/outside/file"} {
		if err := os.Chown(path, int(uid), int(uid)); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

// serveUnix answers everybody with what they send.
func serveUnix(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(path, "@") {
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan bool)
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
}

func socketpair(t *testing.T) (*net.UnixConn, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ipc.UnixConn(os.NewFile(uintptr(fds[0]), "ours"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	return ours, os.NewFile(uintptr(fds[1]), "theirs")
}

// newTerminal is the user's side of a pty.
func newTerminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	return os.NewFile(fd, "terminal")
}

// newSibling is another process of uid, which waits.
func newSibling(t *testing.T, uid uint32) int {
	t.Helper()
	return newProcess(t, uid, order{}).PID
}
