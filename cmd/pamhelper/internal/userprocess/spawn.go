// Package userprocess starts a process of the user after PAM's modules have run:
// who that is, its terminal, its start on the thread that ran them, and how it
// ended. It decides nothing: not who may have one, nor which variables it gets.
package userprocess

/*
#include <stdlib.h>
#include "spawn.h"
*/
import "C"

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Config is what a process starts with.
type Config struct {
	Passwd      Passwd
	Command     string   // behind the shell's -c; empty: the login shell
	Environment []string // NAME=VALUE
	// Files become its descriptors 0, 1 and 2. They stay the caller's.
	Files    [3]*os.File
	Terminal bool // they are a terminal: it becomes the controlling one
	// Limits are those that PAM's modules left, by their numbers (RLIMIT_*).
	Limits [16]syscall.Rlimit
	// Actions are 65 struct sigaction of C, as the worker found them.
	Actions unsafe.Pointer
}

// Child is a process that waits for Release before it becomes the user's shell.
type Child struct {
	PID        int
	going      *os.File // a byte lets it go on, an end of file ends it
	report     *os.File // what it could not do
	executable string
}

// Spawn forks a process for the user on the calling thread, which has to be the
// one that ran PAM's modules.
func Spawn(config Config) (*Child, error) {
	a := config.Passwd
	argv := []string{filepath.Base(a.Shell), "-c", config.Command}
	if config.Command == "" {
		argv = []string{"-" + filepath.Base(a.Shell)}
	}
	var c cMemory
	defer c.free()
	p := (*C.struct_pamhelper_process)(c.zeroed(C.sizeof_struct_pamhelper_process))
	p.shell, p.home = c.text(a.Shell), c.text(a.Home)
	p.argv, p.environment = c.texts(argv), c.texts(config.Environment)
	p.uid, p.gid = C.uid_t(a.UID), C.gid_t(a.GID)
	p.actions = (*C.struct_sigaction)(config.Actions)
	for i, file := range config.Files {
		p.fds[i] = C.int(descriptor(file))
	}
	if config.Terminal {
		p.terminal = 1
	}
	if os.Geteuid() == 0 {
		p.change = 1
	}
	for i, limit := range config.Limits {
		p.limits[i] = C.struct_rlimit{rlim_cur: C.rlim_t(limit.Cur), rlim_max: C.rlim_t(limit.Max)}
	}
	var going, report C.int
	pid := C.pamhelper_spawn(p, &going, &report)
	if pid < 0 {
		return nil, fmt.Errorf("start a process: %w", syscall.Errno(-pid))
	}
	return &Child{PID: int(pid), executable: a.Shell,
		going: os.NewFile(uintptr(going), "go"), report: os.NewFile(uintptr(report), "report")}, nil
}

// startTimeout is how long a process may take to become the user's shell: its
// home directory may be on a server that does not answer.
const startTimeout = 10 * time.Second

// Release lets the process become the shell, and says why it could not. Then it
// has been waited for.
func (c *Child) Release() error {
	defer c.report.Close()
	if _, err := c.going.Write([]byte{1}); err != nil {
		c.Abandon()
		return fmt.Errorf("start a process: %w", err)
	}
	c.going.Close()
	var report C.struct_pamhelper_report
	text := unsafe.Slice((*byte)(unsafe.Pointer(&report)), C.sizeof_struct_pamhelper_report)
	c.report.SetReadDeadline(time.Now().Add(startTimeout))
	n, err := io.ReadFull(c.report, text)
	if err == io.EOF {
		return nil // closed by execve
	}
	// Where it hangs in the kernel this does not end it, and it is not waited for.
	syscall.Kill(c.PID, syscall.SIGKILL)
	WaitFor(c.PID)
	if n < len(text) {
		return fmt.Errorf("the user's shell was not run within %s; does the home directory answer?", startTimeout)
	}
	errno := syscall.Errno(report.error)
	switch report.failure {
	case C.PAMHELPER_SESSION:
		return fmt.Errorf("make a kernel session: %w", errno)
	case C.PAMHELPER_DESCRIPTORS:
		return fmt.Errorf("put descriptors 0 to 2 in place: %w", errno)
	case C.PAMHELPER_TERMINAL:
		return fmt.Errorf("make the terminal the controlling one: %w", errno)
	case C.PAMHELPER_LIMITS:
		return fmt.Errorf("set the limits that PAM's modules asked for: %w", errno)
	case C.PAMHELPER_USER:
		return fmt.Errorf("become the user: %w", errno)
	}
	return fmt.Errorf("the user's shell %s cannot be run: %w", c.executable, errno)
}

// Abandon ends the process before it became anything, and waits for it.
func (c *Child) Abandon() {
	c.going.Close()
	c.report.Close()
	WaitFor(c.PID)
}

// WaitFor waits for a child that has ended or is about to.
func WaitFor(pid int) {
	var status syscall.WaitStatus
	for range 1000 {
		got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		if got == pid || err != nil && err != syscall.EINTR {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// SignalGroup sends a signal with the user's rights.
func SignalGroup(a Passwd, group int, signal syscall.Signal) error {
	change := C.int(0)
	if os.Geteuid() == 0 {
		change = 1
	}
	if code := C.pamhelper_signal(change, C.uid_t(a.UID), C.gid_t(a.GID), C.pid_t(group), C.int(signal)); code != 0 {
		return syscall.Errno(code)
	}
	return nil
}

// ExitOf reads how a child ended and leaves it a zombie: as long as it is one,
// its number means nothing else. nil: it still runs.
func ExitOf(pid int) *pb.Exited {
	var ended C.struct_pamhelper_ended
	if C.pamhelper_ended(C.pid_t(pid), &ended) != 1 {
		return nil
	}
	exited := &pb.Exited{
		How:          &pb.Exited_Status{Status: uint32(ended.status)},
		CoreDumped:   ended.core != 0,
		UserTimeUs:   uint64(ended.user_us),
		SystemTimeUs: uint64(ended.system_us),
		MaxRssKib:    uint64(ended.max_rss_kib),
	}
	if ended.signal != 0 {
		exited.How = &pb.Exited_Signal{Signal: uint32(ended.signal)}
	}
	return exited
}

// cMemory is memory of C that is freed together.
type cMemory struct{ blocks []unsafe.Pointer }

func (c *cMemory) zeroed(size C.size_t) unsafe.Pointer {
	block := C.calloc(1, size)
	c.blocks = append(c.blocks, block)
	return block
}

func (c *cMemory) text(s string) *C.char {
	text := C.CString(s)
	c.blocks = append(c.blocks, unsafe.Pointer(text))
	return text
}

// texts makes a list that ends with NULL, as execve(2) has them.
func (c *cMemory) texts(list []string) **C.char {
	array := (**C.char)(c.zeroed(C.size_t(len(list)+1) * C.size_t(unsafe.Sizeof(uintptr(0)))))
	for i, s := range list {
		unsafe.Slice(array, len(list))[i] = c.text(s)
	}
	return array
}

func (c *cMemory) free() {
	for _, block := range c.blocks {
		C.free(block)
	}
}
