package worker

import pb "github.com/pamhelper/pamhelper/proto"

// fault is what ends a login from the worker's side.
type fault struct {
	kind   pb.Fault_Kind
	text   string
	module string
	file   string // of the module's line, where it is known
	line   int
}

func (f *fault) Error() string { return f.text }

func (f *fault) event() *pb.Event {
	return &pb.Event{Body: &pb.Event_Fault{Fault: &pb.Fault{
		Kind: f.kind, Text: f.text, Module: f.module, File: cutText(f.file, maxFileName), Line: uint32(f.line),
	}}}
}

func violation(text string) *fault { return &fault{kind: pb.Fault_VIOLATION, text: text} }
