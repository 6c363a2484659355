package realpam_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// insideVariable tells the re-executed test binary where its programs are.
const insideVariable = "REALPAM_PROGRAMS"

// skipReason is why no test can run here; empty where they can.
var skipReason string

func TestMain(m *testing.M) {
	programs := os.Getenv(insideVariable)
	switch {
	case programs != "":
		os.Exit(inside(m, programs))
	case os.Geteuid() != 0:
		skipReason = "needs root, for namespaces with users and PAM files of their own"
		os.Exit(m.Run())
	}
	flag.Parse()
	if profile := flag.Lookup("test.coverprofile").Value.String(); profile != "" {
		// The package has no statements; the go command wants the file.
		os.WriteFile(profile, []byte("mode: "+testing.CoverMode()+"\n"), 0o644)
	}
	status, err := enter(flag.Lookup("test.count").Value.(flag.Getter).Get().(uint))
	if errors.Is(err, syscall.EPERM) {
		skipReason = "this root may not make namespaces: " + err.Error()
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "realpam:", err)
		status = 1
	}
	os.Exit(status)
}

// enter builds the programs and runs the tests in namespaces of their own, as
// often as -count says, each time on a new machine.
func enter(count uint) (status int, err error) {
	runtime.LockOSThread() // Pdeathsig goes with the thread
	programs, err := os.MkdirTemp("", "realpam")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(programs)
	if err := build(programs); err != nil {
		return 1, err
	}
	for range count {
		if status, err = again(programs); status != 0 || err != nil {
			break
		}
	}
	return status, err
}

// undoPosixSpawn: what make and others start by it ignores a signal that the C
// library keeps to itself, and nothing started from here is to inherit that.
func undoPosixSpawn() {
	const cancel = 32
	var byDefault [4]uint64 // struct sigaction of the kernel
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, cancel, uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
}

// again runs this test binary once in new namespaces.
func again(programs string) (status int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	// Most tests wait for something most of the time.
	args := append([]string{"-test.parallel=8"}, insideArgs(os.Args[1:])...)
	cmd := exec.Command(self, append(args, "-test.count=1")...)
	cmd.Env = append(os.Environ(), insideVariable+"="+programs)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

func build(dir string) error {
	for name, cgo := range map[string]string{"pamhelper": "1", "agent": "0"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/pamhelper/pamhelper/cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	if err := install(dir); err != nil {
		return err
	}
	return buildStripped(dir)
}

// install puts what was built, with the units of systemd, below installed/.
func install(dir string) error {
	cmd := exec.Command("../../../scripts/install.sh", "install")
	cmd.Env = append(os.Environ(), "BIN="+dir, "DESTDIR="+filepath.Join(dir, "installed"), "prefix=/usr/local")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install.sh: %w\n%s", err, out)
	}
	return nil
}

// insideArgs drops the flags that name files which are not there inside.
func insideArgs(args []string) []string {
	var kept []string
	for _, arg := range args {
		if strings.HasPrefix(arg, "-test.testlogfile=") || strings.HasPrefix(arg, "-test.gocoverdir=") ||
			strings.HasPrefix(arg, "-test.coverprofile=") {
			continue
		}
		kept = append(kept, arg)
	}
	return kept
}

// inside makes the private machine, runs the tests and looks for what they
// left running.
func inside(m *testing.M, programs string) int {
	undoPosixSpawn()
	os.Unsetenv(insideVariable)
	os.Unsetenv("TMPDIR")
	os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	os.Setenv("LC_ALL", "C")
	if err := makeMachine(programs); err != nil {
		fmt.Fprintln(os.Stderr, "realpam: make the private machine:", err)
		return 1
	}
	status := m.Run()
	if left := leftRunning(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "realpam: processes left running: got %q, want none\n", left)
		return 1
	}
	for _, secret := range []string{password, rootPassword} {
		if lines := logged(secret); len(lines) > 0 {
			fmt.Fprintf(os.Stderr, "realpam: passwords in the system's log: got %q, want none\n", lines)
			return 1
		}
	}
	return status
}

// ready skips a test where there is no private machine.
func ready(t *testing.T) {
	t.Helper()
	if skipReason != "" {
		t.Skip(skipReason)
	}
}
