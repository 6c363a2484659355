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
	if len(done) > 0 {
		t.Errorf("done while nothing was said: got %q, want nothing", done)
	}
	s.is(does("stop the login")) // once for all that came before
	s.is(does("stop another"))
	s.arrived()
	if want := []string{"stop the login", "stop another"}; !slices.Equal(done, want) {
		t.Errorf("got %q, want %q", done, want)
	}
}
