package watch

import (
	"slices"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

func TestCallsArePairedThreadByThread(t *testing.T) {
	one, two := probe{&module{path: "one"}, 1}, probe{&module{path: "two"}, 1}
	inner := probe{one.module, 2}
	enter := func(thread int, p probe) func(*calls) {
		return func(c *calls) { c.entered(thread, &call{probe: p, began: 10}) }
	}
	leave := func(thread int, p probe, code pamstack.Code) func(*calls) {
		return func(c *calls) { c.left(thread, &call{probe: p, began: 15, code: code}) }
	}
	for name, test := range map[string]struct {
		steps []func(*calls)
		want  []call
	}{
		"one": {[]func(*calls){enter(1, one), leave(1, one, 7)}, []call{{probe: one, took: 5, code: 7}}},
		"two threads": {[]func(*calls){enter(1, one), enter(2, one), leave(1, one, 7), leave(2, one, 0)},
			[]call{{probe: one, took: 5, code: 7}, {probe: one, took: 5}}},
		"a module that calls itself": {[]func(*calls){enter(1, one), enter(1, inner), leave(1, inner, 3), leave(1, one, 7)},
			[]call{{probe: one, took: 5, code: 7}}},
		"another module inside": {[]func(*calls){enter(1, one), enter(1, two), leave(1, two, 3), leave(1, one, 7)},
			[]call{{probe: two, took: 5, code: 3}, {probe: one, took: 5, code: 7}}},
		"left with longjmp": {[]func(*calls){enter(1, one), enter(1, two), leave(1, one, 7)},
			[]call{{probe: two, end: vanished}, {probe: one, took: 5, code: 7}}},
		"a lost entry": {[]func(*calls){leave(1, one, 7)}, []call{{probe: one, code: 7, end: onlyReturned}}},
		"the end of the thread": {[]func(*calls){enter(1, one), func(c *calls) { c.unwind(1, 0) }},
			[]call{{probe: one, end: vanished}}},
	} {
		c := &calls{open: map[int][]*call{}}
		for _, step := range test.steps {
			step(c)
		}
		var got []call
		for _, done := range c.take() {
			got = append(got, call{probe: done.probe, took: done.took, code: done.code, end: done.end})
		}
		if !slices.Equal(got, test.want) || len(c.open) != 0 {
			t.Errorf("%s: got %+v, %d open; want %+v, none open", name, got, len(c.open), test.want)
		}
	}
}

func TestProcessesOfAChosenOneAreChosen(t *testing.T) {
	threads := &threads{process: map[int]int{}, chosen: map[int]bool{10: true}}
	threads.made(10, 11, cloneThread)
	threads.made(11, 12, 0)
	threads.made(12, 13, 0)
	threads.made(20, 21, 0)
	for thread, want := range map[int]bool{10: true, 11: true, 12: true, 13: true, 20: false, 21: false} {
		if got := threads.wanted(threads.of(thread)); got != want {
			t.Errorf("thread %d: got %v, want %v", thread, got, want)
		}
	}
	threads.ended(12)
	threads.made(20, 12, 0) // the number comes again
	if threads.wanted(threads.of(12)) {
		t.Error("a process with the number of one that has ended is chosen, want not")
	}
}
