package proc

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Leader is a process that made a kernel session of its own. It may have ended.
type Leader struct {
	PID   int
	Start uint64 // as Process.Start
}

// Members returns the living processes of the leaders' kernel sessions, whatever
// process group they are in.
//
// The number of a session is in use as long as it has members. It could be
// another session by now only where leader and members were all gone: then its
// leader's start time differs, or its members are older than the leader was.
func Members(leaders []Leader) ([]Process, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	start := map[int]uint64{}
	for _, leader := range leaders {
		start[leader.PID] = leader.Start
	}
	for _, p := range all {
		if expected, ok := start[p.PID]; ok && p.Start != expected {
			delete(start, p.PID) // another process with the same number
		}
	}
	var members []Process
	for _, p := range all {
		if since, ok := start[p.Session]; ok && !p.Zombie && p.Start >= since {
			members = append(members, p)
		}
	}
	return members, nil
}

// Grace is how long processes may take to end: behind SIGHUP, behind SIGTERM,
// and behind SIGKILL.
type Grace struct{ Hangup, Terminate, Kill time.Duration }

// Total is the longest that End takes.
func (g Grace) Total() time.Duration { return g.Hangup + g.Terminate + g.Kill }

// End ends the members of the leaders' kernel sessions: SIGHUP, after a grace
// SIGTERM, then SIGKILL. It calls ended from time to time, when some may have
// ended, for a caller that is their parent. What made a kernel session of its own
// is no member. The error counts those that are still there.
func End(leaders []Leader, grace Grace, ended func()) error {
	stages := []struct {
		signal   unix.Signal
		patience time.Duration
	}{{unix.SIGHUP, grace.Hangup}, {unix.SIGTERM, grace.Terminate}, {unix.SIGKILL, grace.Kill}}
	left := 0
	for _, stage := range stages {
		told := map[Process]bool{}
		deadline := time.Now().Add(stage.patience)
		for {
			members, err := Members(leaders)
			ended()
			if err != nil || len(members) == 0 {
				return err
			}
			left = len(members)
			tell(members, stage.signal, told, deadline)
			if !time.Now().Before(deadline) {
				break
			}
		}
	}
	return fmt.Errorf("%d processes of the login do not end", left)
}

// tell sends the signal to the members that did not get it yet, and waits until
// all have ended, or the deadline.
func tell(members []Process, signal unix.Signal, told map[Process]bool, deadline time.Time) {
	const most = 128 // descriptors at once: the rest comes the next time
	var waiting []unix.PollFd
	for _, p := range members[:min(len(members), most)] {
		fd, err := unix.PidfdOpen(p.PID, 0)
		if err != nil {
			continue
		}
		defer unix.Close(fd)
		if now, err := Read(p.PID); err != nil || now.Start != p.Start {
			continue // the number is another process's by now
		}
		if !told[p] {
			told[p] = true
			unix.PidfdSendSignal(fd, signal, nil, 0)
			unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0) // one that is stopped hears only SIGKILL
		}
		waiting = append(waiting, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	if len(waiting) == 0 {
		time.Sleep(time.Millisecond) // none could be reached: not at full speed again
	}
	for len(waiting) > 0 {
		left := time.Until(deadline).Milliseconds()
		if left <= 0 {
			return
		}
		unix.Poll(waiting, int(left))
		waiting = stillRunning(waiting)
	}
}

func stillRunning(waiting []unix.PollFd) []unix.PollFd {
	var running []unix.PollFd
	for _, w := range waiting {
		if w.Revents == 0 {
			running = append(running, w)
		}
	}
	return running
}
