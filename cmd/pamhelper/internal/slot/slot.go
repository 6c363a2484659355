// Package slot counts what runs at once on this machine, over all processes that
// take slots, whoever started them. Who holds one loses it with its end, however it
// ends. It does not say who holds which.
//
// A slot is one byte of a file below /run/pamhelper, locked with a POSIX lock. Such a
// lock is the process's alone: what modules fork does not keep it. The slots of a pool
// are dealt out to a fixed number of files: for each new lock the kernel looks at all
// those that the file has, and with one file a thousand logins would make the next one
// slower. The files stay, there is nothing to name or to remove. The price is that a
// process must not open and close a file in which it holds a slot: the kernel would
// take the lock away. So a process has at most one slot of a pool at a time.
package slot

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/record"
)

// Pool is what is counted together.
type Pool string

// The pools.
const (
	Logins   Pool = "logins"   // all logins
	Unopened Pool = "unopened" // those without an open session
	Users    Pool = "users"    // those of each user, counted by uid
)

// dir is the directory of the pools' files in record.Dir.
const dir = "slots"

// A pool has so many files at most, and so many slots of a key are in one before the
// next one is used.
const (
	files   = 64
	inAFile = 64
)

// Most is the largest limit that a pool can have.
const Most = 1 << 17

// ErrFull: as many slots are taken as the limit says.
var ErrFull = errors.New("all slots are taken")

// Slots is where slots are taken from. It is opened before there are modules: what
// those mount later does not change where it is.
type Slots struct {
	root  *os.Root
	floor int
}

// Open opens it, and makes it where it is missing. The descriptors of slots have numbers
// from floor on: a module that closes those which it believes to be its own, below that,
// must not let go of a slot.
func Open(floor int) (*Slots, error) {
	base, err := record.OpenDir()
	if err != nil {
		return nil, err
	}
	defer base.Close()
	root, err := base.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := base.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		root, err = base.OpenRoot(dir)
	}
	if err != nil {
		return nil, err
	}
	return &Slots{root, floor}, nil
}

// Close is for who takes no more slots. Those that are held stay. Nil is closed.
func (s *Slots) Close() {
	if s != nil {
		s.root.Close()
	}
}

// Slot is one that this process holds.
type Slot struct{ file *os.File }

// Release lets the slot go. A nil one is none.
func (s *Slot) Release() {
	if s != nil {
		s.file.Close()
	}
}

// Take takes one of limit slots that a pool has for a key; 0 where it has no keys.
// The error is ErrFull where there is none. It begins to look anywhere, so that most
// tries find one at once while there are many.
func (s *Slots) Take(pool Pool, key, limit uint32) (*Slot, error) {
	count := min(limit, Most)
	if count == 0 {
		return nil, ErrFull
	}
	begin := rand.Uint32N(count)
	for tried := uint32(0); tried < count; {
		first := (begin + tried) % count
		// Up to the end of the file's share, of all, or of what has not been tried.
		n := min(inAFile-first%inAFile, count-first, count-tried)
		slot, err := s.takeIn(pool, key, first, n)
		if !errors.Is(err, ErrFull) {
			return slot, err
		}
		tried += n
	}
	return nil, ErrFull
}

// takeIn takes one of n slots behind first, which are in one file.
func (s *Slots) takeIn(pool Pool, key, first, n uint32) (*Slot, error) {
	file, err := s.open(string(pool) + "." + strconv.Itoa(int((key+first/inAFile)%files)))
	if err != nil {
		return nil, err
	}
	for i := range n {
		err := lock(file, int64(key)*Most+int64(first+i))
		if err == nil {
			return &Slot{file}, nil
		}
		if err != unix.EAGAIN && err != unix.EACCES {
			file.Close()
			return nil, &fs.PathError{Op: "lock", Path: file.Name(), Err: err}
		}
	}
	file.Close()
	return nil, ErrFull
}

// open opens a file. Its first descriptor is closed before there is a lock to lose.
func (s *Slots) open(name string) (*os.File, error) {
	file, err := s.root.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, s.floor)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: file.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), file.Name()), nil
}

func lock(file *os.File, at int64) error {
	return unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1})
}
