package worker

import (
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestAFailedAuthenticateIsAnsweredAMultipleOfTheGrainAfterTheAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after, want time.Duration }{ // the answer, in grains of 100
		{0, 0, 100}, {0, 70, 100}, {130, 0, 100}, {130, 70, 100}, {0, 130, 200},
	} {
		l := newFakeLogin(t, nil)
		l.grain = 100 * time.Millisecond
		now := time.Now()
		l.conv.answered = now.Add(-c.after * time.Millisecond)
		l.even(now.Add(-(c.before + c.after) * time.Millisecond))
		got, want := time.Since(l.conv.answered), c.want*time.Millisecond
		if got < want || got >= want+l.grain {
			t.Errorf("%d ms before the answer and %d behind it: answered after %s, want %s", c.before, c.after, got, want)
		}
	}
}

func TestOnlyAFailedAuthenticateIsMadeToTakeLonger(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code libpam.Status
		even bool
	}{"failed": {libpam.AuthErr, true}, "succeeded": {libpam.Success, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newFakeLogin(t, nil)
			l.grain = patienceOfGrain
			l.fake.codes = map[pb.Step]libpam.Status{pb.Step_AUTHENTICATE: c.code}
			events, err := l.drive(t, hello, begin, authenticate)
			if err != nil || len(events) != 3 {
				t.Fatalf("got %v, %v; want three events", events, err)
			}
			took := time.Duration(events[2].GetResult().GetDurationUs()) * time.Microsecond
			if even := took >= l.grain; even != c.even {
				t.Errorf("it took %s, want at least %s: %v", took, l.grain, c.even)
			}
		})
	}
}

// patienceOfGrain is longer than a fake takes.
const patienceOfGrain = 200 * time.Millisecond

func TestAnAgentThatLeavesDoesNotSeeHowLongAuthenticateTook(t *testing.T) {
	t.Parallel()
	l := newFakeLogin(t, nil)
	l.life.stop(nil)
	began := time.Now()
	if l.even(began); time.Since(began) < l.grain {
		t.Errorf("it took %s, want %s", time.Since(began), l.grain)
	}
}
