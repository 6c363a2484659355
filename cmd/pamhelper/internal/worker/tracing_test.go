package worker

import (
	"bytes"
	"fmt"
	"log"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestTraceFitsIntoAFrame(t *testing.T) {
	long := strings.Repeat("\xffä", 1000)
	for name, c := range map[string]struct{ turns, notes int }{
		"more turns than are sent": {5000, 1},
		"many notes":               {1024, 1},
		"all notes of one turn":    {1, 1024},
	} {
		var trace libpam.Trace
		for i := range c.turns {
			h := &pamstack.Handler{Line: &pamstack.Line{File: long, Number: i}, Control: long, Path: long, Arguments: []string{long}}
			turn := libpam.Turn{Handler: h, Reached: true, Module: long}
			for range c.notes {
				turn.Notes = append(turn.Notes, libpam.Note{Kind: libpam.Logged, Text: long[:64]})
			}
			trace.Turns = append(trace.Turns, turn)
		}
		event := traceEvent(trace)
		frame, err := proto.Marshal(&pb.Event{Body: &pb.Event_Trace{Trace: event}})
		if err != nil || len(frame) > ipc.MaxFrame {
			t.Errorf("%s: got %d bytes, %v; want at most %d", name, len(frame), err, ipc.MaxFrame)
		}
		if len(event.Turns)+int(event.TurnsOmitted) != c.turns || len(event.Turns) == 0 || len(event.Turns) > maxTurns {
			t.Errorf("%s: got %d turns and %d omitted, want %d together", name, len(event.Turns), event.TurnsOmitted, c.turns)
		}
	}
}

// TestAgentLearnsOnlyLinesThatAreNoOracle drives both kinds of workers through
// what every step can tell.
func TestAgentLearnsOnlyLinesThatAreNoOracle(t *testing.T) {
	decision := &libpam.Decision{File: "/etc/pam.d/sshd", Line: 7, Module: "pam_x.so", Control: "required", Code: 6, Action: pamstack.ActionBad}
	for _, debug := range []*Debug{nil, {}} {
		for step := pb.Step_BEGIN; step <= pb.Step_END; step++ {
			for _, status := range []libpam.Status{libpam.Success, libpam.AuthErr, libpam.NewAuthtokReqd} {
				var out bytes.Buffer
				l := newFakeLogin(t, debug)
				l.log = log.New(&out, "", 0)
				l.traced(libpam.Trace{Function: "pam_x", Status: status, Decision: decision})
				told := l.explain(step, status)
				want := debug != nil || status != libpam.Success && step != pb.Step_AUTHENTICATE
				if (told != nil) != want || want && (told.GetFile() != decision.File || told.GetLine() != 7) {
					t.Errorf("debug %v, %s, %d: told %v, want it told: %v", debug != nil, step, status, told, want)
				}
				logged := strings.Contains(out.String(), "decided by /etc/pam.d/sshd:7: required pam_x.so: perm_denied -> bad")
				if want := debug == nil && status != libpam.Success; logged != want {
					t.Errorf("debug %v, %s, %d: log %q, want the line in it: %v", debug != nil, step, status, out.String(), want)
				}
			}
		}
	}
}

func TestDisagreementIsLoggedAlsoOfASuccess(t *testing.T) {
	var out bytes.Buffer
	l := newFakeLogin(t, nil)
	l.log = log.New(&out, "", 0)
	l.traced(libpam.Trace{Function: "pam_acct_mgmt", Disagreement: "libpam returned 0, and the model says 6"})
	l.explain(pb.Step_ACCOUNT, libpam.Success)
	if want := "pam_acct_mgmt: libpam and the model of its files disagree: libpam returned 0"; !strings.Contains(out.String(), want) {
		t.Errorf("log: got %q, want %q", out.String(), want)
	}
}

func TestFirstFailureOfTheUndoingIsTold(t *testing.T) {
	l := newFakeLogin(t, nil)
	for i, status := range []libpam.Status{libpam.Success, libpam.AuthErr, libpam.SystemErr} {
		l.traced(libpam.Trace{Status: status, Decision: &libpam.Decision{File: fmt.Sprint(i), Line: 1}})
	}
	if told := l.explain(pb.Step_END, libpam.AuthErr); told.GetFile() != "1" {
		t.Errorf("told %v, want the first call that failed", told)
	}
}
