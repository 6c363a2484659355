package realpam_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a program on a terminal of its own.
type pty struct {
	t             *testing.T
	master, slave *os.File
	cmd           *exec.Cmd
	before        unix.Termios

	mu     sync.Mutex
	output bytes.Buffer
}

// onTerminal starts a program in a session of its own, with a terminal that
// does not echo until the program says so: a prompt with echo can be told from
// the time before it.
func onTerminal(t *testing.T, name string, args ...string) *pty {
	t.Helper()
	p := newTerminal(t)
	p.quiet()
	p.run(exec.Command(name, args...))
	return p
}

// newTerminal makes a terminal with the kernel's own modes.
func newTerminal(t *testing.T) *pty {
	t.Helper()
	ready(t)
	p := &pty{t: t}
	if err := p.open(); err != nil {
		t.Fatal("open a terminal: ", err)
	}
	return p
}

// quiet switches the echo off.
func (p *pty) quiet() {
	p.t.Helper()
	mode := *p.mode()
	mode.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(p.slave.Fd()), unix.TCSETS, &mode); err != nil {
		p.t.Fatal(err)
	}
	p.before = *p.mode()
}

// run starts a program on the terminal, as the leader of its session.
func (p *pty) run(cmd *exec.Cmd) {
	p.t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.slave, p.slave, p.slave
	p.runBeside(cmd)
}

// runBeside starts a program whose controlling terminal it is, and no more.
func (p *pty) runBeside(cmd *exec.Cmd) {
	p.t.Helper()
	p.cmd = cmd
	p.cmd.ExtraFiles = []*os.File{p.slave}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(p.read)
	p.t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.slave.Close()
		p.master.Close()
		reading.Wait()
	})
}

func (p *pty) open() (err error) {
	if p.master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return err
	}
	raw, err := p.master.SyscallConn()
	if err != nil {
		return err
	}
	var number int
	control := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err = errors.Join(control, err); err != nil {
		return err
	}
	p.slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	return err
}

func (p *pty) read() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		p.output.Write(buf[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// String is what the terminal shows so far.
func (p *pty) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

func (p *pty) mode() *unix.Termios {
	mode, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return mode
}

// atPrompt waits for the text and for the terminal to be set for typing.
func (p *pty) atPrompt(text string, echo bool) {
	p.t.Helper()
	p.shows(text)
	eventually(p.t, func() bool {
		return (p.mode().Lflag&unix.ECHO != 0) == echo && p.waits()
	}, "a prompt %q with echo %v on the terminal:\n%s", text, echo, p)
}

// waits reports whether the program sleeps in poll or read: it has set the
// terminal, which drops what is typed before.
func (p *pty) waits() bool {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	if err != nil {
		return false
	}
	for _, task := range entries {
		call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/syscall", p.cmd.Process.Pid, task.Name()))
		if strings.HasPrefix(string(call), fmt.Sprintf("%d ", unix.SYS_POLL)) ||
			strings.HasPrefix(string(call), fmt.Sprintf("%d ", unix.SYS_PPOLL)) {
			return true
		}
	}
	return false
}

func (p *pty) shows(text string) {
	p.t.Helper()
	eventually(p.t, func() bool { return strings.Contains(p.String(), text) }, "%q on the terminal:\n%s", text, p)
}

func (p *pty) typed(text string) {
	p.t.Helper()
	if _, err := p.master.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end of the program, and for what it has written.
func (p *pty) wait() {
	p.t.Helper()
	tooLate := time.AfterFunc(patience, func() {
		p.t.Errorf("%s did not end in %s; the terminal:\n%s", p.cmd, patience, p)
		p.cmd.Process.Kill()
	})
	p.cmd.Wait()
	tooLate.Stop()
	p.catchUp()
}

// catchUp waits until everything is read that was written to the terminal so far:
// what is written now comes behind it.
func (p *pty) catchUp() {
	p.t.Helper()
	const mark = "\x00"
	if _, err := p.slave.WriteString(mark); errors.Is(err, syscall.EIO) {
		return // the other end is closed
	} else if err != nil {
		p.t.Fatal(err)
	}
	p.shows(mark)
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := bytes.ReplaceAll(p.output.Bytes(), []byte(mark), nil)
	p.output.Reset()
	p.output.Write(rest)
}

// ends waits for the program and fails unless it has the exit status and left
// the terminal as it was.
func (p *pty) ends(status int) {
	p.t.Helper()
	p.wait()
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		p.t.Errorf("exit status: got %d (%s), want %d; the terminal:\n%s", got, p.cmd.ProcessState, status, p)
	}
	if after := *p.mode(); after != p.before {
		p.t.Errorf("terminal mode: got %+v, want %+v as before", after, p.before)
	}
}
