package confine

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropCoreDumps makes sure that the process's memory, which holds host keys and
// typed passwords, is not written to a disk, and not read through /proc or ptrace
// by other processes of the same uid.
func dropCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("set the limit of core dumps to 0: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_DUMPABLE): %w", err)
	}
	return nil
}

// dropCapabilities empties all sets of capabilities on all threads. The bounding
// set is kept where the process has no CAP_SETPCAP to empty it with.
func dropCapabilities() (boundingKept bool, err error) {
	boundingKept, err = dropBoundingSet()
	if err != nil {
		return false, err
	}
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); err != nil {
		return false, fmt.Errorf("prctl(PR_CAP_AMBIENT_CLEAR_ALL): %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	if err := threadsError(errno); err != nil {
		return false, fmt.Errorf("capset: %w", err)
	}
	return boundingKept, nil
}

// dropBoundingSet tells whether something is left in it.
func dropBoundingSet() (kept bool, err error) {
	for capability := uintptr(0); ; capability++ {
		in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return kept, nil // the kernel knows no more
		}
		if err != nil {
			return false, fmt.Errorf("prctl(PR_CAPBSET_READ): %w", err)
		}
		if in == 0 {
			continue
		}
		err = onAllThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, capability)
		if errors.Is(err, unix.EPERM) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("prctl(PR_CAPBSET_DROP): %w", err)
		}
	}
}

// forbidNewPrivileges also is what lets an unprivileged process have the rest.
func forbidNewPrivileges() error {
	if err := onAllThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
	}
	return nil
}

// onAllThreads makes a system call whose further arguments are 0 on each thread.
func onAllThreads(trap, a1, a2 uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(trap, a1, a2, 0, 0, 0, 0)
	return threadsError(errno)
}

func threadsError(errno syscall.Errno) error {
	switch errno {
	case 0:
		return nil
	case syscall.ENOTSUP:
		return errors.New("this agent is built with cgo, and cannot reach all its threads: build it with CGO_ENABLED=0")
	}
	return errno
}
