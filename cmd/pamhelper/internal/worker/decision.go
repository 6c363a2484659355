// Which line of which file decided, and who is told.
//
// The log has it for every step that did not succeed. The agent is told for
// those too, but never for Authenticate: it could learn who exists, and who may
// log in. For a success nobody needs it, and it would tell where users are kept.
// A worker that somebody debugs with tells everything.

package worker

import (
	"fmt"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// traced keeps what a call of libpam did until the step is explained.
func (w *worker) traced(t libpam.Trace) { w.traces = append(w.traces, t) }

// explain logs what the calls of a step did, and sends it to who may have it. It
// returns what goes into the step's Result.
func (w *worker) explain(step pb.Step, status libpam.Status) *pb.Decision {
	traces := w.traces
	w.traces = nil
	for _, t := range traces {
		w.logTrace(t)
		if w.tracing {
			w.send(&pb.Event{Body: &pb.Event_Trace{Trace: traceEvent(t)}})
		}
	}
	if status == libpam.Success {
		if w.debug == nil || len(traces) == 0 {
			return nil
		}
		return decisionEvent(traces[len(traces)-1].Decision)
	}
	failed := failing(traces)
	w.logFailure(step, status, failed)
	if failed == nil || w.debug == nil && step == pb.Step_AUTHENTICATE {
		return nil
	}
	return decisionEvent(failed.Decision)
}

// failing returns the first call that failed.
func failing(traces []libpam.Trace) *libpam.Trace {
	for i := range traces {
		if traces[i].Status != libpam.Success {
			return &traces[i]
		}
	}
	return nil
}

func (w *worker) logFailure(step pb.Step, status libpam.Status, failed *libpam.Trace) {
	if w.debug != nil {
		return // the starter gets it all
	}
	why := ""
	if failed != nil {
		status, why = failed.Status, ", "+decided(failed) // not what the agent is told in its place
	}
	if w.denial != "" {
		why += "; the user may not log in: " + w.denial // one line for everybody: no more work for some
	}
	if w.conv.abandoned {
		why += "; a prompt got no answer"
	}
	w.log.Printf("%s: %s: %s (%d)%s", w.name(), ipc.Step(step), status.Text(), status, why)
}

// decided says for the log which line it was.
func decided(t *libpam.Trace) string {
	d := t.Decision
	switch {
	case d == nil && t.Disagreement != "":
		return "and which line decided is not known: libpam did not do what its files say"
	case d == nil && t.Unknown != "":
		return "and which line decided is not known: " + printable(t.Unknown)
	case d == nil:
		return "and no line of a file decided that"
	case d.File == "":
		return "and no line decided: there is none for it, or all were ignored" + behind(d)
	case d.Problem != "":
		return fmt.Sprintf("because of %s:%d: %s", printable(d.File), d.Line, printable(d.Problem))
	}
	return "decided by " + lineText(d) + behind(d)
}

func lineText(d *libpam.Decision) string {
	return fmt.Sprintf("%s:%d: %s %s: %s%s", printable(d.File), d.Line, printable(d.Control), printable(d.Module), d.Code, actionOf(d))
}

// actionOf is what became of the code: nothing, where the call is to be made again.
func actionOf(d *libpam.Decision) string {
	if d.Code == pamstack.Incomplete {
		return ""
	}
	return " -> " + d.Action.String()
}

func behind(d *libpam.Decision) string {
	if d.Behind == nil {
		return ""
	}
	return "; behind " + lineText(d.Behind)
}

func printable(text string) string { return ipc.Printable([]byte(text)) }

// decisionEvent is what a Result carries.
func decisionEvent(d *libpam.Decision) *pb.Decision {
	if d == nil {
		return nil
	}
	event := &pb.Decision{
		File: cutText(d.File, maxFileName), Line: uint32(d.Line), Module: cutText(d.Module, maxField), Control: cutText(d.Control, maxField),
		Code: pb.PamCode(d.Code), Problem: cutText(d.Problem, maxField), Behind: decisionEvent(d.Behind),
	}
	if d.File != "" && d.Problem == "" && d.Code != pamstack.Incomplete {
		event.Action = d.Action.String()
	}
	return event
}
