package userprocess

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Terminal is the terminal of one process of the user. The worker keeps its own
// duplicate of the master side until the slave has been given back to root: as
// long as that is open the number names no other terminal.
type Terminal struct {
	Master *os.File
	// node is the slave's inode (open(2), O_PATH), which keeps nothing open: to
	// give it back whatever the agent does to the master side, and with no
	// descriptor free.
	node    *os.File
	Name    string // "/dev/pts/3"
	Changed int64  // the slave's inode: changed last, in nanoseconds since 1970
}

// OpenTerminal makes a terminal that the user owns, and returns its slave side
// too, which is for the user's process only: with another copy open the agent
// would never see the end.
func OpenTerminal(a Passwd, window *pb.Terminal) (t *Terminal, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	t = &Terminal{Master: os.NewFile(uintptr(fd), "/dev/ptmx")}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, fmt.Errorf("name of the terminal: %w", err)
	}
	t.Name = fmt.Sprintf("/dev/pts/%d", number)
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, fmt.Errorf("unlock %s: %w", t.Name, err)
	}
	size := &unix.Winsize{
		Row: uint16(window.GetRows()), Col: uint16(window.GetColumns()),
		Xpixel: uint16(window.GetWidthPx()), Ypixel: uint16(window.GetHeightPx()),
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, size); err != nil {
		return nil, nil, fmt.Errorf("size of %s: %w", t.Name, err)
	}
	if err := setModes(fd, window.GetModes()); err != nil {
		return nil, nil, fmt.Errorf("modes of %s: %w", t.Name, err)
	}
	slave, err = t.slave()
	if err != nil {
		return nil, nil, err
	}
	if t.node, err = os.OpenFile(selfPath(slave), unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		slave.Close()
		return nil, nil, err
	}
	if err := t.own(slave, a); err != nil {
		slave.Close()
		return nil, nil, err
	}
	return t, slave, nil
}

// slave opens the slave side through the master, not by a name that may mean
// another terminal in a mount namespace that a module made (ioctl_tty(2)).
func (t *Terminal) slave() (*os.File, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(descriptor(t.Master)), unix.TIOCGPTPEER,
		unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, fmt.Errorf("open %s: %w", t.Name, errno)
	}
	return os.NewFile(fd, t.Name), nil
}

// own makes the terminal the user's, with the group tty, whose programs may write
// to it (write(1), wall(1)); nobody else may where there is no such group.
func (t *Terminal) own(slave *os.File, a Passwd) error {
	if os.Geteuid() != 0 {
		return nil // it belongs to whom the worker runs as
	}
	group, mode := int(a.GID), os.FileMode(0o600)
	if tty, err := user.LookupGroup("tty"); err == nil {
		if gid, err := strconv.Atoi(tty.Gid); err == nil {
			group, mode = gid, 0o620
		}
	}
	if err := errors.Join(slave.Chown(int(a.UID), group), slave.Chmod(mode)); err != nil {
		return fmt.Errorf("give %s to the user: %w", t.Name, err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(descriptor(slave), &stat); err != nil {
		return err
	}
	t.Changed = stat.Ctim.Nano()
	return nil
}

// GiveBack makes the terminal root's and lets it go.
func (t *Terminal) GiveBack() error {
	defer t.close()
	if os.Geteuid() != 0 {
		return nil
	}
	return toRoot(t.node)
}

func (t *Terminal) close() {
	t.Master.Close()
	if t.node != nil {
		t.node.Close()
	}
}

// toRoot makes a terminal root's again.
func toRoot(node *os.File) error {
	return errors.Join(os.Chown(selfPath(node), 0, -1), os.Chmod(selfPath(node), 0o600))
}

// selfPath is a name for an open file, whatever its path means by now.
func selfPath(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", descriptor(file)) }

// GiveBackNamed does the same for a terminal whose worker is dead: only where it
// is still the one that was recorded.
func GiveBackNamed(name string, changed int64, uid uint32) error {
	file, err := os.OpenFile(name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(descriptor(file), &stat); err != nil {
		return err
	}
	if same, err := isRecorded(stat, changed, uid); !same || err != nil {
		return err // another login's by now
	}
	return toRoot(file)
}

// isRecorded tells a terminal from a later one of the same name: its inode was
// not changed since, or only as its owner can change it (mesg(1)) and nobody works
// on it, as on a later one somebody would.
func isRecorded(stat unix.Stat_t, changed int64, uid uint32) (bool, error) {
	if stat.Mode&unix.S_IFMT != unix.S_IFCHR || stat.Uid != uid || stat.Ctim.Nano() < changed {
		return false, nil
	}
	if stat.Ctim.Nano() == changed {
		return true, nil
	}
	controls, err := proc.ControlsAny(uint64(stat.Rdev))
	return !controls, err
}
