package libpam

import (
	"time"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Trace is what one call of libpam did: which modules it called for which lines,
// what they returned and did, and which line decided. Where the model of the
// service's files and what libpam really did are not the same, Disagreement says
// so: then, and where the model is Unknown, the turns are the calls of modules
// alone, and have no action.
type Trace struct {
	Function string // libpam's, such as "pam_authenticate"
	Status   Status // what it returned
	// Turns are in order. Handlers that must fail and faulty modules have one
	// too, which only the model knows of, and so have those that were not reached,
	// in their place.
	Turns []Turn
	// Notes are what libpam itself logged.
	Notes []Note
	// Decision is what made Status what it is. Nil where it is not known, and
	// for a call that runs no chain.
	Decision *Decision
	// Disagreement is how model and reality differ; empty where they do not.
	Disagreement string
	// Unknown is why the model says nothing; empty where it does.
	Unknown string
	// TurnsLost and NotesLost were too many to be kept.
	TurnsLost, NotesLost int
}

// Turn is the turn of one handler.
type Turn struct {
	// Handler is nil where it is not known.
	Handler *pamstack.Handler
	// Reached is false for a handler that had no turn at all: the rest of this is
	// empty then.
	Reached bool
	Module  string // the file name of the module that was called; empty: none was
	Prelim  bool   // the first pass of pam_chauthtok
	Code    pamstack.Code
	// Key and Action are as in pamstack.Step. Action means nothing where Known is
	// false.
	Key    pamstack.Code
	Action pamstack.Action
	Known  bool
	// Time is the module's, without the conversation.
	Time  time.Duration
	Notes []Note
}

// NoteKind is what a module did.
type NoteKind int

// What a module can do that is noted. Values of items and variables are not.
const (
	Logged       NoteKind = iota + 1 // Text went to syslog, at level Number
	ItemSet                          // the item with that Number
	ItemUnset                        //
	VariableSet                      // the variable named Text
	VariableGone                     //
	DelayAsked                       // Number microseconds after a failure
	Said                             // Text, a message or prompt of style Number
)

// Note is one thing that a module did. Answers to hidden prompts are blotted out
// of its text.
type Note struct {
	Kind    NoteKind
	Number  int
	Text    string
	Omitted int // bytes cut off the end of Text
}

// Decision is the line that made a call's status what it is: the handler that
// set it, or the one whose jump left nothing behind it to set it. File is empty
// where there is no such line: none of the facility, or all were ignored.
type Decision struct {
	File    string
	Line    int
	Module  string // as the line names it
	Control string // as the line has it
	Code    pamstack.Code
	Action  pamstack.Action
	// Problem is what kept pam_start from reading on in that line, with words.
	Problem string
	// Behind is the last line before it whose module failed, where this one fails
	// whatever happens (pam_deny) or there is none: what a person looks for.
	Behind *Decision
}

var itemNames = []string{
	1: "PAM_SERVICE", "PAM_USER", "PAM_TTY", "PAM_RHOST", "PAM_CONV", "PAM_AUTHTOK", "PAM_OLDAUTHTOK", "PAM_RUSER",
	"PAM_USER_PROMPT", "PAM_FAIL_DELAY", "PAM_XDISPLAY", "PAM_XAUTHDATA", "PAM_AUTHTOK_TYPE",
}

// ItemName returns the name of an item, such as "PAM_USER".
func ItemName(number int) string {
	if number < 1 || number >= len(itemNames) {
		return "an item that PAM does not define"
	}
	return itemNames[number]
}
