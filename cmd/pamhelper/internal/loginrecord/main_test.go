package loginrecord

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideVariable tells the re-executed test binary that its files are its own.
const insideVariable = "LOGINRECORD_INSIDE"

// skipReason is why the machine's files cannot be replaced here; empty where
// they can.
var skipReason string

// mainThread is where the main goroutine gets its work from.
var mainThread = make(chan func())

func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if os.Getenv(insideVariable) != "" {
		if err := makeMachine(); err != nil {
			fmt.Fprintln(os.Stderr, "loginrecord: make the private machine:", err)
			os.Exit(1)
		}
		os.Exit(run(m))
	}
	if os.Geteuid() != 0 {
		skipReason = "needs root, for a mount namespace with login records of its own"
		os.Exit(run(m))
	}
	err := again()
	if errors.Is(err, syscall.EPERM) {
		skipReason = "this root may not make namespaces: " + err.Error()
		os.Exit(run(m))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "loginrecord:", err)
		os.Exit(1)
	}
}

// run runs the tests while this goroutine, on the main thread, serves them.
func run(m *testing.M) (status int) {
	ended := make(chan int)
	go func() { ended <- m.Run() }()
	for {
		select {
		case f := <-mainThread:
			f()
		case status := <-ended:
			return status
		}
	}
}

func onMain(f func() error) error {
	result := make(chan error)
	mainThread <- func() { result <- f() }
	return <-result
}

// again runs this test binary in a mount namespace of its own.
func again() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideVariable+"=1", "LC_ALL=C", "TZ=UTC")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}

// users are those that lastlog(8) asks for by name.
const users = `root:x:0:0::/:/bin/sh
alice:x:1000:1000::/:/bin/sh
far:x:4000000000:1000::/:/bin/sh
` + longName + `:x:1001:1000::/:/bin/sh
`

func makeMachine() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, dir := range []string{"/run", "/var/log"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mount a tmpfs on %s: %w", dir, err)
		}
	}
	if err := os.WriteFile("/run/passwd", []byte(users), 0o644); err != nil {
		return err
	}
	return unix.Mount("/run/passwd", "/etc/passwd", "", unix.MS_BIND, "")
}
