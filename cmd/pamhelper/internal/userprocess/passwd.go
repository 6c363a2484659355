package userprocess

/*
#include <errno.h>
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

// IsRoot reports whether the user is root's by uid or by primary group.
func (a Passwd) IsRoot() bool { return a.UID == 0 || a.GID == 0 }
