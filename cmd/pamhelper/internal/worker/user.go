package worker

/*
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"unsafe"
)

// passwd is what NSS says of a user (getpwnam(3)).
type passwd struct {
	name        string
	uid, gid    uint32
	home, shell string // shell is never empty: /bin/sh, as login(1) has it
}

// errUnknownUser: NSS was asked and has no such user.
var errUnknownUser = errors.New("unknown user")

// lookup asks NSS. It is asked after PAM, which may have created the user.
func lookup(name string) (passwd, error) {
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
			return passwd{}, errUnknownUser
		}
		return passwd{}, fmt.Errorf("look up user %q: %w", name, syscall.Errno(code))
	}
	return passwd{}, fmt.Errorf("look up user %q: the entry is too long", name)
}

func newPasswd(entry *C.struct_passwd) passwd {
	a := passwd{
		name: C.GoString(entry.pw_name), uid: uint32(entry.pw_uid), gid: uint32(entry.pw_gid),
		home: C.GoString(entry.pw_dir), shell: C.GoString(entry.pw_shell),
	}
	if a.shell == "" {
		a.shell = "/bin/sh"
	}
	return a
}

// isRoot reports whether the user is root's by uid or by primary group.
func (a passwd) isRoot() bool { return a.uid == 0 || a.gid == 0 }

// deniedUser reports whether a user may not log in through this helper: the
// unknown one, root by whatever name, and who has its group as the primary one.
// An error is a lookup that failed, which denies nobody but root by name.
func deniedUser(name string) (bool, error) {
	if name == "root" {
		return true, nil
	}
	a, err := lookup(name)
	if errors.Is(err, errUnknownUser) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return a.isRoot(), nil
}

// passwdOfSession is the account that the processes of this session get. It is
// looked up when the first one starts, and stays.
func (w *worker) passwdOfSession() (passwd, error) {
	if w.passwd.name != "" {
		return w.passwd, nil
	}
	a, err := lookup(w.tx.User())
	if err != nil {
		return passwd{}, fmt.Errorf("user %q: %w", w.tx.User(), err)
	}
	if w.debug == nil && a.isRoot() {
		return passwd{}, fmt.Errorf("user %q is root or in its group by now; they get no processes here", a.name)
	}
	if euid := os.Geteuid(); euid != 0 && int(a.uid) != euid {
		return passwd{}, fmt.Errorf("the helper runs with uid %d and cannot become user %q, uid %d", euid, a.name, a.uid)
	}
	if w.record != nil {
		w.record.Uid = a.uid
	}
	w.passwd = a
	return a, nil
}

// setGroups gives the process the user's groups, which pam_setcred's modules
// add to. A worker that is not root keeps its own.
func setGroups(name string, strict bool) error {
	if os.Geteuid() != 0 {
		return nil
	}
	a, err := lookup(name)
	if err != nil && !strict {
		return nil // the stack may be tried for somebody who does not exist
	}
	if err != nil {
		return refuse("user %q cannot be looked up: %v", name, err)
	}
	if strict && a.isRoot() {
		return refuse("user %q is root or in its group by now; they do not log in here", name)
	}
	ids, err := (&user.User{Username: name, Uid: strconv.Itoa(int(a.uid)), Gid: strconv.Itoa(int(a.gid))}).GroupIds()
	if err != nil {
		return refuse("the groups of %q cannot be looked up: %v", name, err)
	}
	gids := make([]int, 0, len(ids))
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("group %q: %w", id, err)
		}
		gids = append(gids, gid)
	}
	if err := syscall.Setgroups(gids); err != nil {
		return refuse("the groups of %q cannot be set: %v", name, err)
	}
	return nil
}
