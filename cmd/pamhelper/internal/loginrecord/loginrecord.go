// Package loginrecord writes the login records of the machine the way Debian's
// sshd (OpenSSH 9.2) does: utmp, which who(1) reads, wtmp for last(1), lastlog
// for lastlog(8), and btmp for lastb(1). It reads none of them, and takes no
// decision about who logs in.
//
// The files are those that the calling thread sees: after pam_namespace, /var
// may be the user's. A file that is missing is never created: its absence is
// the administrator's way of not keeping it.
//
// All functions must be called on the main thread of the process, by a
// goroutine that is locked to it: glibc's wait for a lock, ten seconds for each
// of utmp, wtmp and btmp, is ended by SIGALRM, which is put back afterwards (see
// loginrecord.c). Whoever may read utmp or wtmp can make a login wait so long
// and go unrecorded; so it is with sshd.
package loginrecord

import (
	"errors"
	"net/netip"
	"strings"
	"time"
)

var (
	// ErrThread is a call from another thread than the main one.
	ErrThread = errors.New("login records are written on the main thread only")
	// ErrNoLine is a login without a terminal: sshd records none of those.
	ErrNoLine = errors.New("a login record needs the name of a terminal")
	// ErrNoEntry is a logout on a line where utmp has nobody.
	ErrNoEntry = errors.New("nobody is logged in on this terminal")
	// ErrOther is a logout on a line where utmp has another process's login.
	ErrOther = errors.New("the terminal is another login's by now")
	// ErrExposed is a btmp that would show what was typed as a name, perhaps a
	// password. sshd refuses it by the same rule.
	ErrExposed = errors.New("owned by somebody else than root, or accessible to others: chown root, chmod 660")
	// ErrLocked is a file that another process kept locked for ten seconds.
	ErrLocked = errors.New("kept locked by another process")
	// ErrTime is a time outside of the file's range: on amd64, that of 32 bits,
	// which ends on 2038-01-19.
	ErrTime = errors.New("the record cannot hold this time")
)

// Entry is one login, its end, or an attempt. What is longer than its field is
// cut: User at 32 bytes, Line at 32, Host at 256.
type Entry struct {
	User string // for Failed: what was typed
	UID  uint32 // of the record in lastlog; only Login needs it
	Line string // the terminal, "pts/3" or "/dev/pts/3"; Failed ignores it
	Host string // the numeric address, or ""
	PID  int    // alive as long as the login: who(1) leaves out others
	Time time.Time
	// Session goes into ut_session, which sshd leaves at 0.
	Session int
}

// Login records that a user logged in on a terminal, in utmp, wtmp and lastlog.
//
// Each file is tried. The error joins those of the files, which are of type
// *fs.PathError; fs.ErrNotExist is among them where a file is missing.
//
// lastlog grows, with a hole in it, to 292 bytes times the uid on amd64, as
// with sshd: 1.25 TB at most, where the file system and RLIMIT_FSIZE allow it.
func Login(e Entry) error {
	if err := check(e); err != nil {
		return err
	}
	r := e.record(userProcess)
	r.line = line(e.Line)
	r.id = r.line[max(0, len(r.line)-4):]
	r.session = e.Session
	return errors.Join(utmpLogin(r), wtmp(r), lastlog(r, e.UID))
}

// Logout records the end of the login on a terminal, in utmp and wtmp, with
// errors as those of Login. It is for the time before the terminal is given
// back. Where utmp has a login of another PID on the line, nothing is written:
// the error is ErrOther. User, UID, Host and Session are not needed.
func Logout(e Entry) error {
	if err := check(e); err != nil {
		return err
	}
	r := record{kind: deadProcess, line: line(e.Line), pid: e.PID, time: e.Time}
	err := utmpLogout(r)
	if errors.Is(err, ErrOther) {
		return err
	}
	return errors.Join(err, wtmp(r))
}

// Failed records a failed attempt in btmp.
func Failed(e Entry) error {
	if !onMainThread() {
		return ErrThread
	}
	r := e.record(loginProcess)
	r.line = "ssh:notty"
	r.time = e.Time.Truncate(time.Second)
	return btmp(r)
}

func check(e Entry) error {
	if !onMainThread() {
		return ErrThread
	}
	if line(e.Line) == "" {
		return ErrNoLine
	}
	return nil
}

func line(terminal string) string { return strings.TrimPrefix(terminal, "/dev/") }

// record fills what a login and an attempt have in common.
func (e Entry) record(kind int) record {
	r := record{kind: kind, pid: e.PID, user: e.User, host: e.Host, time: e.Time}
	addr, err := netip.ParseAddr(e.Host)
	if err != nil {
		return r
	}
	addr = addr.Unmap()
	r.host = addr.String()
	copy(r.address[:], addr.AsSlice())
	return r
}
