package worker

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// permitted requests of each phase, written down a second time: a change of
// the table has to be made here too.
var strictWanted = map[phase][]request{
	connected:    {hello},
	greeted:      {begin, end},
	begun:        {authenticate, end},
	accountFirst: {account, end},
	accounted:    {authenticate, end},
	proven:       {account, end},
	expired:      {changePassword, credentials, openSession, start, closeSession, end},
	permitted:    {credentials, end},
	credentialed: {openSession, end},
	open:         {start, closeSession, end},
	closed:       {end},
	failed:       {authenticate, account, changePassword, credentials, openSession, start, closeSession, end},
	ended:        {},
}

var debuggingWanted = map[phase][]request{
	connected: {hello},
	greeted:   {begin, end},
	begun:     {authenticate, account, changePassword, credentials, openSession, start, closeSession, end},
	failed:    {authenticate, account, changePassword, credentials, openSession, start, closeSession, end},
}

func TestEveryRequestInEveryPhaseOfTheStrictTable(t *testing.T) {
	for p := connected; p < ended; p++ {
		for kind := range requests {
			login := newFakeLoginIn(t, p)
			login.fake.codes = map[pb.Step]libpam.Status{}
			switch p {
			case failed:
				login.fake.codes[pb.Step_AUTHENTICATE] = libpam.AuthErr
			case expired:
				login.fake.codes[pb.Step_ACCOUNT] = libpam.NewAuthtokReqd
			}
			events, err := login.drive(t, append(path(p), kind)...)
			wantPermitted(t, "strict", p, kind, slices.Contains(strictWanted[p], kind), events, err)
		}
	}
}

func TestEveryRequestInEveryPhaseOfTheDebuggingTable(t *testing.T) {
	for _, p := range []phase{connected, greeted, begun, failed} {
		for kind := range requests {
			login := newFakeLogin(t, &Debug{})
			way := path(p)
			if p == failed {
				login.fake.codes = map[pb.Step]libpam.Status{pb.Step_BEGIN: libpam.Abort}
				way = way[:2]
			}
			events, err := login.drive(t, append(way, kind)...)
			wantPermitted(t, "debugging", p, kind, slices.Contains(debuggingWanted[p], kind), events, err)
		}
	}
}

// wantPermitted checks that the last event is what a permitted or a forbidden
// request gets.
func wantPermitted(t *testing.T, table string, p phase, kind request, permitted bool, events []*pb.Event, err error) {
	t.Helper()
	var f *fault
	violated := errors.As(err, &f) && f.kind == pb.Fault_VIOLATION
	if violated == permitted {
		t.Errorf("%s: %s in phase %s: error %v, want permitted %v", table, kind, p, err, permitted)
	}
	if len(events) == 0 {
		t.Errorf("%s: %s in phase %s: no event", table, kind, p)
		return
	}
	last := events[len(events)-1]
	if fault := last.GetFault(); (fault.GetKind() == pb.Fault_VIOLATION) == permitted {
		t.Errorf("%s: %s in phase %s: last event %v, want permitted %v", table, kind, p, last, permitted)
	}
}

func TestLoginThatEndsEarlyIsUndoneOnce(t *testing.T) {
	for p := begun; p < ended; p++ {
		for _, kind := range []request{hello, end} {
			login := newFakeLoginIn(t, p)
			switch p {
			case failed:
				login.fake.codes = map[pb.Step]libpam.Status{pb.Step_AUTHENTICATE: libpam.AuthErr}
			case expired:
				login.fake.codes = map[pb.Step]libpam.Status{pb.Step_ACCOUNT: libpam.NewAuthtokReqd}
			}
			login.drive(t, append(path(p), kind)...)
			if login.fake.undone != 1 {
				t.Errorf("%s in phase %s: undone %d times, want once", kind, p, login.fake.undone)
			}
		}
	}
}

func TestSkippedStepsAreNotRun(t *testing.T) {
	login := newFakeLogin(t, nil)
	login.fake.codes = map[pb.Step]libpam.Status{pb.Step_ACCOUNT: libpam.NewAuthtokReqd}
	events, err := login.drive(t, hello, begin, authenticate, account, credentials, openSession, changePassword, credentials, openSession, end)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"authenticate", "account", "change password", "credentials", "open session"}
	if !slices.Equal(login.fake.taken, want) {
		t.Errorf("run %v, want %v", login.fake.taken, want)
	}
	skipped := 0
	for _, event := range events {
		if event.GetResult().GetSkipped() != nil {
			skipped++
		}
	}
	if skipped != 2 {
		t.Errorf("%d skipped results, want 2", skipped)
	}
}

func TestDeniedUserIsNeverLetIn(t *testing.T) {
	login := newFakeLogin(t, nil) // the fake stack lets everybody in
	delete(login.known.users, "nobody")
	events, _ := login.drive(t, hello, begin, authenticate, account, openSession)
	result := events[2].GetResult()
	if result.GetCode() != pb.PamCode_PAM_AUTH_ERR || result.GetText() != libpam.AuthErr.Text() {
		t.Errorf("authenticate = %v %q, want PAM_AUTH_ERR", result.GetCode(), result.GetText())
	}
	if !slices.Equal(login.fake.taken, []string{"authenticate"}) {
		t.Errorf("run %v, want authenticate alone", login.fake.taken)
	}
}

// TestADeniedLoginLooksLikeAWrongPassword compares all that the agent gets.
func TestADeniedLoginLooksLikeAWrongPassword(t *testing.T) {
	for _, c := range []struct {
		sshd string
		way  []request
	}{
		{"", []request{hello, begin, authenticate, account, credentials, end}},
		{"account_first: true", []request{hello, begin, account, authenticate, credentials, end}},
	} {
		for _, fails := range []pb.Step{pb.Step_BEGIN, pb.Step_AUTHENTICATE} {
			var seen [2]string
			for i, deny := range []string{"", `users { deny: "nobody" }`} {
				l := newFakeLoginOf(t, c.sshd+" "+deny)
				l.fake.codes = map[pb.Step]libpam.Status{fails: libpam.AuthErr}
				events, err := l.drive(t, c.way...)
				if err != nil {
					t.Fatal(err)
				}
				for _, event := range events {
					if r := event.GetResult(); r != nil {
						r.DurationUs = 0
					}
					seen[i] += event.String() + "\n"
				}
			}
			if seen[0] != seen[1] || !strings.Contains(seen[0], "PAM_AUTH_ERR") {
				t.Errorf("%s, %s fails: a wrong password gets\n%s\nwho is denied gets\n%s", c.sshd, ipc.Step(fails), seen[0], seen[1])
			}
		}
	}
}

func TestNoCodeOfAuthenticateTellsWhoExists(t *testing.T) {
	for _, denied := range []bool{true, false} {
		for _, status := range []libpam.Status{3, 6, 10, 11, 13, convErr, 20} {
			login := newFakeLogin(t, nil)
			if denied {
				delete(login.known.users, "nobody")
			}
			login.fake.codes = map[pb.Step]libpam.Status{pb.Step_AUTHENTICATE: status}
			events, _ := login.drive(t, hello, begin, authenticate, end)
			result := events[2].GetResult()
			if result.GetCode() != pb.PamCode_PAM_AUTH_ERR || result.GetText() != libpam.AuthErr.Text() {
				t.Errorf("denied %v, stack's code %d: got %v %q, want PAM_AUTH_ERR", denied, status, result.GetCode(), result.GetText())
			}
		}
	}
}

func TestWhatWaitsIsBoundedOnArrival(t *testing.T) {
	many := &pb.Begin{Service: "sshd", User: []byte("nobody"), Rhost: "192.0.2.7"}
	for range maxVariables + 1 {
		many.Variables = append(many.Variables, &pb.Variable{Name: []byte("A")})
	}
	features := &pb.Hello{Version: 1, Features: make([]string, 33)}
	for _, req := range []*pb.Request{
		{Body: &pb.Request_Begin{Begin: many}},
		{Body: &pb.Request_Hello{Hello: features}},
		{Body: &pb.Request_Start{Start: &pb.Start{Command: make([]byte, policy.MaxCommand+1)}}},
	} {
		login := newFakeLogin(t, nil)
		if err := login.route(&call{Request: req}); err == nil || len(login.queue) != 0 {
			t.Errorf("%s too large: error %v, %d wait; want it refused", kindOf(req), err, len(login.queue))
		}
	}
}
