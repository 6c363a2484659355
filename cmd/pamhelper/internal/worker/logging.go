package worker

import (
	"io"
	"sync"
)

// maxLog is how much of a login goes to the log, in bytes: an agent may make it
// say something with every request.
const maxLog = 1 << 20

// boundedLog passes on whole lines until the cap, and then says that it ends.
type boundedLog struct {
	mu   sync.Mutex
	to   io.Writer
	left int
}

func (b *boundedLog) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left <= 0 {
		return len(line), nil
	}
	b.to.Write(line) // where it fails there is nobody to tell
	if b.left -= len(line); b.left <= 0 {
		io.WriteString(b.to, "pamhelper: too much was logged for one login: no more of it\n")
	}
	return len(line), nil
}
