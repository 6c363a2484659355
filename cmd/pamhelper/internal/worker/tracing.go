package worker

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

const (
	maxTurns    = 1024      // of a Trace
	maxTrace    = 768 << 10 // bytes of one
	maxFileName = 512       // bytes of a file's name
	maxField    = 256       // bytes of what else a service's file says
	maxReason   = 4 << 10   // bytes of why something is not known
)

// traceEvent is a trace for the wire, as much of it as fits into a frame.
func traceEvent(t libpam.Trace) *pb.Trace {
	event := &pb.Trace{
		Function: t.Function, Code: pb.PamCode(t.Status), Notes: noteEvents(t.Notes), NotesOmitted: uint32(t.NotesLost),
		Decision: decisionEvent(t.Decision), Disagreement: cutText(t.Disagreement, maxReason), Unknown: cutText(t.Unknown, maxReason),
		TurnsOmitted: uint32(t.TurnsLost),
	}
	for _, turn := range t.Turns {
		event.Turns = append(event.Turns, turnEvent(turn))
	}
	keepTurns(event, maxTurns)
	for proto.Size(event) > maxTrace {
		keepTurns(event, len(event.Turns)/2)
	}
	return event
}

// keepTurns leaves out all turns behind the first most.
func keepTurns(event *pb.Trace, most int) {
	if over := len(event.Turns) - most; over > 0 {
		event.Turns, event.TurnsOmitted = event.Turns[:most], event.TurnsOmitted+uint32(over)
	}
}

func turnEvent(t libpam.Turn) *pb.Turn {
	event := &pb.Turn{}
	if t.Handler != nil {
		event = lineEvent(t.Handler)
	}
	if !t.Reached {
		return event
	}
	event.Reached, event.Called, event.Prelim = true, cutText(t.Module, maxField), t.Prelim
	event.Code, event.Key = pb.PamCode(t.Code), pb.PamCode(t.Key)
	event.DurationNs, event.Notes = uint64(t.Time.Nanoseconds()), noteEvents(t.Notes)
	if t.Known {
		event.Action = t.Action.String()
	}
	return event
}

func lineEvent(h *pamstack.Handler) *pb.Turn {
	event := &pb.Turn{
		File: cutText(h.Line.File, maxFileName), Line: uint32(h.Line.Number), Level: uint32(h.Level),
		Control: cutText(h.ControlField(), maxField), Module: cutText(h.Path, maxField),
		Arguments: cutText(strings.Join(h.Arguments, " "), maxField),
	}
	if h.Module != nil && h.Module.Err != nil {
		event.Problem = cutText(h.Module.Err.Error(), maxField)
	}
	return event
}

func noteEvents(notes []libpam.Note) (events []*pb.Note) {
	for _, n := range notes {
		events = append(events, &pb.Note{
			Kind: pb.Note_Kind(n.Kind), Number: uint32(n.Number), Text: []byte(n.Text), OmittedBytes: uint64(n.Omitted),
		})
	}
	return events
}

// cutText makes a text of a file fit for a string of protobuf.
func cutText(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "\uFFFD")
}

// logTrace writes what a call did, where the starter wants that, and in any case
// where it was not what the files say.
func (w *worker) logTrace(t libpam.Trace) {
	if t.Disagreement != "" {
		w.log.Printf("%s: %s: libpam and the model of its files disagree: %s", w.name(), t.Function, printable(t.Disagreement))
	}
	if !w.logsTraces {
		return
	}
	for _, turn := range t.Turns {
		w.log.Printf("trace: %s: %s", t.Function, turnLine(turn))
		w.logNotes(t.Function, turn.Module, turn.Notes)
	}
	w.logNotes(t.Function, "libpam", t.Notes)
	if lost := t.TurnsLost + t.NotesLost; lost > 0 {
		w.log.Printf("trace: %s: %d more calls and notes were not kept", t.Function, lost)
	}
	w.log.Printf("trace: %s: %s (%d), %s", t.Function, t.Status.Text(), t.Status, decided(&t))
}

func turnLine(t libpam.Turn) string {
	line := "a line that is not known, " + printable(t.Module)
	if t.Handler != nil {
		line = lineOf(t.Handler)
	}
	if !t.Reached {
		return line + ": not reached"
	}
	if t.Prelim {
		line += ", first pass"
	}
	line += ": " + t.Code.String()
	if t.Key != t.Code {
		line += ", taken for " + t.Key.String()
	}
	if t.Known {
		line += " -> " + t.Action.String()
	}
	if t.Module == "" {
		return line + ", no module was called"
	}
	return line + ", " + t.Time.Round(time.Microsecond).String()
}

func lineOf(h *pamstack.Handler) string {
	fields := append([]string{h.ControlField(), h.Path}, h.Arguments...)
	return fmt.Sprintf("%s:%d: %s", printable(h.Line.File), h.Line.Number, printable(cutText(strings.Join(fields, " "), maxField)))
}

func (w *worker) logNotes(function, who string, notes []libpam.Note) {
	for _, n := range notes {
		w.log.Printf("trace: %s: %s %s", function, printable(filepath.Base(who)), noteText(n))
	}
}

func noteText(n libpam.Note) string {
	switch n.Kind {
	case libpam.Logged:
		return "logged: " + printable(n.Text)
	case libpam.ItemSet:
		return "set " + libpam.ItemName(n.Number)
	case libpam.ItemUnset:
		return "unset " + libpam.ItemName(n.Number)
	case libpam.VariableSet:
		return "set the variable " + printable(n.Text)
	case libpam.VariableGone:
		return "unset the variable " + printable(n.Text)
	case libpam.DelayAsked:
		return "asked for a delay of " + (time.Duration(n.Number) * time.Microsecond).String()
	}
	return "said: " + printable(n.Text)
}
