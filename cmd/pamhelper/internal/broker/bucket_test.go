package broker

import (
	"testing"
	"time"
)

func TestABucketLetsThroughWhatThePolicyAdmits(t *testing.T) {
	began := time.Now()
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	b := bucket{perSecond: 2, atOnce: 3, left: 3, at: began}
	for _, c := range []struct {
		at   float64
		want time.Duration
	}{
		{0, 0}, {0, 0}, {0, 0}, // so many at once
		{0, 500 * time.Millisecond},
		{0.25, 250 * time.Millisecond},
		{0.5, 0},
		{0.5, 500 * time.Millisecond},   // one that was refused has taken nothing
		{1000, 0}, {1000, 0}, {1000, 0}, // not more at once for having waited long
		{1000, 500 * time.Millisecond},
	} {
		if got := b.take(at(c.at)); got != c.want {
			t.Errorf("after %v s: got %s, want %s", c.at, got, c.want)
		}
	}
}

func TestAPolicyThatAdmitsFewerAtOnceHoldsFromThen(t *testing.T) {
	w := newWorkers(limits{logins: 100, perSecond: 1, atOnce: 50})
	w.limit(limits{logins: 100, perSecond: 1, atOnce: 2})
	admitted := 0
	for w.admit() == nil {
		admitted++
	}
	if admitted != 2 {
		t.Errorf("got %d at once, want the 2 of the new policy", admitted)
	}
}
