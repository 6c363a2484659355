package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// Leader is a process that made a kernel session of its own. It may have ended.
type Leader struct {
	PID   int
	Start uint64 // as Process.Start
	UID   uint32 // of the user whose it was
}

// How often nothing has to be seen of a session where other processes ended
// meanwhile: any of them could have been a member that started another one. On a
// busy machine processes end all the time.
const (
	looksOfMembers = 3
	looksOfEnd     = 8
)

// Members returns the living processes of the leaders' kernel sessions, whatever
// process group they are in. One can be listed more than once.
func Members(leaders []Leader) (members []Process, err error) {
	for range looksOfMembers {
		members = nil // what was seen is seen again
		settled, err := each(leaders, func(p Process) { members = append(members, p) })
		if settled || err != nil {
			return members, err
		}
	}
	return members, nil
}

// each calls found with every living member, at once when it has been read, and
// reports whether none can have been missed.
//
// The number of a session is in use as long as it has members. Where leader and
// members were all gone it may be another session by now: that one's leader has
// another start time. Where no leader is there at all, a member has to be the
// user's as well.
func each(leaders []Leader, found func(Process)) (settled bool, err error) {
	known, gone := map[int]Leader{}, map[int]bool{}
	for _, leader := range leaders {
		now, err := Read(leader.PID)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			known[leader.PID], gone[leader.PID] = leader, true
		case err != nil:
			return false, err
		case now.Start == leader.Start:
			known[leader.PID] = leader
		}
	}
	return walk(func(p Process) {
		leader, ok := known[p.Session]
		if ok && !p.Zombie && p.Start >= leader.Start && (!gone[leader.PID] || Belongs(p.PID, leader.UID)) {
			found(p)
		}
	})
}

// Grace is how long processes may take to end: behind SIGHUP, behind SIGTERM,
// and behind SIGKILL.
type Grace struct{ Hangup, Terminate, Kill time.Duration }

// End ends the members of the leaders' kernel sessions: SIGHUP, after a grace
// SIGTERM, then SIGKILL. It calls ended from time to time, when some may have
// ended, for a caller that is their parent. What made a kernel session of its own
// is no member. The error counts those that are still there, or says why that is
// not known.
func End(leaders []Leader, grace Grace, ended func()) (err error) {
	left, unseen := 0, 0
	for _, stage := range []stage{
		{signal: unix.SIGHUP, patience: grace.Hangup},
		{signal: unix.SIGTERM, patience: grace.Terminate},
		{signal: unix.SIGKILL, patience: grace.Kill},
	} {
		stage.told = map[Process]bool{}
		deadline := time.Now().Add(stage.patience)
		for {
			left = 0
			settled, failed := each(leaders, func(p Process) { left++; stage.tell(p) })
			ended()
			if unseen++; left > 0 || failed != nil {
				unseen = 0
			}
			if unseen > 0 && settled || unseen == looksOfEnd {
				return nil
			}
			err = failed
			stage.wait(deadline)
			if !time.Now().Before(deadline) {
				break
			}
		}
	}
	switch {
	case left > 0:
		return fmt.Errorf("%d processes of the login do not end", left)
	case err != nil:
		return err
	}
	return errors.New("processes of the login may be left: they end and start faster than they can be looked at")
}

// stage is a signal, and whom it was sent to.
type stage struct {
	signal   unix.Signal
	patience time.Duration
	told     map[Process]bool
	waiting  []unix.PollFd // pidfds of members that may have ended
}

// mostWaiting is how many processes are waited for at once, in descriptors: the
// others are seen the next time.
const mostWaiting = 128

// tell sends the signal to a member that did not get it yet.
func (s *stage) tell(p Process) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return
	}
	if now, err := Read(p.PID); err != nil || now.Start != p.Start {
		unix.Close(fd)
		return // the number is another process's by now
	}
	if s.signal == unix.SIGKILL && p.Group > 1 {
		// All of a group is in one session. None of it can fork in between, as
		// a process may that waits for its turn to be looked at.
		unix.Kill(-p.Group, unix.SIGKILL)
	}
	if !s.told[p] {
		s.told[p] = true
		unix.PidfdSendSignal(fd, s.signal, nil, 0)
		unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0) // one that is stopped hears only SIGKILL
	}
	if len(s.waiting) == mostWaiting {
		unix.Close(fd)
		return
	}
	s.waiting = append(s.waiting, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
}

// wait waits until those that were told have ended, or the deadline.
func (s *stage) wait(deadline time.Time) {
	if len(s.waiting) == 0 {
		time.Sleep(time.Millisecond) // none could be reached: not at full speed again
	}
	for len(s.waiting) > 0 {
		left := time.Until(deadline).Milliseconds()
		if left <= 0 {
			break
		}
		unix.Poll(s.waiting, int(left))
		s.waiting = stillRunning(s.waiting)
	}
	for _, w := range s.waiting {
		unix.Close(int(w.Fd))
	}
	s.waiting = nil
}

// stillRunning closes the descriptors of those that have ended.
func stillRunning(waiting []unix.PollFd) []unix.PollFd {
	var running []unix.PollFd
	for _, w := range waiting {
		if w.Revents != 0 {
			unix.Close(int(w.Fd))
			continue
		}
		running = append(running, w)
	}
	return running
}
