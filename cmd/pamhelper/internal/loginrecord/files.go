package loginrecord

/*
#include <errno.h>
#include <stdlib.h>
#include <utmpx.h>
#include "loginrecord.h"
*/
import "C"

import (
	"io/fs"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kinds of records (utmp(5), ut_type).
const (
	loginProcess = C.LOGIN_PROCESS
	userProcess  = C.USER_PROCESS
	deadProcess  = C.DEAD_PROCESS
)

// record is what goes into a file, field by field.
type record struct {
	kind                 int
	line, id, user, host string
	pid, session         int
	address              [16]byte // network byte order; IPv4 in the first four
	time                 time.Time
}

func utmpLogin(r record) error {
	return r.write("/var/run/utmp", func(c *C.struct_loginrecord) C.int { return C.loginrecord_utmp_login(c) })
}

func utmpLogout(r record) error {
	return r.write("/var/run/utmp", func(c *C.struct_loginrecord) C.int { return C.loginrecord_utmp_logout(c) })
}

func wtmp(r record) error {
	return r.write("/var/log/wtmp", func(c *C.struct_loginrecord) C.int { return C.loginrecord_wtmp(c) })
}

func btmp(r record) error {
	return r.write("/var/log/btmp", func(c *C.struct_loginrecord) C.int { return C.loginrecord_btmp(c) })
}

func lastlog(r record, uid uint32) error {
	return r.write("/var/log/lastlog", func(c *C.struct_loginrecord) C.int {
		return C.loginrecord_lastlog(c, C.uint32_t(uid))
	})
}

// write lends the record to C for the time of the call.
func (r record) write(path string, call func(*C.struct_loginrecord) C.int) error {
	c := C.struct_loginrecord{
		kind:    C.short(r.kind),
		line:    C.CString(r.line),
		id:      C.CString(r.id),
		user:    C.CString(r.user),
		host:    C.CString(r.host),
		pid:     C.int32_t(r.pid),
		session: C.int32_t(r.session),
		sec:     C.int64_t(r.time.Unix()),
		usec:    C.int32_t(r.time.Nanosecond() / 1000),
	}
	for i, b := range r.address {
		c.address[i] = C.uchar(b)
	}
	for _, s := range []*C.char{c.line, c.id, c.user, c.host} {
		defer C.free(unsafe.Pointer(s))
	}
	if code := call(&c); code != 0 {
		return &fs.PathError{Op: "record login", Path: path, Err: reason(code)}
	}
	return nil
}

func reason(code C.int) error {
	switch code {
	case C.LOGINRECORD_EXPOSED:
		return ErrExposed
	case C.LOGINRECORD_NO_ENTRY:
		return ErrNoEntry
	case C.LOGINRECORD_OTHER:
		return ErrOther
	case C.EINTR:
		return ErrLocked
	case C.EOVERFLOW:
		return ErrTime
	}
	return syscall.Errno(code)
}

func onMainThread() bool { return unix.Gettid() == os.Getpid() }
