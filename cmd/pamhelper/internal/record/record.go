// Package record keeps what the root side has to know of an open login when its
// worker is dead: a directory for each below /run/pamhelper, with the record
// itself (proto/record.proto) and a lock that the worker holds as long as it
// lives. It undoes nothing.
package record

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc/wire"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Dir is where the records are. It is root's alone: a record holds the PAM
// environment.
const Dir = "/run/pamhelper"

// Names in Dir and in the directory of a record.
const (
	failedDir    = "failed"
	partPrefix   = ".part-" // a record that is being made or removed
	lockFile     = "lock"
	recordFile   = "record"
	unfinished   = "record.new"
	maxRecord    = 4 << 20 // bytes
	idBytes      = 8
	partLifetime = time.Minute // longer than it takes to make or remove a record
)

// ErrHeld: another process holds the record's lock. The login's worker lives, or
// somebody else is closing it.
var ErrHeld = errors.New("the record is held by a living process")

// Held is a record whose lock this process holds. All work on it goes through
// descriptors that were opened when it was made: what modules mount later does
// not change which files they are.
type Held struct {
	*pb.Record
	ID   string
	base *os.Root // Dir
	dir  *os.Root
	lock *os.File
}

// Create makes the record of a login that is about to have something to undo.
func Create(r *pb.Record) (*Held, error) {
	base, err := OpenDir()
	if err != nil {
		return nil, err
	}
	id, err := newID()
	if err != nil {
		base.Close()
		return nil, err
	}
	h := &Held{Record: r, ID: id, base: base}
	if err := h.create(partPrefix + h.ID); err != nil {
		h.base.RemoveAll(partPrefix + h.ID)
		h.Close()
		return nil, fmt.Errorf("make a record of the login in %s: %w", Dir, err)
	}
	return h, nil
}

// newID asks the kernel itself: to prepare the generator of crypto/rand takes a
// process that needs eight bytes in its life longer than the rest of the record.
func newID() (string, error) {
	var random [idBytes]byte
	if _, err := unix.Getrandom(random[:], 0); err != nil {
		return "", fmt.Errorf("random bytes for a record's name: %w", err)
	}
	return hex.EncodeToString(random[:]), nil
}

func (h *Held) create(name string) (err error) {
	here, err := place()
	if err != nil {
		return err
	}
	h.BootId, h.PidNamespace = here.boot, here.namespace
	if err := makeDir(h.base, name); err != nil {
		return err
	}
	if h.dir, err = h.base.OpenRoot(name); err != nil {
		return err
	}
	if h.lock, err = create(h.dir, lockFile); err != nil {
		return err
	}
	if err := take(h.lock); err != nil {
		return err
	}
	if err := h.Save(); err != nil {
		return err
	}
	// Only now can others see it: never without its lock.
	return h.base.Rename(name, h.ID)
}

// Save replaces the record on disk: it is the old one or the new one, whole,
// whenever this process dies.
func (h *Held) Save() error {
	text := wire.EncodeRecord(h.Record)
	defer clear(text)
	if len(text) > maxRecord {
		return fmt.Errorf("the login's record would have %d bytes, more than %d: modules set a large environment", len(text), maxRecord)
	}
	f, err := create(h.dir, unfinished)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the login's record: %w", err)
	}
	return h.dir.Rename(unfinished, recordFile)
}

// Remove removes the record, when there is nothing left to undo, and lets it go.
func (h *Held) Remove() error {
	defer h.Close()
	// All at once for others: what is there is whole.
	if err := h.base.Rename(h.ID, partPrefix+h.ID); err != nil {
		return err
	}
	return h.base.RemoveAll(partPrefix + h.ID)
}

// GiveUp moves the record to where nobody tries to close it again, for a person
// to look at, and lets it go.
func (h *Held) GiveUp() error {
	defer h.Close()
	if err := makeDir(h.base, failedDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return h.base.Rename(h.ID, failedDir+"/"+h.ID)
}

// Close lets the record go as it is.
func (h *Held) Close() {
	if h.lock != nil {
		h.lock.Close()
	}
	if h.dir != nil {
		h.dir.Close()
	}
	h.base.Close()
}

// OpenDir opens Dir and makes it where it is missing.
func OpenDir() (*os.Root, error) {
	if err := os.Mkdir(Dir, 0o700); err == nil {
		os.Chmod(Dir, 0o700) // whatever the umask is
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return openExisting()
}

// openExisting opens Dir, and refuses one that others could write to: what a
// record says is done as root.
func openExisting() (*os.Root, error) {
	info, err := os.Lstat(Dir)
	if err != nil {
		return nil, err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if !info.IsDir() || owner != 0 || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s is not a directory that only root can write to; remove it, or: chown root %s; chmod 700 %s", Dir, Dir, Dir)
	}
	return os.OpenRoot(Dir)
}

func makeDir(root *os.Root, name string) error {
	if err := root.Mkdir(name, 0o700); err != nil {
		return err
	}
	return root.Chmod(name, 0o700)
}

func create(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// take gets the lock. A POSIX lock is the process's alone: what modules fork
// does not keep it when the worker is dead.
func take(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if err == unix.EAGAIN || err == unix.EACCES {
		return ErrHeld
	}
	return err
}

// holder returns the process that holds the lock, 0 where none does, -1 where it
// is one that cannot be seen from here.
func holder(f *os.File) (int, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, err
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	if lock.Pid == 0 {
		return -1, nil
	}
	return int(lock.Pid), nil
}

// home is where a process lives as long as it lives.
type home struct {
	boot      string
	namespace uint64 // of PIDs
}

// Locate finds out in advance where this process lives, which Create wants to know.
func Locate() { place() }

// place is the boot and the PID namespace that this process is in.
var place = sync.OnceValues(func() (home, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return home{}, err
	}
	var stat unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &stat); err != nil {
		return home{}, fmt.Errorf("/proc/self/ns/pid: %w", err)
	}
	return home{string(text[:len(text)-1]), stat.Ino}, nil
})
