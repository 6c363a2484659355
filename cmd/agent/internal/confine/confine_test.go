package confine_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/confine"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"golang.org/x/sys/unix"
)

// static is this test binary as the agent is built: without cgo.
var static string

func TestMain(m *testing.M) {
	if text := os.Getenv(orderVariable); text != "" {
		if err := child(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if pid := os.Getenv(probeVariable); pid != "" {
		probe(pid)
		return
	}
	if confined := os.Getenv(startVariable); confined != "" {
		start := time.Now()
		if confined == "true" {
			if _, err := confine.Confine(confine.Config{ReadDirs: []string{"/etc"}}); err != nil {
				panic(err)
			}
		}
		fmt.Println(time.Since(start))
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "confine")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	static = filepath.Join(dir, "confine.test")
	cmd := exec.Command("go", "test", "-c", "-o", static, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		err = os.Chmod(dir, 0o755) // for another uid
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "build the test without cgo: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

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

func TestAFreeProcessGetsAtWhatAConfinedOneDoesNot(t *testing.T) {
	t.Parallel()
	uid := newUID()
	p := newProcess(t, uid, order{Threads: 1, Sibling: newSibling(t, uid)})
	p.say("attempts")
	var answers []answer
	p.read(&answers)
	for i, a := range attempts {
		if !slices.Contains(strings.Fields(a.free), answers[i].Outcome) {
			t.Errorf("%s: %s, want %s", a.name, answers[i].Outcome, a.free)
		}
	}
}

func TestAConfinedProcessGetsNothingDone(t *testing.T) {
	for name, uid := range map[string]uint32{"unprivileged": newUID(), "root": uint32(os.Getuid())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, uid, order{Threads: 4, Sibling: newSibling(t, uid), Confine: true})
			p.say("attempts")
			var answers []answer
			p.read(&answers)
			if len(answers) != 4*len(attempts) {
				t.Fatalf("%d answers, want %d", len(answers), 4*len(attempts))
			}
			for i, got := range answers {
				a := attempts[i%len(attempts)]
				if want := a.want(p.Report); !slices.Contains(strings.Fields(want), got.Outcome) {
					t.Errorf("%s on thread %d of %d: %s, want %s", a.name, got.Thread, p.PID, got.Outcome, want)
				}
			}
		})
	}
}

// A kernel that lacks a protection is one whose report says so: what is attempted
// ends as the report tells, and the rest is protected as ever.
func TestAKernelThatLacksProtections(t *testing.T) {
	for name, hidden := range map[string][]string{"Landlock": {"landlock"}, "seccomp": {"seccomp"}, "both": {"landlock", "seccomp"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uid := newUID()
			p := newProcess(t, uid, order{Threads: 1, Sibling: newSibling(t, uid), Confine: true, Hide: hidden})
			if landlock, seccomp := slices.Contains(hidden, "landlock"), slices.Contains(hidden, "seccomp"); landlock && p.Report.LandlockABI != 0 || seccomp && p.Report.Seccomp {
				t.Errorf("the report is %+v, on a kernel without %v", p.Report, hidden)
			}
			if len(p.Report.Open()) == 0 {
				t.Errorf("the report %+v leaves nothing open, on a kernel without %v", p.Report, hidden)
			}
			p.say("attempts")
			var answers []answer
			p.read(&answers)
			for i, a := range attempts {
				if want := a.want(p.Report); !slices.Contains(strings.Fields(want), answers[i].Outcome) {
					t.Errorf("%s: %s, want %s", a.name, answers[i].Outcome, want)
				}
			}
		})
	}
}

// want is what the report says of an attempt.
func (a attempt) want(r confine.Report) string {
	for _, lack := range r.Lacks {
		if lack.ClosedBy != "" || !strings.Contains(lack.Open, a.needs) {
			continue
		}
		if lack.Protection == "seccomp" && r.LandlockABI > 0 && a.landlock != "" {
			return a.landlock
		}
		return a.free
	}
	return a.confined
}

func TestEveryThreadIsConfined(t *testing.T) {
	for name, uid := range map[string]uint32{"unprivileged": newUID(), "root": uint32(os.Getuid())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, uid, order{Threads: 4, Confine: true})
			p.works("threads", nil) // and those that come later
			want := map[string]string{"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
				"CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "1"}
			if uid == 0 {
				want["CapBnd"] = "0000000000000000"
			}
			if kept := uid != 0 && os.Getuid() == 0; p.Report.BoundingSetKept != kept {
				t.Errorf("the bounding set is kept: %v, want %v", p.Report.BoundingSetKept, kept)
			}
			if !p.Report.Seccomp {
				want["Seccomp"], want["Seccomp_filters"] = "0", "0"
			}
			threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.PID))
			if err != nil || len(threads) < 5 {
				t.Fatalf("threads %v, %v; want 5 or more", threads, err)
			}
			for _, thread := range threads {
				for field, value := range statusOf(t, thread) {
					if want[field] != "" && value != want[field] {
						t.Errorf("%s: %s is %s, want %s", thread, field, value, want[field])
					}
				}
			}
		})
	}
}

func statusOf(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

func TestTheReportIsThatOfTheKernel(t *testing.T) {
	t.Parallel()
	p := newProcess(t, newUID(), order{Confine: true})
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		abi = 0
	}
	if p.Report.LandlockABI != int(abi) {
		t.Errorf("Landlock ABI %d is reported, want %d", p.Report.LandlockABI, abi)
	}
	var seccomp uint32 = unix.SECCOMP_RET_ERRNO
	const actionAvailable = 2 // SECCOMP_GET_ACTION_AVAIL
	err := raw(unix.SYS_SECCOMP, actionAvailable, 0, addressOf(&seccomp))
	if p.Report.Seccomp != (err == nil) {
		t.Errorf("seccomp %v is reported, and the kernel says %v", p.Report.Seccomp, err)
	}
	p.cmd.Process.Kill()
	p.cmd.Wait()
	for _, lack := range p.Report.Lacks {
		if !strings.Contains(p.errors.String(), lack.Needs) {
			t.Errorf("the log does not tell %+v:\n%s", lack, p.errors)
		}
	}
	if want := fmt.Sprintf("msg=confined new_privileges=false capabilities=none core_dumps=false landlock_abi=%d seccomp=%v", abi, err == nil); !strings.Contains(p.errors.String(), want) {
		t.Errorf("logged\n%swant a line with %q", p.errors, want)
	}
	t.Logf("this kernel lacks: %+v", p.Report.Lacks)
}

// Confine is for programs without C: this one, as go test builds it by itself.
func TestAProgramWithCIsRefused(t *testing.T) {
	if !cgo {
		t.Skip("this test is built without cgo: there is no C in it to refuse")
	}
	cmd := exec.Command(os.Args[0])
	text, err := json.Marshal(order{Base: newBase(t, uint32(os.Getuid())), Confine: true})
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{orderVariable + "=" + string(text)}
	out, err := cmd.Output()
	if want := "build it with CGO_ENABLED=0"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%s, %v; want an error with %q", out, err, want)
	}
}

func TestAConfinedProcessWorks(t *testing.T) {
	t.Parallel()
	p := newProcess(t, newUID(), order{Confine: true})
	p.works("allocate", nil)
	p.works("threads", nil)
	p.works("random", nil)
	p.works("zone", nil)
	p.works("interface", nil)
	p.works("signal", nil)
	p.works("resize", nil)
	p.works("helper", nil)
	p.works("list", nil)
	p.works("serve", func() error { return exchange(p.Address, "through TCP") })
	p.works("forward", func() error { return exchange(p.Address, strings.Repeat("through TCP and a unix socket ", 10000)) })
	p.works("receive", func() error { return sendPipe(p.messages) })
	p.works("pass on", func() error { return writeBack(p.messages) })

	// The file is replaced, as an editor does it: a rule on the file would be lost.
	if err := os.WriteFile(p.dir+"/file.new", []byte("new\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(p.dir+"/file.new", p.dir+"/file"); err != nil {
		t.Fatal(err)
	}
	p.works("read", nil)
}

func exchange(address, text string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		io.WriteString(conn, text)
		conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err == nil && string(got) != text {
		return fmt.Errorf("%d bytes came back, want %d, the same", len(got), len(text))
	}
	return err
}

func sendPipe(messages *net.UnixConn) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	defer r.Close()
	if _, _, err := messages.WriteMsgUnix([]byte("r"), unix.UnixRights(int(r.Fd())), nil); err != nil {
		return err
	}
	_, err = io.WriteString(w, "through the pipe")
	return err
}

func writeBack(messages *net.UnixConn) error {
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := messages.ReadMsgUnix(buf, oob)
	if err != nil {
		return err
	}
	control, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&control[0])
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fds[0]), "passed on")
	defer f.Close()
	_, err = io.WriteString(f, "back")
	return err
}

func TestACrashPrintsATraceAndEnds(t *testing.T) {
	for crash, want := range map[string]string{"panic": "panic: a goroutine's panic", "fault": "invalid memory address or nil pointer dereference"} {
		t.Run(crash, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, newUID(), order{Confine: true})
			p.say(crash)
			var exit *exec.ExitError
			if err := p.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
				t.Errorf("ended with %v, want status 2", err)
			}
			if out := p.errors.String(); !strings.Contains(out, want) || !strings.Contains(out, "\ngoroutine ") {
				t.Errorf("printed\n%s\nwant %q and a trace", out, want)
			}
		})
	}
}

// A free process leaves a core in its directory, if the machine lets it have one:
// where the tests may not have cores at all, the log of this test says so, and only
// the limit is compared.
func TestNoCoreIsLeft(t *testing.T) {
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &most); err != nil {
		t.Fatal(err)
	}
	if most.Max == 0 {
		t.Log("this machine has no core dumps: a free process leaves none either")
	}
	for name, confined := range map[string]bool{"free": false, "confined": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, newUID(), order{Confine: confined, Kernel: true, Core: most.Max})
			want := most.Max
			if confined {
				want = 0
			}
			if p.Core.Cur != want || p.Core.Max != want {
				t.Errorf("the limit of core dumps is %+v, want %d", p.Core, want)
			}
			if err := unix.Kill(p.PID, unix.SIGSEGV); err != nil {
				t.Fatal(err)
			}
			p.cmd.Wait()
			status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
			if core := want > 0; status.Signal() != unix.SIGSEGV || status.CoreDump() != core {
				pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern")
				t.Errorf("ended with %v, core %v; want SIGSEGV, core %v (core_pattern %q)", p.cmd.ProcessState, status.CoreDump(), core, pattern)
			}
			if cores, _ := filepath.Glob(p.dir + "/core*"); confined && cores != nil {
				t.Errorf("there is %v, want no core", cores)
			}
		})
	}
}

const probeVariable = "CONFINE_TEST_PROBE"

// probe tells what a process of the same uid gets to know of another.
func probe(text string) {
	var pid int
	fmt.Sscan(text, &pid)
	for _, file := range []string{"mem", "environ", "maps", "fd"} {
		fmt.Println(file, outcome(open(fmt.Sprintf("/proc/%d/%s", pid, file), unix.O_RDONLY)))
	}
	fmt.Println("ptrace", outcome(seize(pid)))
	fmt.Println("process_vm_readv", outcome(readMemory(pid)))
}

func TestAnotherOfTheSameUIDCannotLookInside(t *testing.T) {
	for name, test := range map[string]struct {
		confined bool
		want     string
	}{
		"free":     {false, "mem ok\nenviron ok\nmaps ok\nfd ok\nptrace ok\nprocess_vm_readv ok\n"},
		"confined": {true, "mem EACCES\nenviron EACCES\nmaps EACCES\nfd EACCES\nptrace EPERM\nprocess_vm_readv EPERM\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uid := newUID()
			p := newProcess(t, uid, order{Confine: test.confined})
			cmd := exec.Command(static)
			cmd.Env = []string{fmt.Sprintf("%s=%d", probeVariable, p.PID)}
			cmd.SysProcAttr = as(uid)
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != test.want {
				t.Errorf("%v, got\n%swant\n%s", err, out, test.want)
			}
		})
	}
}
