package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// programsDir is where the bench and what it measures are, once they are built.
var programsDir string

func TestMain(m *testing.M) {
	status := m.Run()
	os.RemoveAll(programsDir)
	os.Exit(status)
}

var buildPrograms = sync.OnceValue(func() (err error) {
	if programsDir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	for name, from := range map[string]string{"pamhelper": "cmd/pamhelper", "agent": "cmd/agent", "bench": "scripts/bench", inGo: "scripts/bench/peers/bare"} {
		cgo := "CGO_ENABLED=0"
		if name == "pamhelper" || name == inGo {
			cgo = "CGO_ENABLED=1"
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(programsDir, name), "../../"+from)
		cmd.Env = append(os.Environ(), cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return nil
})

// builtBench is where the programs are.
func builtBench(t *testing.T) (dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for namespaces with users and PAM files of their own")
	}
	if err := buildPrograms(); err != nil {
		t.Fatal(err)
	}
	return programsDir
}

// running is a bench that has begun with a row.
type running struct {
	cmd       *exec.Cmd
	namespace string // that of all its processes
	temporary string // where it has its files
	stderr    *bufio.Reader
	stdout    strings.Builder
}

func startBench(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	r := &running{temporary: t.TempDir(), cmd: exec.Command(filepath.Join(dir, "bench"), append([]string{"--programs", dir}, args...)...)}
	r.cmd.Env = append(os.Environ(), "TMPDIR="+r.temporary)
	r.cmd.Stdout = &r.stdout
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.cmd.Process.Kill() })
	r.stderr = bufio.NewReader(stderr)
	if line, err := r.stderr.ReadString('\n'); err != nil || !strings.HasPrefix(line, "bench: transaction: ") {
		rest, _ := io.ReadAll(r.stderr)
		t.Fatalf("got %q, %v\n%s; want the row's name", line, err, rest)
	}
	for _, child := range childrenOf(r.cmd.Process.Pid) {
		r.namespace, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", child))
	}
	if ours, _ := os.Readlink("/proc/self/ns/pid"); r.namespace == "" || r.namespace == ours {
		t.Fatalf("the bench works in the process namespace %q, want one of its own", r.namespace)
	}
	return r
}

// wait waits for its end, and looks for what it left.
func (r *running) wait(t *testing.T) (status int, said string) {
	t.Helper()
	text, _ := io.ReadAll(r.stderr)
	r.cmd.Wait()
	for _, pid := range allProcesses() {
		if in, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); in == r.namespace {
			t.Errorf("process %d of the bench is left, want none", pid)
		}
	}
	if left, _ := os.ReadDir(r.temporary); len(left) > 0 {
		t.Errorf("files that are left: %v, want none", left)
	}
	return r.cmd.ProcessState.ExitCode(), string(text)
}

func TestARowHasAllContendersAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := builtBench(t)
	file := filepath.Join(t.TempDir(), "bench.json")
	const rounds = 3
	r := startBench(t, dir, "--quick", "--row", "transaction", "--rounds", fmt.Sprint(rounds), "--json", file)
	if status, said := r.wait(t); status != 0 {
		t.Fatalf("status %d, want 0\n%s%s", status, r.stdout.String(), said)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Machine.Cores < 1 || got.Machine.Kernel == "" || got.Machine.OpenSSH == "" || got.Date.IsZero() {
		t.Errorf("the machine: got %+v, want its cores, kernel and versions", got.Machine)
	}
	if len(got.Tables) != 2 {
		t.Fatalf("got %d tables, want one for each stack", len(got.Tables))
	}
	for _, table := range got.Tables {
		expectContenders(t, table, rounds)
		if !strings.Contains(r.stdout.String(), table.Case) {
			t.Errorf("the text lacks %q", table.Case)
		}
	}
}

// expectContenders looks for all who can make a transaction, in every round.
func expectContenders(t *testing.T, table *table, rounds int) {
	t.Helper()
	for _, name := range []string{repeatedC, processC, waitingC, pamtester, cold} {
		wall := table.line(name).figure(wallFigure)
		if wall == nil || wall.Samples != rounds || wall.Median <= 0 {
			t.Errorf("%s, %s: got %+v, want %d samples of some time", table.Case, name, wall, rounds)
		}
	}
	if !slices.ContainsFunc(table.Ratios, func(r ratio) bool { return r.What == "cold : pamtester" && r.Target == "at most 1.8" }) {
		t.Errorf("%s: got the ratios %+v, want one of cold to pamtester with its target", table.Case, table.Ratios)
	}
}

func TestAnInterruptedBenchEndsWhatItStarted(t *testing.T) {
	t.Parallel()
	dir := builtBench(t)
	file := filepath.Join(t.TempDir(), "bench.json")
	r := startBench(t, dir, "--row", "transaction", "--rounds", "1000000", "--json", file)
	started := func() bool {
		children := childrenOf(r.cmd.Process.Pid)
		return len(children) == 1 && len(childrenOf(children[0])) > 1
	}
	if err := eventually(started, "a broker and the program in C"); err != nil {
		t.Fatal(err)
	}
	r.cmd.Process.Signal(syscall.SIGINT)
	if status, said := r.wait(t); status != 1 || !strings.Contains(said, "interrupted") {
		t.Errorf("got status %d, %q; want 1 and interrupted", status, said)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("there are results of an interrupted run")
	}
}

func TestWrongArgumentsAreRefusedAsWrongUse(t *testing.T) {
	t.Parallel()
	if err := buildPrograms(); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--fast"}, "flag provided but not defined: -fast"},
		{[]string{"--row", "nosuch"}, `invalid value "nosuch" for flag -row: there is no such row; there are transaction, prompt, rate, ssh, memory, open, throughput, size`},
		{[]string{"--row", ""}, `invalid value "" for flag -row: there is no such row; there are transaction, prompt, rate, ssh, memory, open, throughput, size`},
		{[]string{"--row"}, "flag needs an argument: -row"},
		{[]string{"--rounds", "many"}, `invalid value "many" for flag -rounds: parse error`},
		{[]string{"--rounds", "-1"}, "--rounds -1: it is a number of rounds, and cannot be negative"},
		{[]string{"--quick=perhaps"}, `invalid boolean value "perhaps" for -quick: parse error`},
		{[]string{"--json", empty}, "--json " + empty + ": it is a directory; give it the name of a file"},
		{[]string{"--json", empty + "/none/x.json"}, "--json " + empty + "/none/x.json: there is no directory for it"},
		{[]string{"--quick", "extra"}, `"extra": there are flags only`},
		{[]string{"extra", "--quick"}, `"extra": there are flags only`},
		{[]string{"--", "--quick"}, `"--quick": there are flags only`},
	} {
		want := "bench: " + c.says + "; see --help\n"
		if status, stdout, stderr := runBench(empty, c.args...); status != 2 || stdout != "" || stderr != want {
			t.Errorf("%q: got status %d, %q and on standard output %q; want 2, %q and nothing", c.args, status, stderr, stdout, want)
		}
	}
	if status, stdout, stderr := runBench(empty, "--help"); status != 0 || !strings.Contains(stdout, "transaction") || stderr != "" {
		t.Errorf("--help: got status %d, %q and on standard output %q; want 0 and the rows", status, stderr, stdout)
	}
	if status, _, stderr := runBench(empty, "--quick"); status != 1 || !strings.Contains(stderr, "make bench") {
		t.Errorf("right arguments without the programs: got status %d, %q; want 1 and what to do", status, stderr)
	}
}

// runBench runs one that does not come to its rows: there are no programs.
func runBench(empty string, args ...string) (status int, stdout, stderr string) {
	cmd := exec.Command(filepath.Join(programsDir, "bench"), append([]string{"--programs", empty}, args...)...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}
