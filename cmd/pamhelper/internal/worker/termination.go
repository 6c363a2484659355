package worker

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// termination is what SIGTERM does to this process. It is nothing while nobody has
// said so: one that comes meanwhile does what is said next. There is one goroutine for
// all that it does, which ends with the process: a login does not wait until one has
// ended and another has begun.
type termination struct {
	mu   sync.Mutex
	does func()
	came bool
}

// heedSignals makes SIGTERM do what is said. A terminal's signals are for the person's
// own program, whose leaving this worker will see.
func heedSignals() *termination {
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP)
	came := make(chan os.Signal, 1)
	signal.Notify(came, syscall.SIGTERM)
	t := &termination{}
	go func() {
		for range came {
			t.arrived()
		}
	}()
	return t
}

// arrived is called for each SIGTERM.
func (t *termination) arrived() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.came = true
	t.act()
}

// is says what SIGTERM does from here on; nil: that will be said. What it did before
// is done, or will not be.
func (t *termination) is(what func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.does = what
	t.act()
}

// waits reports whether one has come for which nobody has said anything yet.
func (t *termination) waits() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.came
}

// act does once what is to be done for all that have come.
func (t *termination) act() {
	if t.came && t.does != nil {
		t.came = false
		t.does()
	}
}
