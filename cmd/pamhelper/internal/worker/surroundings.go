package worker

/*
#include "constructor.h"
*/
import "C"

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

// socketFD is the protocol's socket, or -1 where none was on descriptor 3.
func socketFD() int { return int(C.pamhelper_start.socket) }

// logFile returns what was standard error when the process started.
func logFile() *os.File {
	if C.pamhelper_start.log < 0 {
		return nil
	}
	return os.NewFile(uintptr(C.pamhelper_start.log), "log")
}

// policyFile returns what came on descriptor 4, nil where nothing did. It can be
// kept for a second reading, until forgetPolicy.
func policyFile(keep bool) *os.File {
	fd := int(C.pamhelper_start.policy)
	if keep && fd >= 0 {
		fd, _ = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, descriptorFloor)
	}
	if fd < 0 {
		return nil
	}
	return os.NewFile(uintptr(fd), PolicyOnDescriptor)
}

func forgetPolicy() { unix.Close(int(C.pamhelper_start.policy)) }

// isLog reports whether a pipe is the one that the log goes to.
func isLog(pipe int) bool {
	var log, other unix.Stat_t
	return unix.Fstat(int(C.pamhelper_start.log), &log) == nil && unix.Fstat(pipe, &other) == nil &&
		log.Dev == other.Dev && log.Ino == other.Ino
}

// harden finishes what the constructor began (design: a worker's surroundings
// are its own, whatever its starter's were).
func harden() error {
	os.Clearenv()
	// The runtime's watching thread is there by now, and keeps the slack that it has
	// inherited. PAM's thread gives its own to all children.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(C.pamhelper_start.slack), 0, 0, 0); err != nil {
		return err
	}
	unix.Umask(0o022)
	if err := os.Chdir("/"); err != nil {
		return err
	}
	libpam.ChildSignals(actionsAtStart(), unsafe.Pointer(&C.pamhelper_start.mask))
	return nil
}

// limitsAtStart are the limits the process was started with. Modules and the
// user's process get them: for itself the Go runtime has raised one.
func limitsAtStart() (limits libpam.Limits) {
	for i := range limits {
		saved := C.pamhelper_start.limits[i]
		limits[i] = syscall.Rlimit{Cur: uint64(saved.rlim_cur), Max: uint64(saved.rlim_max)}
	}
	return limits
}

// actionsAtStart are the signals' dispositions then: 65 struct sigaction of C.
func actionsAtStart() unsafe.Pointer { return unsafe.Pointer(&C.pamhelper_start.actions[0]) }

// captureOutput puts a pipe in the place of standard output and error, where
// modules and their children print, and returns its reading end.
func captureOutput() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	for _, fd := range []int{1, 2} {
		if err := unix.Dup3(int(w.Fd()), fd, 0); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// releaseFloor gives the low numbers to the modules, right before the first of them
// runs: what this process has opened until then stands above them.
func releaseFloor() {
	C.pamhelper_release_floor()
}

// connection takes over the descriptor that was 3. What a socket unit that is not
// meant for a worker hands over is refused.
func connection(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "agent")
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err == nil && listens != 0 {
		file.Close()
		return nil, fmt.Errorf("%w, but a socket that listens: set Accept=yes in the socket unit", ErrNoSocket)
	}
	conn, err := ipc.UnixConn(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; an agent's is a unix stream socket, in a socket unit ListenStream= with a path", ErrNoSocket, err)
	}
	return conn, nil
}

// descriptorOf returns the number of a connection's descriptor, which stays
// the connection's.
func descriptorOf(conn *net.UnixConn) int {
	number := -1
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { number = int(fd) })
	}
	return number
}

// descriptorFloor is the first number of this process's own descriptors: those below are
// left to modules.
const descriptorFloor = C.PAMHELPER_FD_FLOOR

// aboveFloor calls open while the numbers that modules have are taken: a module
// that closes descriptors which it believes to be its own does not close those
// that are opened here. Numbers that modules use stay as they are.
func aboveFloor(open func() error) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	for {
		number, err := unix.FcntlInt(null.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return err
		}
		defer unix.Close(number)
		if number >= descriptorFloor {
			return open()
		}
	}
}
