// Package proc is what the root side reads of other processes in /proc (proc(5)),
// and how it ends those of a login. It starts none.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
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
	// Start is when it started, in clock ticks since the boot: with the process
	// id it names a process once and for all.
	Start uint64
	// Zombie is a process that has ended and waits for its parent.
	Zombie bool
}

// fields of /proc/PID/stat behind the name, counted from 0.
const (
	fieldState   = 0
	fieldParent  = 1
	fieldGroup   = 2
	fieldSession = 3
	fieldStart   = 19
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
	start, err4 := strconv.ParseUint(fields[fieldStart], 10, 64)
	state := fields[fieldState]
	return Process{PID: pid, Parent: parent, Group: group, Session: session, Start: start, Zombie: state == "Z" || state == "X"},
		errors.Join(err1, err2, err3, err4)
}

// walk calls seen with every process there is. It has settled where none of them
// ended before it could be read.
func walk(seen func(Process)) (settled bool, err error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return false, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return false, err
	}
	settled = true
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
	return settled, nil
}

// Descendants returns the living processes below pid, parents first.
func Descendants(pid int) []int {
	children := map[int][]int{}
	walk(func(p Process) {
		if !p.Zombie {
			children[p.Parent] = append(children[p.Parent], p.PID)
		}
	})
	var found []int
	for level := children[pid]; len(level) > 0; {
		found = append(found, level...)
		var next []int
		for _, p := range level {
			next = append(next, children[p]...)
		}
		level = next
	}
	return found
}
