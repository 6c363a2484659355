package userprocess

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// GivePipes makes pipes the user's, as a process of the user could have made
// them: opening /dev/stdout needs that. Only pipes without a name: of any other
// file the agent must not choose the owner. Nor of those that are kept: where the
// log goes into the same pipe as the agent's, its owner could read that.
func GivePipes(files [3]*os.File, a Passwd, kept func(fd int) bool) {
	if os.Geteuid() != 0 {
		return
	}
	for _, file := range files {
		// Asks no file system, which could be one of the agent's (FUSE).
		name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", descriptor(file)))
		if err == nil && strings.HasPrefix(name, "pipe:[") && !kept(descriptor(file)) {
			unix.Fchown(descriptor(file), int(a.UID), -1)
		}
	}
}

// descriptor returns a file's number without changing its mode, as Fd does.
func descriptor(file *os.File) int {
	number := -1
	if raw, err := file.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { number = int(fd) })
	}
	return number
}
