package stackview

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// effects say what libpam does about a problem.
var effects = map[pamstack.Problem]string{
	pamstack.IllegalType:        "no such type: no module is called",
	pamstack.TypeMissing:        "no type: no module is called",
	pamstack.ControlMissing:     "no control field: no module is called",
	pamstack.ControlIllegal:     "the control field is wrong: every code fails, success too",
	pamstack.ModuleMissing:      "no module is named",
	pamstack.ModuleFaulty:       "the module cannot be loaded",
	pamstack.FunctionMissing:    "the module does not have the function",
	pamstack.IncludeFailed:      "the file cannot be included",
	pamstack.IncludeTooDeep:     "16 includes deep, libpam reads no further",
	pamstack.LineCut:            "longer than 1023 bytes: the rest is read as a line of its own",
	pamstack.NULByte:            "a NUL byte: the rest of the line is lost",
	pamstack.ContinuedOverBlank: "a blank line or comment does not end the line before it, which is continued",
	pamstack.FileSkipped:        "the file is there but cannot be opened by this user: the next directory is looked into",
	pamstack.FileUnfinished:     "the last line ends in a backslash",
	pamstack.NameEmpty:          "the module's name is empty",
	pamstack.IncludeAnyFailed:   "the included file cannot be read",
	pamstack.NoFile:             "no such file",
	pamstack.IncludeUnnamed:     "no file is named to include",
	pamstack.IncludeLoop:        "files include each other without end",
	pamstack.LineEndless:        "libpam reads this line for ever",
	pamstack.UndefinedHandler:   "a handler is left half made",
	pamstack.UndefinedActions:   "what the failed include does is undefined",
	pamstack.JumpOverflow:       "the jump is too large: what it does is undefined",
	pamstack.SpecialFile:        "a device, pipe or socket in place of a file",
}

// Problem says what a note is about and what libpam does about it.
func Problem(note pamstack.Note) string {
	text := effects[note.Problem]
	if text == "" {
		text = string(note.Problem)
	}
	if note.Detail != "" {
		text += " (" + OneLine(note.Detail) + ")"
	}
	return text
}

// Failing says what a handler returns that can call nothing for one of the
// calls, and what its control field makes of that; empty for one that can.
func Failing(h *pamstack.Handler, calls []pamstack.Call) string {
	code := pamstack.ModuleUnknown
	switch {
	case h.Kind == pamstack.KindMustFail:
		code = pamstack.PermDenied
	case h.Kind == pamstack.KindSubstack, !slices.ContainsFunc(calls, func(c pamstack.Call) bool { return !h.Module.Has(c) }):
		return ""
	}
	return fmt.Sprintf("returns %v, %s", code, taken(h.Table[code]))
}

// taken says what becomes of a failure.
func taken(action pamstack.Action) string {
	switch action {
	case pamstack.ActionIgnore:
		return "which this line ignores"
	case pamstack.ActionUndefined:
		return "and what then happens is undefined"
	case pamstack.ActionBad, pamstack.ActionDie:
		return "and the stack fails"
	}
	return "taken for " + action.String()
}

// StartError says what pam_start makes of the stack; empty where it succeeds.
func (n Names) StartError(s *pamstack.Stack) string {
	if s.Err == nil {
		return ""
	}
	return startError(n, s.Err)
}

func startError(n Names, err error) string {
	what := "pam_start fails with PAM_ABORT"
	if errors.Is(err, pamstack.ErrUndefined) {
		what = "nobody can tell what pam_start does"
	}
	var at *pamstack.Error
	if !errors.As(err, &at) {
		return what + ": " + OneLine(err.Error())
	}
	return what + ": " + n.Place(at.Line) + ": " + Problem(at.Note)
}

// ErrorKind tells in a word what kind of error a stack has.
func ErrorKind(err error) string {
	if errors.Is(err, pamstack.ErrUndefined) {
		return "undefined"
	}
	return "abort"
}
