package try

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

func TestOutcomeOfATurn(t *testing.T) {
	success, ignore, incomplete := ipc.Code(pamstack.Success), ipc.Code(pamstack.Ignore), ipc.Code(pamstack.Incomplete)
	for want, turn := range map[string]ipc.Turn{
		"success -> jump over 2, 0s":                                      {Code: success, Key: success, Action: "2", Called: "a.so"},
		"ignore, taken for success as in the call before -> ok, 0s":       {Code: ignore, Key: success, Action: "ok", Called: "a.so"},
		"incomplete -> stops here: the application has to call again, 0s": {Code: incomplete, Key: incomplete, Called: "a.so"},
	} {
		if got := outcome(turn); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestACallWithoutAnythingToTellIsNoEvent(t *testing.T) {
	var out bytes.Buffer
	display := jsonLines{json.NewEncoder(&out)}
	display.trace(ipc.Trace{Function: "pam_start"})
	if out.Len() > 0 {
		t.Errorf("got %s, want nothing", out.String())
	}
	display.trace(ipc.Trace{Function: "pam_start", Unknown: "why"})
	if !strings.Contains(out.String(), `"function":"pam_start"`) {
		t.Errorf("got %q, want the event", out.String())
	}
}
