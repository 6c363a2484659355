package worker

import (
	"fmt"
	"time"

	pb "github.com/pamhelper/pamhelper/proto"
)

// fault is what ends a login from the worker's side.
type fault struct {
	kind   pb.Fault_Kind
	text   string
	module string
	file   string // of the module's line, where it is known
	line   int
	retry  time.Duration // where kind is BUSY
}

func (f *fault) Error() string { return f.text }

func (f *fault) event() *pb.Event {
	said := &pb.Fault{Kind: f.kind, Text: f.text, Module: f.module, File: cutText(f.file, maxFileName), Line: uint32(f.line)}
	if f.kind == pb.Fault_BUSY {
		said.Busy = &pb.Busy{RetryAfterMs: uint32(f.retry.Milliseconds()), Text: f.text}
	}
	return &pb.Event{Body: &pb.Event_Fault{Fault: said}}
}

func violation(text string) *fault { return &fault{kind: pb.Fault_VIOLATION, text: text} }

func internal(err error) *fault { return &fault{kind: pb.Fault_INTERNAL, text: err.Error()} }

func refuse(format string, args ...any) error {
	return &fault{kind: pb.Fault_REFUSED, text: fmt.Sprintf(format, args...)}
}

// quoted is a value that an agent or a module chose, for a message.
func quoted(value []byte) string {
	const most = 64
	if len(value) > most {
		return fmt.Sprintf("%q…", value[:most])
	}
	return fmt.Sprintf("%q", value)
}
