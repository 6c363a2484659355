package broker

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// sh starts a command of the shell as a child.
func (c *children) sh(command string, ended func(*child, syscall.WaitStatus)) (*child, error) {
	attr := &syscall.ProcAttr{Env: []string{}, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{}}
	return c.start("/bin/sh", []string{"sh", "-c", command}, attr, ended)
}

func TestTheEndOfEachChildIsToldOnce(t *testing.T) {
	t.Parallel()
	type end struct {
		of     *child
		status int
	}
	c, ends, want := newChildren(), make(chan end), map[*child]int{}
	stays, err := c.sh("exec sleep 1000", func(of *child, s syscall.WaitStatus) { ends <- end{of, int(s.Signal())} })
	if err != nil {
		t.Fatal(err)
	}
	for status := range 40 {
		started, err := c.sh(fmt.Sprintf("exit %d", status), func(of *child, s syscall.WaitStatus) { ends <- end{of, s.ExitStatus()} })
		if err != nil {
			t.Fatal(err)
		}
		want[started] = status
	}
	for range len(want) {
		got := <-ends
		if status, known := want[got.of]; !known || status != got.status {
			t.Errorf("process %d: got status %d, want %d of one that has not been told of", got.of.pid, got.status, status)
		}
		got.of.signal(syscall.SIGKILL) // to nobody
		delete(want, got.of)
	}
	stays.signal(syscall.SIGTERM)
	if got := <-ends; got.of != stays || got.status != int(syscall.SIGTERM) {
		t.Errorf("process %d: got signal %d, want %d by SIGTERM", got.of.pid, got.status, stays.pid)
	}
	if len(c.running) != 0 {
		t.Errorf("children: got %d, want none", len(c.running))
	}
}

// A child that runs takes no thread of the broker.
func TestAChildIsNotWaitedForOnAThread(t *testing.T) {
	c, ended := newChildren(), make(chan int)
	tell := func(of *child, _ syscall.WaitStatus) { ended <- of.pid }
	before := threads(t)
	var all []*child
	for range 50 {
		started, err := c.sh("exec sleep 1000", tell)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, started)
	}
	if _, err := c.sh("exit 0", tell); err != nil { // behind all of them
		t.Fatal(err)
	}
	<-ended
	if more := threads(t) - before; more > 10 {
		t.Errorf("threads: got %d more with 50 children, want hardly any", more)
	}
	for _, one := range all {
		one.signal(syscall.SIGKILL)
		<-ended
	}
}

func threads(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// The descriptors that a child gets have the lowest numbers that are free. Those must not
// come to where the program is, however many children there are.
func TestThereCanBeMoreChildrenThanNumbersBelowTheProgram(t *testing.T) {
	sleep, err := os.Open("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	defer sleep.Close()
	fd, err := unix.FcntlInt(sleep.Fd(), unix.F_DUPFD_CLOEXEC, programFloor)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c, sleeps, ended := newChildren(), program{fd}, make(chan *child)
	var all []*child
	for len(all) < programFloor+100 {
		var files [3]*os.File
		for i := range files {
			if files[i], err = os.Open(os.DevNull); err != nil {
				t.Fatal(err)
			}
		}
		null := files[2]
		attr := &syscall.ProcAttr{Env: []string{}, Files: []uintptr{null.Fd(), null.Fd(), 2}, Sys: &syscall.SysProcAttr{}}
		files[0].Close() // numbers below, for what a start itself opens: it moves that up
		files[1].Close()
		started, err := c.start(sleeps.path(), []string{"sleep", "1000"}, attr, func(of *child, _ syscall.WaitStatus) { ended <- of })
		null.Close()
		if err != nil {
			t.Errorf("behind %d children: %v", len(all), err)
			break
		}
		all = append(all, started)
	}
	for _, one := range all {
		one.signal(syscall.SIGKILL)
		<-ended
	}
}

// limitDescriptors sets how many descriptors this program can have, for a test that is
// not parallel.
func limitDescriptors(t *testing.T, most uint64) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
}

// A process that could not be waited for is not started. Two descriptors are free: a
// start needs them, beside the one that stays.
func TestAChildWithoutADescriptorIsNotStarted(t *testing.T) {
	c, made := newChildren(), t.TempDir()+"/made"
	limitDescriptors(t, 100)
	var files []int
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == unix.EMFILE {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, fd)
	}
	for _, fd := range files[:2] {
		unix.Close(fd)
	}
	_, err := c.sh("touch "+made, nil)
	for _, fd := range files[2:] {
		unix.Close(fd)
	}
	if !errors.Is(err, unix.EMFILE) || len(c.running) != 0 {
		t.Errorf("got %v and %d children, want %v and none", err, len(c.running), unix.EMFILE)
	}
	ended := make(chan syscall.WaitStatus)
	if _, err := c.sh("exit 3", func(_ *child, status syscall.WaitStatus) { ended <- status }); err != nil {
		t.Fatalf("with descriptors again: %v", err)
	}
	if status := <-ended; status.ExitStatus() != 3 {
		t.Errorf("with descriptors again: got status %d, want 3", status.ExitStatus())
	}
	if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the process was to make: got %v, want it not to be there", err)
	}
}

func TestABrokerHasNoMoreWorkersThanDescriptorsForThem(t *testing.T) {
	limitDescriptors(t, programFloor+2)
	w := newWorkers(limits{logins: 100, perSecond: 100, atOnce: 100})
	for range 2 {
		if busy := w.admit(); busy != nil {
			t.Fatalf("got %q, want a place", busy.GetText())
		}
	}
	if text := w.admit().GetText(); !strings.HasPrefix(text, "2 logins are there") || !strings.Contains(text, "LimitNOFILE=") {
		t.Errorf("got %q, want that there are descriptors for 2, and what to raise", text)
	}
}
