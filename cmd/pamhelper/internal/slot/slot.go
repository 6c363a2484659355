// Package slot counts what runs at once on this machine, over all processes that
// take slots, whoever started them. Who holds one loses it with its end, however it
// ends. It does not say who holds which.
//
// A slot is one byte of a pool's file below /run/pamhelper, locked with a POSIX
// lock. Such a lock is the process's alone: what modules fork does not keep it. One
// file for a pool, rather than one for a slot, leaves nothing to make, to name or
// to remove but the file itself. The price is that a process must not open and close
// the file of a pool in which it holds a slot: the kernel would take the lock away.
// So a process has at most one slot of a pool at a time.
package slot

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"

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

// Most is the largest limit that a pool can have.
const Most = 1 << 17

// ErrFull: as many slots are taken as the limit says.
var ErrFull = errors.New("all slots are taken")

// Slot is the one of a pool that this process can hold. It holds none when it has
// been opened.
type Slot struct{ file *os.File }

// Take takes one of limit slots that the pool has for a key; 0 where it has no keys.
// The error is ErrFull where there is none.
func (s *Slot) Take(key, limit uint32) error {
	return lockAny(s.file, int64(key)*Most, int64(min(limit, Most)))
}

// Release lets the slot go, for good. A nil one is none.
func (s *Slot) Release() {
	if s != nil {
		s.file.Close()
	}
}

// lockAny locks one free byte of those behind first. It begins anywhere, so that
// most tries find one at once while there are many.
func lockAny(file *os.File, first, count int64) error {
	begin := rand.Int64N(count)
	for i := range count {
		at := first + (begin+i)%count
		err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1})
		if err == nil {
			return nil
		}
		if err != unix.EAGAIN && err != unix.EACCES {
			return &fs.PathError{Op: "lock", Path: file.Name(), Err: err}
		}
	}
	return ErrFull
}

// Open opens the files of pools, and makes them where they are missing: a slot for
// each.
func Open(pools ...Pool) (slots []*Slot, err error) {
	base, err := record.OpenDir()
	if err != nil {
		return nil, err
	}
	defer base.Close()
	if err := base.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	for _, pool := range pools {
		file, err := base.OpenFile(dir+"/"+string(pool), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		slots = append(slots, &Slot{file})
	}
	return slots, nil
}
