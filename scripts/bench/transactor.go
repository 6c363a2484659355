package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// transactor is a program that makes transactions straight as a process, and our end
// of its socket.
type transactor struct {
	pid    int
	socket int
}

// startTransactor starts the program for so many requests. The socket is read without
// Go's poller, which would cost as much as the answer.
func startTransactor(name string, count int) (*transactor, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fds[1])
	pid, err := syscall.ForkExec(program(name), []string{name, fmt.Sprint(count)},
		&syscall.ProcAttr{Env: []string{}, Files: []uintptr{uintptr(fds[1]), 1, 2}})
	if err != nil {
		unix.Close(fds[0])
		return nil, err
	}
	return &transactor{pid, fds[0]}, nil
}

// answerC is what it says of one transaction.
type answerC struct{ prompt, total, cpu time.Duration }

// requestOf is what it is asked for.
func requestOf(what, service string) []byte {
	return fmt.Appendf(nil, "%s %s %s %s", what, service, user, password)
}

// ask has it make one transaction.
func (c *transactor) ask(request []byte) (a answerC, err error) {
	if _, err := unix.Write(c.socket, request); err != nil {
		return a, err
	}
	var answer [8448]byte
	n, err := unix.Read(c.socket, answer[:])
	if err != nil {
		return a, err
	}
	line, _, _ := strings.Cut(string(answer[:n]), "\n")
	status := -1
	if _, err := fmt.Sscan(line, &status, &a.prompt, &a.total, &a.cpu); err != nil || status != 0 {
		return a, fmt.Errorf("the transaction: got %q, want a status of 0", line)
	}
	return a, nil
}

// end waits for the process, and returns what it used of the processors.
func (c *transactor) end() (time.Duration, error) {
	unix.Close(c.socket)
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for {
		if _, err := syscall.Wait4(c.pid, &status, 0, &usage); err == syscall.EINTR {
			continue
		} else if err != nil {
			return 0, err
		}
		break
	}
	if status != 0 {
		return 0, fmt.Errorf("the transaction ended with status %d", status)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// waits waits until the process waits for its request.
func (c *transactor) waits() error {
	return eventually(func() bool {
		where, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", c.pid))
		return err == nil && strings.HasPrefix(string(where), "0 0x0 ") // read(2) of descriptor 0
	}, "the process that reads")
}
