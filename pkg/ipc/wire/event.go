package wire

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

// room is what most Events fit into, in bytes.
const room = 512

// EncodeEvent encodes an Event, with length bytes in front that are the caller's to
// fill. A Trace, which only a person's own worker sends, is encoded by the library.
func EncodeEvent(length int, e *pb.Event) ([]byte, error) {
	w := newWriter(room)
	if err := w.event(e); err != nil {
		return nil, err
	}
	w.room(length)
	return w.done(), nil
}

func (w *writer) event(e *pb.Event) error {
	switch body := e.GetBody().(type) {
	case *pb.Event_Welcome:
		w.message(1, func() { w.welcome(body.Welcome) })
	case *pb.Event_Message:
		w.message(2, func() { w.info(body.Message) })
	case *pb.Event_Prompt:
		w.message(3, func() { w.prompt(body.Prompt) })
	case *pb.Event_Result:
		w.message(4, func() { w.result(body.Result) })
	case *pb.Event_Fault:
		w.message(5, func() { w.fault(body.Fault) })
	case *pb.Event_Crash:
		w.message(6, func() { w.crash(body.Crash) })
	case *pb.Event_Started:
		w.message(7, func() { w.started(body.Started) })
	case *pb.Event_Exited:
		w.message(8, func() { w.exited(body.Exited) })
	case *pb.Event_Trace:
		trace, err := proto.Marshal(body.Trace)
		if err != nil {
			return err
		}
		w.element(9, trace)
	}
	return nil
}

func (w *writer) welcome(m *pb.Welcome) {
	w.text(4, m.GetLibpam())
	if m.GetLimits() != nil {
		w.message(3, func() { w.limits(m.GetLimits()) })
	}
	for _, feature := range slices.Backward(m.GetFeatures()) {
		w.element(2, []byte(feature))
	}
	w.number(1, uint64(m.GetVersion()))
}

func (w *writer) limits(m *pb.Limits) {
	w.number(7, uint64(m.GetMaxProcesses()))
	w.number(6, uint64(m.GetCloseTimeoutMs()))
	w.number(5, uint64(m.GetPromptTimeoutMs()))
	w.number(4, uint64(m.GetLoginTimeoutMs()))
	w.number(3, uint64(m.GetMaxQueued()))
	w.number(2, uint64(m.GetMaxAnswer()))
	w.number(1, uint64(m.GetMaxFrame()))
}

func (w *writer) info(m *pb.Message) {
	w.number(3, m.GetOmittedBytes())
	w.bytes(2, m.GetText())
	w.enum(1, int32(m.GetStyle()))
}

func (w *writer) prompt(m *pb.Prompt) {
	w.number(6, uint64(m.GetTimeoutMs()))
	w.number(5, uint64(m.GetControl()))
	w.number(4, m.GetOmittedBytes())
	w.bytes(3, m.GetText())
	w.enum(2, int32(m.GetStyle()))
	w.number(1, m.GetId())
}

func (w *writer) result(m *pb.Result) {
	w.truth(10, m.GetTolerated())
	if m.GetDecision() != nil {
		w.message(9, func() { w.decision(m.GetDecision()) })
	}
	w.number(8, m.GetDurationUs())
	w.number(7, uint64(m.GetEnvironmentOmitted()))
	w.variables(6, m.GetEnvironment())
	w.bytes(5, m.GetUser())
	w.text(4, m.GetText())
	switch outcome := m.GetOutcome().(type) {
	case *pb.Result_Code:
		w.numberAlways(2, uint64(outcome.Code))
	case *pb.Result_Skipped:
		w.message(3, func() {})
	}
	w.enum(1, int32(m.GetStep()))
}

func (w *writer) decision(m *pb.Decision) {
	if m.GetBehind() != nil {
		w.message(8, func() { w.decision(m.GetBehind()) })
	}
	w.text(7, m.GetProblem())
	w.text(6, m.GetAction())
	w.enum(5, int32(m.GetCode()))
	w.text(4, m.GetControl())
	w.text(3, m.GetModule())
	w.number(2, uint64(m.GetLine()))
	w.text(1, m.GetFile())
}

func (w *writer) fault(m *pb.Fault) {
	if busy := m.GetBusy(); busy != nil {
		w.message(6, func() {
			w.text(2, busy.GetText())
			w.number(1, uint64(busy.GetRetryAfterMs()))
		})
	}
	w.number(5, uint64(m.GetLine()))
	w.text(4, m.GetFile())
	w.text(3, m.GetModule())
	w.text(2, m.GetText())
	w.enum(1, int32(m.GetKind()))
}

func (w *writer) crash(m *pb.Crash) {
	w.number(4, uint64(m.GetLine()))
	w.text(3, m.GetFile())
	w.text(2, m.GetModule())
	w.number(1, uint64(m.GetSignal()))
}

func (w *writer) started(m *pb.Started) {
	w.number(4, uint64(m.GetDescriptors()))
	switch outcome := m.GetOutcome().(type) {
	case *pb.Started_Process:
		w.message(1, func() { w.process(outcome.Process) })
	case *pb.Started_NotStarted:
		w.message(2, func() {
			w.number(2, uint64(outcome.NotStarted.GetErrno()))
			w.text(1, outcome.NotStarted.GetText())
		})
	case *pb.Started_Skipped:
		w.message(3, func() {})
	}
}

func (w *writer) process(m *pb.Process) {
	w.number(4, uint64(m.GetVariablesOmitted()))
	w.text(3, m.GetTerminal())
	w.number(2, uint64(m.GetPid()))
	w.number(1, uint64(m.GetNumber()))
}

func (w *writer) exited(m *pb.Exited) {
	w.number(7, m.GetMaxRssKib())
	w.number(6, m.GetSystemTimeUs())
	w.number(5, m.GetUserTimeUs())
	w.truth(4, m.GetCoreDumped())
	switch how := m.GetHow().(type) {
	case *pb.Exited_Status:
		w.numberAlways(2, uint64(how.Status))
	case *pb.Exited_Signal:
		w.numberAlways(3, uint64(how.Signal))
	}
	w.number(1, uint64(m.GetProcess()))
}

func (w *writer) variables(number protowire.Number, list []*pb.Variable) {
	for _, v := range slices.Backward(list) {
		w.message(number, func() {
			w.bytes(2, v.GetValue())
			w.bytes(1, v.GetName())
		})
	}
}
