package confine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/confine"
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

// The agent of a broker, on a kernel whose Landlock knows nothing of sockets, or
// that has none.
func TestAnAgentThatConnectsToNothingNeedsNoLandlock(t *testing.T) {
	t.Parallel()
	p := newProcess(t, newUID(), order{Threads: 1, Confine: true, Alone: true, Hide: []string{"landlock"}})
	if !p.Report.Seccomp {
		t.Fatalf("the report is %+v, and this test needs a kernel with seccomp", p.Report)
	}
	p.works("serve", func() error { return exchange(p.Address, "through TCP") })
	p.works("receive", func() error { return sendPipe(p.messages) })
	p.works("pass on", func() error { return writeBack(p.messages) })
	p.say("attempts")
	var answers []answer
	p.read(&answers)
	tried := 0
	for i, a := range attempts {
		if !strings.HasPrefix(a.name, "connect ") {
			continue
		}
		if tried++; answers[i].Outcome != "EPERM" {
			t.Errorf("%s: %s, want EPERM", a.name, answers[i].Outcome)
		}
	}
	if tried < 5 {
		t.Errorf("%d attempts to connect, want all five", tried)
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
			if kept := uid != 0; p.Report.BoundingSetKept != kept {
				t.Errorf("the bounding set is kept: %v, want %v", p.Report.BoundingSetKept, kept)
			}
			if !p.Report.Seccomp {
				want["Seccomp"], want["Seccomp_filters"] = "0", "0"
			}
			threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.PID))
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			for _, thread := range threads {
				text, err := os.ReadFile(thread)
				if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
					continue // one that has ended meanwhile
				}
				if err != nil {
					t.Fatal(err)
				}
				seen++
				got := fieldsOf(string(text))
				for field, value := range want {
					if got[field] != value {
						t.Errorf("%s: %s is %q, want %q", thread, field, got[field], value)
					}
				}
			}
			if seen < 5 {
				t.Errorf("%d threads seen, want the 4 that were there before, and more", seen)
			}
		})
	}
}

// fieldsOf are the lines of a status file in /proc.
func fieldsOf(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
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
