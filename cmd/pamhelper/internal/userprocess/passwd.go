package userprocess

/*
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"
)

// Passwd is what NSS says of a user (getpwnam(3)).
type Passwd struct {
	Name        string
	UID, GID    uint32
	Home, Shell string // Shell is never empty: /bin/sh, as login(1) has it
}

// ErrUnknown: NSS was asked and has no such user.
var ErrUnknown = errors.New("unknown user")

// Lookup asks NSS. It is asked after PAM, which may have created the user.
func Lookup(name string) (Passwd, error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	for size := 1 << 10; size <= 1<<20; size *= 2 {
		buf := C.malloc(C.size_t(size))
		defer C.free(buf)
		var entry C.struct_passwd
		var found *C.struct_passwd
		code := C.getpwnam_r(cname, &entry, (*C.char)(buf), C.size_t(size), &found)
		switch {
		case code == C.ERANGE:
			continue
		case found != nil:
			return newPasswd(found), nil
		case code == 0 || code == C.ENOENT || code == C.ESRCH:
			return Passwd{}, ErrUnknown
		}
		return Passwd{}, fmt.Errorf("look up user %q: %w", name, syscall.Errno(code))
	}
	return Passwd{}, fmt.Errorf("look up user %q: the entry is too long", name)
}

func newPasswd(entry *C.struct_passwd) Passwd {
	a := Passwd{
		Name: C.GoString(entry.pw_name), UID: uint32(entry.pw_uid), GID: uint32(entry.pw_gid),
		Home: C.GoString(entry.pw_dir), Shell: C.GoString(entry.pw_shell),
	}
	if a.Shell == "" {
		a.Shell = "/bin/sh"
	}
	return a
}

// mostGroups is more than a process can have (NGROUPS_MAX in linux/limits.h).
const mostGroups = 1 << 17

// Groups returns the ids of all groups that NSS has the user in, the primary one
// first (getgrouplist(3)).
func (a Passwd) Groups() ([]uint32, error) {
	name := C.CString(a.Name)
	defer C.free(unsafe.Pointer(name))
	for size := 64; size <= mostGroups; size *= 2 {
		gids, count := make([]uint32, size), C.int(size)
		if C.getgrouplist(name, C.gid_t(a.GID), (*C.gid_t)(&gids[0]), &count) >= 0 {
			return gids[:count], nil
		}
	}
	return nil, fmt.Errorf("the groups of %q are more than %d", a.Name, mostGroups)
}

// SetGroups sets the groups of the calling thread (setgroups(2)), which has to be
// PAM's: from it modules and the user's process have theirs. The C library's function
// would interrupt every thread of this process to do the same.
func SetGroups(gids []uint32) error {
	_, _, code := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(gids)), uintptr(unsafe.Pointer(unsafe.SliceData(gids))), 0)
	if code != 0 {
		return code
	}
	return nil
}

// IsRoot reports whether the user is root's by uid or by primary group.
func (a Passwd) IsRoot() bool { return a.UID == 0 || a.GID == 0 }
