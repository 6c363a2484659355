package pamstack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// realPAM is the program that runs services through the real libpam.
type realPAM struct {
	libpam Libpam
	root   string
	in     io.WriteCloser
	out    *bufio.Scanner
}

// startReal starts the program below a root directory of its own, with modules
// in it. Where it may not do that the test is skipped.
func startReal(t *testing.T) *realPAM {
	t.Helper()
	r := &realPAM{root: fastDir(t)}
	var err error
	if r.libpam, err = detected(*flagLibpam); err != nil {
		t.Skip("no libpam: ", err)
	}
	program := filepath.Join(t.TempDir(), "differential")
	compile(t, "-rdynamic", "-o", program, "testdata/differential.c", "-lpam")
	r.makeModules(t)

	cmd := exec.Command(program, r.root)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Dir(r.libpam.Path))
	var said strings.Builder
	cmd.Stderr = &said
	if os.Geteuid() != 0 {
		cmd.SysProcAttr = inUserNamespace()
	}
	r.pipes(t, cmd)
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) {
		t.Skip("needs root or user namespaces, for a root directory of its own: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.in.Close()
		if err := cmd.Wait(); err != nil && !t.Skipped() {
			t.Errorf("differential: %v\n%s", err, said.String())
		}
	})
	if !r.out.Scan() {
		t.Skip("this root may not have a root directory of its own")
	}
	return r
}

func (r *realPAM) pipes(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var err error
	if r.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.out = bufio.NewScanner(out)
	r.out.Buffer(nil, 1<<20)
}

// fastDir returns a directory in memory, where there is one for programs: the
// files of a scene are many.
func fastDir(t *testing.T) string {
	t.Helper()
	const memory, noexec = "/dev/shm", 8 // ST_NOEXEC of statfs(2)
	var stat syscall.Statfs_t
	if err := syscall.Statfs(memory, &stat); err != nil || stat.Flags&noexec != 0 {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "pamstack")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func detected(path string) (Libpam, error) {
	if path == "" {
		config, err := Config{}.Detected()
		return config.Libpam, err
	}
	return Detect(path)
}

func inUserNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
}

// makeModules puts modules where libpam looks for them: those of the test, the
// machine's pam_debug, and one that only the ISA directory has.
func (r *realPAM) makeModules(t *testing.T) {
	t.Helper()
	dir := r.root + r.libpam.ModuleDir
	isa := r.root + r.libpam.ISA
	if !strings.HasPrefix(r.libpam.ISA, "/") {
		isa = filepath.Join(dir, r.libpam.ISA)
	}
	makeDir(t, dir)
	makeDir(t, isa)
	const source = "testdata/pam_differential.c"
	compile(t, "-shared", "-fPIC", "-o", dir+"pam_differential.so", source)
	compile(t, "-shared", "-fPIC", "-o", isa+"/pam_isa.so", source)
	compile(t, "-shared", "-fPIC", "-DHALF", "-o", dir+"pam_half.so", source)
	writeFile(t, dir+"pam_text.so", "no module")

	installed, err := detected("")
	if err != nil {
		t.Skip("no installed modules: ", err)
	}
	debug, err := os.ReadFile(installed.ModuleDir + "pam_debug.so")
	if err != nil {
		t.Skip("no pam_debug.so: ", err)
	}
	writeFile(t, dir+"pam_debug.so", string(debug))
}

// run gives a scene to the real libpam and returns the events.
func (r *realPAM) run(t *testing.T, s *scene) (events []string) {
	t.Helper()
	confdir := "-"
	if s.confdir != "" {
		confdir = s.confdir
	}
	list := ""
	for _, call := range s.calls {
		list += strconv.Itoa(int(call))
	}
	if _, err := fmt.Fprintf(r.in, "%s\t%s\t%s\n", s.service, confdir, list); err != nil {
		t.Fatal(err)
	}
	for r.out.Scan() {
		events = append(events, r.out.Text())
		if strings.HasPrefix(r.out.Text(), "end") {
			return events
		}
	}
	t.Fatalf("differential ended: %v\n%s", r.out.Err(), s)
	return nil
}

func compile(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("gcc", append([]string{"-Wall", "-Werror", "-O1"}, args...)...).CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("needs gcc: ", err)
		}
		t.Fatalf("gcc %v: %v\n%s", args, err, out)
	}
}

func makeDir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	makeDir(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
