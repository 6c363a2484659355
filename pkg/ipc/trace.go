package ipc

import (
	"fmt"
	"time"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Decision is the line of a service's files that made a step's code what it is.
// It is for a log, never for the person who logs in. Text in it comes from files.
type Decision struct {
	// File and Line are where it is; empty where no line decided: there is none
	// for the step, or all were ignored.
	File    string
	Line    int
	Module  string // as the line names it, such as "pam_unix.so"
	Control string // as the line has it, such as "required"
	Code    Code   // what the module returned
	Action  string // what the control field made of it, such as "die"; nothing of incomplete
	Problem string // of Begin: what is wrong with the line
	// Behind is the last line before it whose module failed, where this one fails
	// whatever happens (pam_deny) or there is none; else nil.
	Behind *Decision
}

// String says it in a line of text that is safe to print.
func (d *Decision) String() string {
	switch {
	case d == nil:
		return "it is not known which line decided"
	case d.File == "":
		return "no line decided: there is none for this step, or all were ignored" + d.behind()
	case d.Problem != "":
		return Printable(fmt.Appendf(nil, "%s:%d: %s", d.File, d.Line, d.Problem))
	}
	text := fmt.Appendf(nil, "%s:%d: %s %s: %s", d.File, d.Line, d.Control, d.Module, d.Code)
	if d.Action != "" {
		text = append(text, " -> "+d.Action...)
	}
	return Printable(text) + d.behind()
}

func (d *Decision) behind() string {
	if d.Behind == nil {
		return ""
	}
	return "; behind " + d.Behind.String()
}

// At is the place of a module in a text, such as " (/etc/pam.d/sshd:3)"; empty
// where it is not known.
func At(file string, line int) string {
	if file == "" {
		return ""
	}
	return Printable(fmt.Appendf(nil, " (%s:%d)", file, line))
}

func newDecision(d *pb.Decision) *Decision {
	if d == nil {
		return nil
	}
	return &Decision{
		File: d.GetFile(), Line: int(d.GetLine()), Module: d.GetModule(), Control: d.GetControl(),
		Code: Code(d.GetCode()), Action: d.GetAction(), Problem: d.GetProblem(), Behind: newDecision(d.GetBehind()),
	}
}

// Trace is what one call of libpam did, as a worker that is debugged with tells
// it: see Trace in the protocol's schema.
type Trace struct {
	Function     string // such as "pam_authenticate"
	Code         Code
	Turns        []Turn // in order, and in their places the lines that had none
	TurnsOmitted int
	Notes        []Note // of libpam itself
	NotesOmitted int
	Decision     *Decision // nil where it is not known
	// Disagreement is how the call differs from what the files say; Unknown why
	// nobody can tell what they say. With either, turns have no action.
	Disagreement, Unknown string
}

// Turn is the turn of one handler, or a line that had none.
type Turn struct {
	File    string // empty where the line is not known
	Line    int
	Control string
	Module  string // as the line names it
	// Arguments are those of the line, with blanks between them.
	Arguments string
	Level     int // how many substacks are around it
	Reached   bool
	Called    string // file name of the module that was called; empty: none
	Prelim    bool   // the first pass of pam_chauthtok
	Code      Code
	Key       Code   // what picked the action
	Action    string // empty where it is not known
	Duration  time.Duration
	Notes     []Note
	Problem   string // why there is no module to call
}

// NoteKind is what a module did.
type NoteKind int

// The kinds of notes.
const (
	NoteLogged        = NoteKind(pb.Note_LOGGED)         // Text went to syslog, at level Number
	NoteItemSet       = NoteKind(pb.Note_ITEM_SET)       // the item with that Number
	NoteItemUnset     = NoteKind(pb.Note_ITEM_UNSET)     //
	NoteVariableSet   = NoteKind(pb.Note_VARIABLE_SET)   // the variable named Text
	NoteVariableUnset = NoteKind(pb.Note_VARIABLE_UNSET) //
	NoteDelay         = NoteKind(pb.Note_DELAY)          // of Number microseconds after a failure
	NoteSaid          = NoteKind(pb.Note_SAID)           // Text, of style Number
)

// Note is one thing that a module did.
type Note struct {
	Kind    NoteKind
	Number  int
	Text    []byte // as the module gave it
	Omitted int    // bytes cut off its end
}

func newTrace(t *pb.Trace) Trace {
	trace := Trace{
		Function: t.GetFunction(), Code: Code(t.GetCode()), TurnsOmitted: int(t.GetTurnsOmitted()),
		Notes: newNotes(t.GetNotes()), NotesOmitted: int(t.GetNotesOmitted()),
		Decision: newDecision(t.GetDecision()), Disagreement: t.GetDisagreement(), Unknown: t.GetUnknown(),
	}
	for _, turn := range t.GetTurns() {
		trace.Turns = append(trace.Turns, Turn{
			File: turn.GetFile(), Line: int(turn.GetLine()), Control: turn.GetControl(), Module: turn.GetModule(),
			Arguments: turn.GetArguments(), Level: int(turn.GetLevel()), Reached: turn.GetReached(), Called: turn.GetCalled(),
			Prelim: turn.GetPrelim(), Code: Code(turn.GetCode()), Key: Code(turn.GetKey()), Action: turn.GetAction(),
			Duration: time.Duration(turn.GetDurationNs()), Notes: newNotes(turn.GetNotes()), Problem: turn.GetProblem(),
		})
	}
	return trace
}

func newNotes(list []*pb.Note) (notes []Note) {
	for _, n := range list {
		notes = append(notes, Note{NoteKind(n.GetKind()), int(n.GetNumber()), n.GetText(), int(n.GetOmittedBytes())})
	}
	return notes
}
