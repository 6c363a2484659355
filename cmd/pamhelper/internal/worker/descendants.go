package worker

import (
	"log"
	"os"
	"syscall"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
)

// killDescendants kills every process below this one: what modules forked and
// left behind, in whatever session or process group. What a module made a
// daemon (its parent gone) is no descendant and stays.
//
// A user can make a process that does not end when it is killed (ptrace(2),
// PTRACE_O_TRACEEXIT; a file system of the user's that does not answer): none is
// waited for longer than killTimeout.
func killDescendants(logger *log.Logger) {
	told := map[int]bool{}
	deadline := time.Now().Add(killTimeout)
	for pause := time.Millisecond; haveChildren(); pause = min(2*pause, 50*time.Millisecond) {
		alive := proc.Descendants(os.Getpid()) // again: a child may fork while we look
		if len(alive) == 0 {
			return
		}
		if time.Now().After(deadline) {
			logger.Printf("%d processes do not end", len(alive))
			return
		}
		for _, p := range alive {
			if !told[p.PID] {
				told[p.PID] = true
				logger.Printf("killing process %d, left running", p.PID)
			}
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		time.Sleep(pause)
	}
}

// killTimeout is how long what was killed may take to end.
const killTimeout = 2 * time.Second

// haveChildren spares most logins the walk through /proc: who has no child has
// no descendant.
func haveChildren() bool {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR || pid > 0 {
			continue // one that had ended
		}
		return err == nil
	}
}
