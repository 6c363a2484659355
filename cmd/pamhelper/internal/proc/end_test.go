package proc

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// short is a grace that no process needs more of.
var short = Grace{Hangup: 100 * time.Millisecond, Terminate: 100 * time.Millisecond, Kill: 5 * time.Second}

// session is a shell that leads a kernel session of its own.
type session struct {
	Leader
	t    *testing.T
	pids []int // what it printed
}

// newSession runs a script that prints a line of process ids when it is ready.
func newSession(t *testing.T, script string) *session {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, Leader: Leader{PID: cmd.Process.Pid, UID: uint32(os.Getuid())}}
	t.Cleanup(func() {
		for _, pid := range append(s.pids, s.PID) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		cmd.Wait()
	})
	p, err := Read(s.PID)
	if err != nil {
		t.Fatal(err)
	}
	s.Start = p.Start
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("read %q, %v; want a line of process ids", line, err)
	}
	for _, word := range strings.Fields(line) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		s.pids = append(s.pids, pid)
	}
	return s
}

func running(pid int) bool {
	p, err := Read(pid)
	return err == nil && !p.Zombie
}

// ended fails unless End leaves no member, and those pids have ended.
func (s *session) ended() {
	s.t.Helper()
	if err := End([]Leader{s.Leader}, short, func() {}); err != nil {
		s.t.Errorf("End: %v, want every member ended", err)
	}
	for range 10 { // one look can miss those that move on
		if members, err := Members([]Leader{s.Leader}); len(members) > 0 {
			s.t.Fatalf("members: %v, %v; want none", members, err)
		}
	}
	for _, pid := range s.pids {
		if running(pid) {
			s.t.Errorf("process %d is still there", pid)
		}
	}
}

func TestEveryMemberOfASessionIsEnded(t *testing.T) {
	for name, script := range map[string]string{
		"asked":                         `sleep 1000 & echo $!; wait`,
		"deaf":                          `trap "" HUP TERM; sh -c 'trap "" HUP TERM; while :; do sleep 1000; done' & echo $!; while :; do sleep 1000; done`,
		"stopped":                       `sleep 1000 & kill -STOP $!; echo $!; kill -STOP $$; sleep 1000`,
		"stopped and deaf":              `trap "" HUP TERM; sleep 1000 & kill -STOP $!; echo $!; kill -STOP $$; sleep 1000`,
		"in groups of their own":        `set -m; sleep 1000 & a=$!; sleep 1000 & echo $a $!; wait`,
		"behind a leader that has left": `sleep 1000 & sleep 1000 & echo $!`,
		"two hundred":                   `i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; echo $!; wait`,
		"moving on":                     `b='trap "" HUP TERM; sh -c "$b" & exit'; export b; trap "" HUP TERM; for i in 1 2 3 4; do sh -c "$b" & done; echo; wait; sleep 1000`,
		"moving on in groups":           `b='trap "" HUP TERM; set -m; sh -c "$b" & exit'; export b; trap "" HUP TERM; for i in 1 2 3 4; do sh -c "$b" & done; echo; wait; sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) { newSession(t, script).ended() })
	}
}

func TestWhatMadeASessionOfItsOwnStays(t *testing.T) {
	s := newSession(t, `setsid sh -c 'echo $$; exec sleep 1000' & sleep 1000`)
	if err := End([]Leader{s.Leader}, short, func() {}); err != nil {
		t.Error(err)
	}
	if running(s.PID) || !running(s.pids[0]) {
		t.Errorf("running: the leader %v, the other session's %v; want only that", running(s.PID), running(s.pids[0]))
	}
}

func TestASessionOfAnotherProcessWithTheSameNumberStays(t *testing.T) {
	s := newSession(t, `sleep 1000 & echo $!; wait`)
	for name, start := range map[string]uint64{"an earlier one": s.Start - 1, "a later one": s.Start + 1} {
		leaders := []Leader{{PID: s.PID, Start: start}}
		if members, err := Members(leaders); len(members) > 0 || err != nil {
			t.Errorf("%s: members %v, %v; want none", name, members, err)
		}
		if err := End(leaders, short, func() {}); err != nil || !running(s.PID) || !running(s.pids[0]) {
			t.Errorf("%s: End: %v, leader runs %v; want nothing ended", name, err, running(s.PID))
		}
	}
	s.ended()
}

func TestWhatAGoneLeaderLeftIsEndedOnlyWhereItIsTheUsers(t *testing.T) {
	s := newSession(t, `sleep 1000 & echo $!`)
	var status syscall.WaitStatus
	syscall.Wait4(s.PID, &status, 0, nil) // now nobody has the leader's number
	for uid, want := range map[uint32]int{uint32(os.Getuid()): 1, 54321: 0} {
		members, err := Members([]Leader{{PID: s.PID, Start: s.Start, UID: uid}})
		if len(members) != want || err != nil {
			t.Errorf("uid %d: members %v, %v; want %d", uid, members, err, want)
		}
	}
}

func TestAProcessThatCannotBeEndedIsCounted(t *testing.T) {
	s := newSession(t, `trap "" HUP TERM; echo; while :; do sleep 1000; done`)
	grace := Grace{Hangup: 20 * time.Millisecond, Terminate: 20 * time.Millisecond}
	// Without time behind SIGKILL not even that is seen to end them.
	began := time.Now()
	err := End([]Leader{s.Leader}, grace, func() {})
	if took := time.Since(began); err == nil || took < 40*time.Millisecond {
		t.Errorf("got %v after %s, want that the processes do not end", err, took)
	}
	s.ended()
}

func TestTheCallerIsAskedToWaitForItsChildren(t *testing.T) {
	s := newSession(t, `echo; sleep 1000`)
	calls := 0
	if err := End([]Leader{s.Leader}, short, func() { calls++ }); err != nil || calls == 0 {
		t.Errorf("got %v and %d calls, want some", err, calls)
	}
}

func TestNobodysSessionHasNoMembers(t *testing.T) {
	if members, err := Members(nil); len(members) > 0 {
		t.Errorf("got %v, %v; want none", members, err)
	}
	if err := End(nil, short, func() {}); err != nil {
		t.Errorf("End: %v, want nothing to do", err)
	}
}

func TestANameOfAProcessCanHoldAnything(t *testing.T) {
	program := t.TempDir() + "/a) Z 1 1"
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sleep, program); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	p, err := Read(cmd.Process.Pid)
	if err != nil || p.Zombie || p.Parent != os.Getpid() || p.Session != p.PID || p.Group != p.PID || p.Terminal != 0 {
		t.Errorf("got %+v, %v; want a living child that leads a session and has no terminal", p, err)
	}
}

func TestTheTerminalOfAProcessIsThatOfItsDescriptors(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(slave.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	if controls, err := ControlsAny(unix.Mkdev(136, 0xffffe)); controls || err != nil {
		t.Errorf("a terminal that nobody has: got %v, %v", controls, err)
	}
	cmd := exec.Command("sleep", "1000")
	cmd.Stdin = slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if p, err := Read(cmd.Process.Pid); err != nil || p.Terminal != uint64(stat.Rdev) {
		t.Errorf("terminal %#x, %v; want %#x", p.Terminal, err, stat.Rdev)
	}
	if controls, err := ControlsAny(uint64(stat.Rdev)); !controls || err != nil {
		t.Errorf("a terminal that a process has: got %v, %v", controls, err)
	}
}

func TestDeviceNumbersAreThoseOfTheCLibrary(t *testing.T) {
	for number, want := range map[uint32]uint64{
		0:          0,
		0x8800:     unix.Mkdev(136, 0),
		0x88ff:     unix.Mkdev(136, 255),
		0x108801:   unix.Mkdev(136, 257),
		0xfff088ff: unix.Mkdev(136, 0xfffff),
		0x0401:     unix.Mkdev(4, 1),
	} {
		if got := device(number); got != want {
			t.Errorf("device(%#x) = %#x, want %#x", number, got, want)
		}
	}
}
