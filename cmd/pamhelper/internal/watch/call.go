package watch

import (
	"slices"
	"time"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// call is one call of a module's function.
type call struct {
	began, took   time.Duration // of CLOCK_MONOTONIC
	process       int
	wanted        bool // the process is one of those asked for
	program       string
	service, user string // empty: none
	probe         probe
	flags         int
	code          pamstack.Code
	end           ending

	handle uint64
	inner  bool // the module called itself
}

// ending is how much of a call was seen.
type ending int

const (
	returned     ending = iota
	onlyReturned        // its entry was lost
	vanished            // it did not return: the process ended or left it with longjmp(3)
	running             // it has not returned yet
)

// calls pairs entries with returns, thread by thread.
type calls struct {
	open map[int][]*call // by thread, the innermost last
	done []*call
}

func (c *calls) entered(thread int, entered *call) {
	stack := c.open[thread]
	// pam_access's pam_sm_open_session, for one, calls its pam_sm_authenticate:
	// libpam knows nothing of that.
	entered.inner = slices.ContainsFunc(stack, func(outer *call) bool {
		return outer.probe.module == entered.probe.module && outer.handle == entered.handle
	})
	c.open[thread] = append(stack, entered)
}

func (c *calls) left(thread int, seen *call) {
	stack := c.open[thread]
	for at := len(stack) - 1; at >= 0; at-- {
		if stack[at].probe != seen.probe {
			continue
		}
		c.unwind(thread, at+1)
		left := stack[at]
		left.took, left.code = seen.began-left.began, seen.code
		c.pop(thread, at)
		c.add(left)
		return
	}
	seen.end = onlyReturned
	c.add(seen)
}

// unwind ends the calls of a thread that will not return any more, from the
// innermost to that at a depth.
func (c *calls) unwind(thread, depth int) {
	stack := c.open[thread]
	for at := len(stack) - 1; at >= depth; at-- {
		stack[at].end = vanished
		c.add(stack[at])
	}
	c.pop(thread, depth)
}

func (c *calls) pop(thread, depth int) {
	if depth == 0 {
		delete(c.open, thread)
		return
	}
	c.open[thread] = c.open[thread][:min(depth, len(c.open[thread]))]
}

func (c *calls) add(ended *call) {
	if !ended.inner {
		c.done = append(c.done, ended)
	}
}

// take returns the calls that have ended since the last time.
func (c *calls) take() []*call {
	done := c.done
	c.done = nil
	return done
}

// rest returns the calls that have not ended, the oldest first.
func (c *calls) rest(now time.Duration) (rest []*call) {
	for _, stack := range c.open {
		for _, open := range stack {
			if !open.inner {
				open.end, open.took = running, now-open.began
				rest = append(rest, open)
			}
		}
	}
	slices.SortFunc(rest, func(a, b *call) int { return int(a.began - b.began) })
	return rest
}
