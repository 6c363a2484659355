package worker

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// TestTheHelperInMemoryKeepsTheSameOrder holds package ipctest to the worker:
// an agent tested with it meets the same results in every phase.
func TestTheHelperInMemoryKeepsTheSameOrder(t *testing.T) {
	for p := connected; p < ended; p++ {
		if p == accountFirst || p == accounted {
			continue // it has no policy that says so
		}
		for kind := hello; kind <= end; kind++ {
			kinds := append(path(p), kind, end)

			login := newFakeLogin(t, nil)
			helper := &ipctest.Helper{Steps: map[ipc.Step]ipctest.Handler{}}
			switch p {
			case failed:
				login.fake.codes = map[pb.Step]libpam.Status{pb.Step_AUTHENTICATE: libpam.AuthErr}
				helper.Steps[ipc.Authenticate] = func(*ipctest.Call) ipc.Code { return ipc.AuthErr }
			case expired:
				login.fake.codes = map[pb.Step]libpam.Status{pb.Step_ACCOUNT: libpam.NewAuthtokReqd}
				helper.Steps[ipc.Account] = func(*ipctest.Call) ipc.Code { return ipc.NewAuthtokReqd }
			}
			stream, err := helper.Launch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			events, _ := login.drive(t, kinds...)
			want, got := outline(events), outline(ask(stream, kinds))
			stream.Close()
			helper.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("%s in phase %s: in memory %q, the worker %q", kind, p, got, want)
			}
		}
	}
}

// outline is what an agent goes by in a list of events.
func outline(events []*pb.Event) (lines []string) {
	for _, event := range events {
		switch body := event.GetBody().(type) {
		case *pb.Event_Result:
			lines = append(lines, fmt.Sprintf("%s %v skipped %v", body.Result.GetStep(), body.Result.GetCode(), body.Result.GetSkipped() != nil))
		case *pb.Event_Started:
			lines = append(lines, fmt.Sprintf("%T", body.Started.GetOutcome()))
		case *pb.Event_Fault:
			lines = append(lines, "fault "+body.Fault.GetKind().String())
		default:
			lines = append(lines, fmt.Sprintf("%T", body))
		}
	}
	return lines
}
