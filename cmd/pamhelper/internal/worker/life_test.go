package worker

import (
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
)

func TestAgentCannotShortenTheClosingBelowTheFloor(t *testing.T) {
	l := newLife(deadlinesOf(policy.Builtin()))
	defer l.over()
	l.shorten(time.Millisecond, time.Millisecond, time.Millisecond)
	if want := 5 * time.Second; l.limits.close != want {
		t.Errorf("close deadline %v, want %v", l.limits.close, want)
	}
	if want := time.Millisecond; l.limits.login != want || l.limits.prompt != want {
		t.Errorf("login and prompt deadlines %v and %v, want %v", l.limits.login, l.limits.prompt, want)
	}
}

func TestAgentCannotLengthenADeadline(t *testing.T) {
	l := newLife(deadlinesOf(policy.Builtin()))
	defer l.over()
	l.shorten(time.Hour, time.Hour, time.Hour)
	want := deadlinesOf(policy.Builtin())
	if l.limits.login != want.login || l.limits.prompt != want.prompt || l.limits.close != want.close {
		t.Errorf("deadlines %v, %v, %v, want the policy's", l.limits.login, l.limits.prompt, l.limits.close)
	}
}

func TestLeavingDuringTheClosingDoesNotRestartItsDeadline(t *testing.T) {
	l := newLife(deadlinesOf(policy.Builtin()))
	defer l.over()
	l.bound(func() { l.stop(nil) })
	first := l.closing
	if first == nil {
		t.Fatal("the close deadline does not run any more")
	}
	l.bound(func() {})
	if l.closing != first {
		t.Error("the close deadline was started again")
	}
}

func TestStoppingAsideLeavesTheCloseDeadlineForAfterwards(t *testing.T) {
	limits := deadlinesOf(policy.Builtin())
	limits.close = 10 * time.Millisecond
	l := newLife(limits)
	defer l.over()
	hung := make(chan struct{})
	l.onHang = func() { close(hung) }
	l.aside(func() {
		l.aside(func() { l.stop(nil) })
		select {
		case <-hung:
			t.Error("the close deadline came while it was not to run")
		case <-time.After(5 * limits.close):
		}
	})
	<-hung
}
