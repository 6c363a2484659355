package worker

import (
	"bytes"
	"log"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// killDescendants kills every process below this one: what modules forked and
// left behind, in whatever session or process group. What a module made a
// daemon (its parent gone) is no descendant and stays.
func killDescendants(logger *log.Logger) {
	const rounds = 10 // a child may fork while we look
	for range rounds {
		if !haveChildren() {
			return
		}
		alive := descendants(os.Getpid())
		if len(alive) == 0 {
			return
		}
		for _, pid := range alive {
			logger.Printf("killing process %d, left running by a module", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
		var status syscall.WaitStatus
		for _, pid := range alive {
			syscall.Wait4(pid, &status, 0, nil) // fails for those that are not our own children
		}
	}
}

// haveChildren spares most logins the walk through /proc: who has no child has
// no descendant.
func haveChildren() bool {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR || pid > 0 {
			continue // one that had ended
		}
		return err == nil
	}
}

// descendants returns the living processes below pid, parents first.
func descendants(pid int) []int {
	children := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if parent, ok := parentOf(child); ok {
			children[parent] = append(children[parent], child)
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

// parentOf reads the parent of a process that has not ended (proc(5), stat).
func parentOf(pid int) (int, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	// The command's name is in parentheses and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}
