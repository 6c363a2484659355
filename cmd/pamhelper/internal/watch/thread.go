package watch

import (
	"os"
	"strconv"
	"strings"
)

// threads knows which process a thread belongs to, and which processes come from
// those that are asked for.
type threads struct {
	process   map[int]int  // of the threads that were made meanwhile
	chosen    map[int]bool // nil: all
	namespace bool         // /proc has the kernel's own numbers
}

// initialPIDNamespace is the number of the kernel's own (PROC_PID_INIT_INO in
// include/linux/proc_ns.h). Events have its numbers.
const initialPIDNamespace = "pid:[4026531836]"

func newThreads(pid int) *threads {
	t := &threads{process: map[int]int{}}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	t.namespace = err == nil && namespace == initialPIDNamespace
	if pid != 0 {
		t.chosen = map[int]bool{pid: true}
	}
	return t
}

// cloneThread is CLONE_THREAD of clone(2).
const cloneThread = 0x10000

// made is told of each new thread or process.
func (t *threads) made(parent, child int, flags uint64) {
	of := t.of(parent)
	if flags&cloneThread != 0 {
		t.process[child] = of
		return
	}
	t.process[child] = child
	if t.chosen[of] {
		t.chosen[child] = true
	}
}

func (t *threads) ended(thread int) {
	delete(t.process, thread)
	if t.chosen[thread] {
		delete(t.chosen, thread)
	}
}

// of returns the process of a thread. One that was there before, and has gone
// before /proc could be asked, is taken for its process's first.
func (t *threads) of(thread int) int {
	if process, known := t.process[thread]; known {
		return process
	}
	process := thread
	if t.namespace {
		process = threadGroup(thread)
	}
	t.process[thread] = process
	return process
}

func threadGroup(thread int) int {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/status")
	_, rest, found := strings.Cut(string(status), "\nTgid:\t")
	if !found {
		return thread
	}
	number, _, _ := strings.Cut(rest, "\n")
	process, err := strconv.Atoi(number)
	if err != nil {
		return thread
	}
	return process
}

// wanted says whether a process is asked for.
func (t *threads) wanted(process int) bool { return t.chosen == nil || t.chosen[process] }

// choosable says whether processes can be asked for by the numbers seen here.
func (t *threads) choosable() bool { return t.namespace }
