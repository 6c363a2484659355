package worker

import (
	"slices"
	"testing"
)

func TestTerminationDoesWhatWasSaidLast(t *testing.T) {
	t.Parallel()
	var done []string
	does := func(what string) func() { return func() { done = append(done, what) } }
	var s termination
	s.is(does("end the spare"))
	s.is(nil)
	s.arrived() // nobody has said what it does
	s.arrived()
	if len(done) > 0 || !s.waits() {
		t.Errorf("while nothing was said: got %q and waiting %t, want nothing done, and waiting", done, s.waits())
	}
	s.is(does("stop the login")) // once for all that came before
	s.is(does("stop another"))
	s.arrived()
	if want := []string{"stop the login", "stop another"}; !slices.Equal(done, want) || s.waits() {
		t.Errorf("got %q and waiting %t, want %q and nothing waiting", done, s.waits(), want)
	}
}
