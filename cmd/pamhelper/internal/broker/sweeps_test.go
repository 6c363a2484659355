package broker

import (
	"context"
	"log"
	"os"
	"strings"
	"testing"
	"time"
)

// lines are what is logged.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

func TestWhatASweepHasLeftIsTriedAgain(t *testing.T) {
	t.Parallel()
	fails, err := os.Open("/bin/false")
	if err != nil {
		t.Fatal(err)
	}
	defer fails.Close()
	logged := make(lines)
	b := &broker{children: newChildren(), program: &program{int(fails.Fd())}, log: log.New(logged, "", 0)}
	s := newSweeps(b)
	s.pause = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.whenWanted(ctx)
	}()
	s.want()
	for range 3 {
		if line := <-logged; !strings.Contains(line, "ended with status 1") {
			t.Errorf("logged %q, want a sweep that failed", line)
		}
	}
	stop()
	for {
		select {
		case <-logged: // of one that had begun
		case <-ended:
			return
		}
	}
}
