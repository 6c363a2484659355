// What the user's processes leave running in kernel sessions of their own, where
// the policy says kill_leftovers.
//
// While the user's processes run, the worker is the parent of what loses its own
// (prctl(2), PR_SET_CHILD_SUBREAPER): nothing that descends from the login gets
// away by that. No module is called in that time. What modules had started before it
// stays theirs, and what they make a daemon before or behind it is no descendant.
// When the worker itself is killed, nobody knows these processes any more.

package worker

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
)

// leftovers is nil where they are not looked after.
type leftovers struct {
	modules []int          // what ran below the worker before
	ended   chan os.Signal // a child has ended
}

// adopt begins to look after them, before the first process is started.
func (w *worker) adopt() error {
	if !w.policy.GetKillLeftovers() || w.debug != nil || w.leftovers != nil {
		return nil
	}
	children, err := proc.Children() // those that have ended as well
	if err != nil {
		return err
	}
	l := &leftovers{modules: children, ended: make(chan os.Signal, 1)}
	for _, p := range proc.Descendants(os.Getpid()) {
		l.modules = append(l.modules, p.PID)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	signal.Notify(l.ended, unix.SIGCHLD)
	w.leftovers = l
	return nil
}

// orphanEnded is told when a child has ended; nil where nobody looks.
func (w *worker) orphanEnded() <-chan os.Signal {
	if w.leftovers == nil {
		return nil
	}
	return w.leftovers.ended
}

// reapOrphans waits for orphans of the user's that have ended. Those of modules,
// which wait for them themselves, and the processes that were started here are left
// alone; the lock keeps the short child that sends a signal from being there.
func (w *worker) reapOrphans() {
	if w.leftovers == nil {
		return
	}
	w.processes.mu.Lock()
	defer w.processes.mu.Unlock()
	for w.reapSome() { // the kernel's list can miss some while others go
	}
}

// reapSome is one look, and reports whether it found any.
func (w *worker) reapSome() (some bool) {
	children, err := proc.Children()
	if err != nil {
		w.warnOnce(err.Error())
		return false
	}
	for _, pid := range children {
		started := slices.ContainsFunc(w.processes.running, func(p *process) bool { return p.pid == pid })
		if started || slices.Contains(w.leftovers.modules, pid) || !proc.Belongs(pid, w.passwd.UID) {
			continue
		}
		if p, err := proc.Read(pid); err == nil && p.Zombie {
			reaped, _ := unix.Wait4(pid, nil, unix.WNOHANG, nil)
			some = some || reaped == pid
		}
	}
	return some
}

// leftSessions are the kernel sessions that descend from the login.
func (w *worker) leftSessions() (leaders []proc.Leader) {
	if w.leftovers == nil {
		return nil
	}
	own, _ := unix.Getsid(0)
	for _, p := range proc.Descendants(os.Getpid()) {
		known := slices.ContainsFunc(leaders, func(l proc.Leader) bool { return l.PID == p.Session })
		if known || p.Session == own || slices.Contains(w.leftovers.modules, p.PID) {
			continue
		}
		leader, err := proc.Read(p.Session)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.warnOnce(err.Error())
		}
		leaders = append(leaders, proc.Leader{PID: p.Session, Start: leader.Start, UID: w.passwd.UID})
	}
	return leaders
}

// looksForLeftovers is how often processes that move on to new sessions are looked
// for again; what is left then is killed with the worker's other descendants.
const looksForLeftovers = 8

// endLeftovers ends what moved on to a new session while the others were ended.
func (w *worker) endLeftovers() {
	for range looksForLeftovers {
		left := w.leftSessions()
		if len(left) == 0 {
			break
		}
		// No more time to say goodbye: they had it.
		if err := proc.End(left, proc.Grace{Kill: time.Second}, w.reapOrphans); err != nil {
			w.log.Printf("%s: %v", w.name(), err)
		}
	}
	w.disown()
}

// disown leaves orphans to process 1 again: modules are called from here on.
func (w *worker) disown() {
	if w.leftovers == nil {
		return
	}
	signal.Stop(w.leftovers.ended)
	w.reapOrphans()
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	w.leftovers = nil
}
