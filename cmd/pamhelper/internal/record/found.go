package record

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

// State is what has become of a login.
type State string

// The states of a record.
const (
	Live      State = "live"      // its worker lives
	Dead      State = "dead"      // its worker is dead: it has to be closed
	Failed    State = "failed"    // closing it was given up
	OldBoot   State = "old boot"  // the machine was started again since
	Elsewhere State = "elsewhere" // its processes are in another PID namespace
	// Unreadable is no record, whatever it was: what there is to close is not
	// known. No worker leaves one like that.
	Unreadable State = "unreadable"
)

// Found is a record as it was when it was read.
type Found struct {
	*pb.Record
	ID     string
	State  State
	Holder int   // the process that holds the lock; 0: none
	Broken error // why it cannot be read, where it cannot: it may be in state Failed
}

// List reads all records, oldest first.
func List() ([]Found, error) {
	base, err := openExisting()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer base.Close()
	current, err1 := list(base, ".")
	failed, err2 := list(base, failedDir)
	if errors.Is(err2, fs.ErrNotExist) {
		err2 = nil
	}
	for i := range failed {
		failed[i].State = Failed
	}
	all := append(current, failed...)
	slices.SortStableFunc(all, func(a, b Found) int { return cmp.Compare(a.GetSince(), b.GetSince()) })
	return all, errors.Join(err1, err2)
}

func list(base *os.Root, parent string) (all []Found, problems error) {
	dir, err := base.Open(parent)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !isID(name) {
			continue
		}
		found, err := read(base, parent+"/"+name)
		if _, gone := base.Lstat(parent + "/" + name); err != nil && errors.Is(gone, fs.ErrNotExist) {
			continue // closed in the meantime
		}
		if isDamage(err) {
			found, err = Found{Record: new(pb.Record), State: Unreadable, Broken: err}, nil
		}
		if err != nil {
			problems = errors.Join(problems, fmt.Errorf("%s/%s/%s: %w", Dir, parent, name, err))
			continue
		}
		found.ID = name
		all = append(all, found)
	}
	return all, problems
}

// errDamaged: what is in a record's place is none.
var errDamaged = errors.New("not a record")

// isDamage tells what does not get better from what the machine lacks now.
func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EISDIR)
}

// isID reports whether a name is one that Create gives.
func isID(name string) bool {
	return len(name) == 2*idBytes && strings.Trim(name, "0123456789abcdef") == ""
}

func read(base *os.Root, name string) (Found, error) {
	if info, err := base.Lstat(name); err == nil && !info.IsDir() {
		return Found{}, fmt.Errorf("%w: no directory", errDamaged)
	}
	dir, err := base.OpenRoot(name)
	if err != nil {
		return Found{}, err
	}
	defer dir.Close()
	lock, err := dir.OpenFile(lockFile, os.O_RDWR, 0)
	if err != nil {
		return Found{}, err
	}
	defer lock.Close()
	pid, err := holder(lock)
	if err != nil {
		return Found{}, err
	}
	r, err := load(dir)
	if err != nil {
		return Found{}, err
	}
	return Found{Record: r, State: stateOf(r, pid), Holder: pid}, nil
}

func stateOf(r *pb.Record, holder int) State {
	here, err := place()
	switch {
	case holder != 0:
		return Live
	case err == nil && r.GetBootId() != here.boot:
		return OldBoot
	case err == nil && r.GetPidNamespace() != here.namespace:
		return Elsewhere
	}
	return Dead
}

func load(dir *os.Root) (*pb.Record, error) {
	f, err := dir.Open(recordFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRecord))
	defer clear(text)
	if err != nil {
		return nil, err
	}
	r := new(pb.Record)
	if err := proto.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if r.GetBootId() == "" {
		return nil, fmt.Errorf("%w: it does not say of which boot it is", errDamaged)
	}
	return r, nil
}

// SetAside moves what is no record to where nobody tries to close it again, for a
// person to look at. The error is ErrHeld where somebody holds it all the same.
func SetAside(id string) error {
	base, err := openExisting()
	if err != nil {
		return err
	}
	h := &Held{ID: id, base: base}
	if lock, err := base.OpenFile(id+"/"+lockFile, os.O_RDWR, 0); err == nil {
		h.lock = lock
		if err := take(lock); err != nil {
			h.Close()
			return err
		}
	}
	return h.GiveUp()
}

// Take takes the record of a login whose worker is dead. The error is ErrHeld
// where it is not, and fs.ErrNotExist where somebody else has closed it.
func Take(id string) (*Held, error) {
	if !isID(id) {
		return nil, fmt.Errorf("%q is not the name of a record", id)
	}
	base, err := OpenDir()
	if err != nil {
		return nil, err
	}
	h := &Held{ID: id, base: base}
	if err := h.take(); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (h *Held) take() (err error) {
	if h.dir, err = h.base.OpenRoot(h.ID); err != nil {
		return err
	}
	if h.lock, err = h.dir.OpenFile(lockFile, os.O_RDWR, 0); err != nil {
		return err
	}
	if err := take(h.lock); err != nil {
		return err
	}
	// Whoever had it before may have removed it or moved it away.
	mine, err1 := h.lock.Stat()
	now, err2 := h.base.Stat(h.ID + "/" + lockFile)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !os.SameFile(mine, now) {
		return fs.ErrNotExist
	}
	h.Record, err = load(h.dir)
	return err
}

// State is what the record's login is, now that its worker is known to be dead.
func (h *Held) State() State { return stateOf(h.Record, 0) }

// RemoveUnfinished removes what workers left that died while they made or removed
// their record: nothing had been begun, or everything was undone.
func RemoveUnfinished() error {
	base, err := openExisting()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer base.Close()
	entries, err := fs.ReadDir(base.FS(), ".")
	for _, entry := range entries {
		info, statErr := entry.Info()
		if !strings.HasPrefix(entry.Name(), partPrefix) || statErr != nil || time.Since(info.ModTime()) < partLifetime {
			continue
		}
		err = errors.Join(err, base.RemoveAll(entry.Name()))
	}
	return err
}
