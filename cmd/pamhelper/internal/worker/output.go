package worker

import (
	"bufio"
	"log"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// maxOutput is how much of what modules print goes to the log, in bytes.
const maxOutput = 64 << 10

// moduleOutput is what modules and their children print, on its way to the log.
type moduleOutput struct {
	pipe *os.File
	done sync.WaitGroup
}

// logOutput reads the pipe until the login is over. What is above the cap is
// read and dropped, so that no module waits for room in the pipe.
func logOutput(pipe *os.File, logger *log.Logger) *moduleOutput {
	o := &moduleOutput{pipe: pipe}
	o.done.Go(func() {
		logged, dropped := 0, 0
		lines := bufio.NewReaderSize(pipe, 1024)
		for {
			line, _, err := lines.ReadLine() // at most the buffer's size at once
			if err != nil {
				break
			}
			if logged += len(line); logged > maxOutput {
				dropped += len(line)
				continue
			}
			logger.Printf("module output: %s", ipc.Printable(line))
		}
		if dropped > 0 {
			logger.Printf("module output: %d more bytes were dropped", dropped)
		}
	})
	return o
}

// Wait logs what has been printed so far and stops reading. What a daemon of a
// module prints later finds a closed pipe.
func (o *moduleOutput) Wait() {
	// Our own writing ends go; /dev/null takes what the last destructors print.
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		unix.Dup3(int(null.Fd()), 1, 0)
		unix.Dup3(int(null.Fd()), 2, 0)
		null.Close()
	}
	o.pipe.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	o.done.Wait()
}
