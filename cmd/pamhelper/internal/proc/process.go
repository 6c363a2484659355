// Package proc is what the root side reads of other processes in /proc (proc(5)),
// how it waits for the end of one, and how it ends those of a login. It starts none.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is one process as /proc/PID/stat has it.
type Process struct {
	PID, Parent int
	Group       int // process group
	// Session is the process id of the leader of its kernel session (setsid(2)),
	// which may have ended.
	Session int
	// Terminal is the device number of the controlling terminal, as in
	// unix.Stat_t.Rdev; 0: none.
	Terminal uint64
	// Start is when it started, in clock ticks since the boot: with the process
	// id it names a process once and for all.
	Start uint64
	// Zombie is a process that has ended and waits for its parent.
	Zombie bool
}

// fields of /proc/PID/stat behind the name, counted from 0.
const (
	fieldState    = 0
	fieldParent   = 1
	fieldGroup    = 2
	fieldSession  = 3
	fieldTerminal = 4
	fieldStart    = 19
)

// Read reads one process. The error is fs.ErrNotExist where there is none.
func Read(pid int) (Process, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, unix.ESRCH) { // it ended between open and read
		return Process{}, fs.ErrNotExist
	}
	if err != nil {
		return Process{}, err
	}
	// The command's name is in parentheses and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= fieldStart {
		return Process{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	parent, err1 := strconv.Atoi(fields[fieldParent])
	group, err2 := strconv.Atoi(fields[fieldGroup])
	session, err3 := strconv.Atoi(fields[fieldSession])
	terminal, err4 := strconv.ParseInt(fields[fieldTerminal], 10, 64)
	start, err5 := strconv.ParseUint(fields[fieldStart], 10, 64)
	state := fields[fieldState]
	return Process{
		PID: pid, Parent: parent, Group: group, Session: session, Terminal: device(uint32(terminal)),
		Start: start, Zombie: state == "Z" || state == "X",
	}, errors.Join(err1, err2, err3, err4, err5)
}

// Belongs reports whether a process is of a user: it has one of the user's ids, or
// its login was the user's (pam_loginuid), whatever it has become since.
func Belongs(pid int, uid uint32) bool {
	user := strconv.FormatUint(uint64(uid), 10)
	dir := "/proc/" + strconv.Itoa(pid)
	if login, err := os.ReadFile(dir + "/loginuid"); err == nil && strings.TrimSpace(string(login)) == user {
		return true
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return false
	}
	_, ids, _ := strings.Cut(string(status), "\nUid:")
	ids, _, _ = strings.Cut(ids, "\n")
	return slices.Contains(strings.Fields(ids), user)
}

// device turns a number as stat has it (proc(5), tty_nr: bits 15 to 8 are the
// major, 31 to 20 and 7 to 0 the minor number) into the C library's form.
func device(number uint32) uint64 {
	return unix.Mkdev(number>>8&0xfff, number&0xff|number>>12&0xfff00)
}

// ControlsAny reports whether a terminal is the controlling one of any process.
func ControlsAny(terminal uint64) (controls bool, err error) {
	_, err = walk(func(p Process) { controls = controls || p.Terminal == terminal && !p.Zombie })
	return controls, err
}

// namesAtOnce is how many bytes of names are read from /proc at once: few, so that
// a process that lives for a moment is read when it has just been named.
const namesAtOnce = 512

// walk calls seen with every process there is. It has settled where none of them
// ended before it could be read: one that did may have started another, which is
// missed.
func walk(seen func(Process)) (settled bool, err error) {
	dir, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, &fs.PathError{Op: "open", Path: "/proc", Err: err}
	}
	defer unix.Close(dir)
	settled = true
	var buf [namesAtOnce]byte
	for {
		n, err := unix.ReadDirent(dir, buf[:])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return settled, err
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			pid, err := strconv.Atoi(name)
			if err != nil {
				continue
			}
			p, err := Read(pid)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				settled = false
			case err != nil:
				return false, err
			default:
				seen(p)
			}
		}
	}
}

// Descendants returns the living processes below pid, parents first.
func Descendants(pid int) []Process {
	children := map[int][]Process{}
	walk(func(p Process) {
		if !p.Zombie {
			children[p.Parent] = append(children[p.Parent], p)
		}
	})
	var found []Process
	for level := children[pid]; len(level) > 0; {
		found = append(found, level...)
		var next []Process
		for _, p := range level {
			next = append(next, children[p.PID]...)
		}
		level = next
	}
	return found
}

// Children returns the children of this process, zombies included.
func Children() (pids []int, err error) {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(lists) == 0 { // a kernel without CONFIG_PROC_CHILDREN
		_, err = walk(func(p Process) {
			if p.Parent == os.Getpid() {
				pids = append(pids, p.PID)
			}
		})
		return pids, err
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH) { // the thread has ended
			return nil, err
		}
		for _, name := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(name); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}
