package worker

import (
	"log"
	"os"
	"syscall"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
)

// killDescendants kills every process below this one: what modules forked and
// left behind, in whatever session or process group. What a module made a
// daemon (its parent gone) is no descendant and stays.
func killDescendants(logger *log.Logger) {
	const rounds = 10 // a child may fork while we look
	for range rounds {
		if !haveChildren() {
			return
		}
		alive := proc.Descendants(os.Getpid())
		if len(alive) == 0 {
			return
		}
		for _, pid := range alive {
			logger.Printf("killing process %d, left running by a module", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
		var status syscall.WaitStatus
		for _, pid := range alive {
			syscall.Wait4(pid, &status, 0, nil) // fails for those that are not our own children
		}
	}
}

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
