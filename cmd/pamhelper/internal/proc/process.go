// Package proc is what the root side reads of other processes in /proc (proc(5)),
// and how it ends those of a login. It starts none.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Process is one process as /proc/PID/stat has it.
type Process struct {
	PID, Parent int
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
	fieldSession = 3
	fieldStart   = 19
)

// Read reads one process. The error is os.ErrNotExist where there is none.
func Read(pid int) (Process, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, err
	}
	// The command's name is in parentheses and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= fieldStart {
		return Process{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	parent, err1 := strconv.Atoi(fields[fieldParent])
	session, err2 := strconv.Atoi(fields[fieldSession])
	start, err3 := strconv.ParseUint(fields[fieldStart], 10, 64)
	state := fields[fieldState]
	return Process{PID: pid, Parent: parent, Session: session, Start: start, Zombie: state == "Z" || state == "X"},
		errors.Join(err1, err2, err3)
}

// All reads every process there is. Those that end meanwhile are left out.
func All() ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := Read(pid); err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// Descendants returns the living processes below pid, parents first.
func Descendants(pid int) []int {
	all, err := All()
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, p := range all {
		if !p.Zombie {
			children[p.Parent] = append(children[p.Parent], p.PID)
		}
	}
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
