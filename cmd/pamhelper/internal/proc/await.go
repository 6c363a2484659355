package proc

import (
	"os"

	"golang.org/x/sys/unix"
)

// AwaitExit returns when a child has ended and can be waited for. The descriptor is its
// pidfd, non-blocking, opened while it cannot have been waited for.
func AwaitExit(pid int, pidfd *os.File) {
	if raw, err := pidfd.SyscallConn(); err == nil {
		raw.Read(func(fd uintptr) bool {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(poll, 0)
			return n > 0 || err != nil && err != unix.EINTR
		})
	}
	// The end of one that is traced is shown to its tracer alone, until that has
	// let it go. This takes a thread, and most often no time.
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}
