package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long what has to happen may take, pollEvery how often it is
// looked for.
const (
	patience  = 30 * time.Second
	pollEvery = 500 * time.Microsecond
)

// eventually waits until something is so.
func eventually(so func() bool, what string, args ...any) error {
	for deadline := time.Now().Add(patience); !so(); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s in vain for "+what, append([]any{patience}, args...)...)
		}
	}
	return nil
}

// stop ends a process that was started here as its service manager would, and waits
// for it.
func stop(cmd *exec.Cmd) error {
	cmd.Process.Signal(syscall.SIGTERM)
	killing := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer killing.Stop()
	cmd.Wait()
	if cmd.ProcessState.Success() || endedBy(cmd.ProcessState, syscall.SIGTERM) {
		return nil
	}
	return fmt.Errorf("%s, told to end: %s", filepath.Base(cmd.Path), cmd.ProcessState)
}

func endedBy(state *os.ProcessState, sig syscall.Signal) bool {
	status := state.Sys().(syscall.WaitStatus)
	return status.Signaled() && status.Signal() == sig || status.Exited() && status.ExitStatus() == 128+int(sig)
}

// leftRunning reaps what has ended, as process 1 has to, and names the rest.
func leftRunning() (left []string) {
	eventually(func() bool {
		for {
			if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
				break
			}
		}
		left = left[:0]
		for _, pid := range allProcesses() {
			if pid != os.Getpid() {
				line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				left = append(left, fmt.Sprint(pid, " ", strings.ReplaceAll(string(line), "\x00", " ")))
			}
		}
		return len(left) == 0
	}, "the end of all processes")
	return left
}

func allProcesses() (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// childrenOf are the processes that one has started and not reaped.
func childrenOf(pid int) (children []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			child, _ := strconv.Atoi(field)
			children = append(children, child)
		}
	}
	slices.Sort(children)
	return children
}

// nameOf is the name of a process, as ps(1) shows it.
func nameOf(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSuffix(string(name), "\n")
}

// runs reports whether a process is that program. A program that was started from
// a descriptor has the same file.
func runs(pid int, program string) bool {
	var is, wanted syscall.Stat_t
	return syscall.Stat(fmt.Sprintf("/proc/%d/exe", pid), &is) == nil && syscall.Stat(program, &wanted) == nil &&
		is.Ino == wanted.Ino && is.Dev == wanted.Dev
}

// cpuClock is what a process has used of the processors, all its threads, those that
// ended too (clock_getcpuclockid(3)).
func cpuClock(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED, of a whole process
	var spent unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &spent); err != nil {
		return 0, fmt.Errorf("the processor clock of process %d: %w", pid, err)
	}
	return time.Duration(spent.Nano()), nil
}

// reapedCPU is what the children that a process has reaped used, in steps of 10 ms
// (proc(5), cutime and cstime).
func reapedCPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return 0, fmt.Errorf("/proc/%d/stat: got %q", pid, text)
	}
	var ticks int64
	for _, field := range fields[13:15] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
