package realpam_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const moduleDir = "/lib/x86_64-linux-gnu/security"

// copies is a mount namespace with modules of its own: a watch in it sees what is
// run in it, and nothing else of the machine.
type copies struct {
	t       *testing.T
	dir     string // where the modules are, also outside
	holder  int
	tracefs string
}

func newCopies(t *testing.T) *copies {
	t.Helper()
	ready(t)
	c := &copies{t: t, dir: t.TempDir(), tracefs: t.TempDir()}
	if err := unix.Mount("tracefs", c.tracefs, "tracefs", 0, ""); err != nil {
		t.Skip("this machine lets nobody trace: ", err)
	}
	t.Cleanup(func() { unix.Unmount(c.tracefs, unix.MNT_DETACH) })
	if _, err := os.Stat(c.tracefs + "/uprobe_events"); err != nil {
		t.Skip("this kernel cannot probe programs: ", err)
	}
	if err := command("cp", "-a", moduleDir+"/.", c.dir); err != nil {
		t.Fatal(err)
	}
	holder := exec.Command("unshare", "--mount", "sh", "-c", `mount --bind "$1" "$2" && echo && exec cat`, "sh", c.dir, moduleDir)
	input, _ := holder.StdinPipe()
	output, _ := holder.StdoutPipe()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { input.Close(); holder.Wait() })
	if _, err := output.Read(make([]byte, 1)); err != nil {
		t.Fatal("mount the copies: ", err)
	}
	c.holder = holder.Process.Pid
	return c
}

func (c *copies) command(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{fmt.Sprintf("--mount=/proc/%d/ns/mnt", c.holder)}, args...)...)
}

// pam runs pamtester, whatever comes of it.
func (c *copies) pam(args ...string) string {
	out, err := c.command(append([]string{"pamtester"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	return string(out)
}

// watching is a "pamhelper watch --json" that has begun.
type watching struct {
	t    *testing.T
	cmd  *exec.Cmd
	name string // of what it has in the kernel
	done chan struct{}

	mutex sync.Mutex
	lines []watchLine
	log   string
}

type watchLine struct {
	PID                                                 int
	Program, Service, User, Module, Outcome, Code, Time string
	Functions                                           []string
	Flags, Number                                       *int
	Duration                                            *int64 `json:"duration_us"`
}

func (c *copies) watch(args ...string) *watching {
	c.t.Helper()
	w := &watching{t: c.t, cmd: c.command(append([]string{pamhelper, "watch", "--json"}, args...)...), done: make(chan struct{})}
	out, _ := w.cmd.StdoutPipe()
	log, _ := w.cmd.StderrPipe()
	if err := w.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { w.read(bufio.NewScanner(out)) })
	readers.Go(func() { w.readLog(bufio.NewScanner(log)) })
	go func() { readers.Wait(); w.cmd.Wait(); close(w.done) }()
	c.t.Cleanup(func() { w.end(syscall.SIGTERM) })
	w.logs("modules of " + moduleDir)
	w.name = instanceOf(w.cmd.Process.Pid)
	if w.name == "" {
		c.t.Fatal("the watch holds no files of an instance open")
	}
	return w
}

func (w *watching) read(lines *bufio.Scanner) {
	for lines.Scan() {
		var line watchLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			w.t.Errorf("a line of --json: %v: %q", err, lines.Text())
		}
		w.mutex.Lock()
		w.lines = append(w.lines, line)
		w.mutex.Unlock()
	}
}

func (w *watching) readLog(lines *bufio.Scanner) {
	for lines.Scan() {
		w.mutex.Lock()
		w.log += lines.Text() + "\n"
		w.mutex.Unlock()
	}
}

func (w *watching) seen() []watchLine {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return append([]watchLine(nil), w.lines...)
}

// logs waits for a text on standard error.
func (w *watching) logs(text string) {
	w.t.Helper()
	eventually(w.t, func() bool { return strings.Contains(w.said(), text) }, "%q on standard error; got %s", text, lazy(w.said))
}

func (w *watching) said() string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.log
}

type lazy func() string

func (l lazy) String() string { return l() }

// calls are what was seen, as "module function CODE".
func (w *watching) calls() string {
	var calls []string
	for _, l := range w.seen() {
		calls = append(calls, fmt.Sprintf("%s %s %s", strings.TrimSuffix(filepath.Base(l.Module), ".so"), strings.Join(l.Functions, "|"), l.Code+strings.TrimPrefix(l.Outcome, "returned")))
	}
	return strings.Join(calls, "\n")
}

// expect waits for exactly those calls.
func (w *watching) expect(calls ...string) {
	w.t.Helper()
	want := strings.Join(calls, "\n")
	eventually(w.t, func() bool { return w.calls() == want }, "the calls\n%s\ngot\n%s", want, lazy(w.calls))
}

// end sends a signal and waits for the end.
func (w *watching) end(signal syscall.Signal) int {
	w.cmd.Process.Signal(signal)
	<-w.done
	return w.cmd.ProcessState.ExitCode()
}

var instancePath = regexp.MustCompile(`instances/(pamhelper_\w+)/per_cpu`)

func instanceOf(pid int) string {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		target, _ := os.Readlink(fd)
		if m := instancePath.FindStringSubmatch(target); m != nil {
			return m[1]
		}
	}
	return ""
}

// left names what there is of a watch in the kernel.
func (c *copies) left(name string) (left []string) {
	probes, err := os.ReadFile(c.tracefs + "/uprobe_events")
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.Contains(string(probes), name+"/") {
		left = append(left, "probes")
	}
	for _, dir := range []string{"instances", "events"} {
		if _, err := os.Stat(filepath.Join(c.tracefs, dir, name)); err == nil {
			left = append(left, dir)
		}
	}
	return left
}
