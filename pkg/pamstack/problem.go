package pamstack

import (
	"errors"
	"fmt"
)

// Problem is what is wrong with a line or a file. The values are stable.
type Problem string

// What libpam makes the best of, each with what it does about it.
const (
	// IllegalType: the line is one of auth, or of the facility that is included,
	// whose handler fails without calling a module.
	IllegalType Problem = "illegal-type"
	// TypeMissing: as IllegalType. Only pam.conf can have such a line.
	TypeMissing Problem = "type-missing"
	// ControlMissing: the handler fails, and every code is bad.
	ControlMissing Problem = "control-missing"
	// ControlIllegal: every code is bad, success too. The module is called.
	ControlIllegal Problem = "control-illegal"
	// ModuleMissing: the line names no module; its handler fails.
	ModuleMissing Problem = "module-missing"
	// ModuleFaulty: the module cannot be loaded; its handlers return
	// module_unknown.
	ModuleFaulty Problem = "module-faulty"
	// FunctionMissing: the module has no function for a call, which returns
	// module_unknown.
	FunctionMissing Problem = "function-missing"
	// IncludeFailed: the file is not there, or cannot be used. A handler that
	// fails takes its place.
	IncludeFailed Problem = "include-failed"
	// IncludeTooDeep: as IncludeFailed, at 16 levels.
	IncludeTooDeep Problem = "include-too-deep"
	// LineCut: what did not fit into 1023 bytes is a line of its own.
	LineCut Problem = "line-cut"
	// NULByte: the rest of the line is lost.
	NULByte Problem = "nul-byte"
	// ContinuedOverBlank: a blank line or a comment did not end a line that is
	// to be continued. Since 1.6 it does.
	ContinuedOverBlank Problem = "continued-over-blank"
	// FileSkipped: the file is there but cannot be opened by this process. The
	// next directory is looked into.
	FileSkipped Problem = "file-skipped"
)

// What makes libpam give up a file, and pam_start with it where nothing
// included the file.
const (
	// FileUnfinished: the last line is to be continued.
	FileUnfinished Problem = "file-unfinished"
	// NameEmpty: the base name of a module or substack is empty, or ?, without
	// its suffix. In an included file what follows is UndefinedHandler.
	NameEmpty Problem = "name-empty"
	// IncludeAnyFailed: an @include outside of any facility failed.
	IncludeAnyFailed Problem = "include-any-failed"
	// NoFile: there is a file neither for the service nor for other.
	NoFile Problem = "no-file"
)

// What is undefined in libpam.
const (
	// IncludeUnnamed: an include names no file, and libpam reads through a null
	// pointer: the process dies. Debian only.
	IncludeUnnamed Problem = "include-unnamed"
	// IncludeLoop: includes without end, up to the limit of open files or the
	// end of the process's stack. Before 1.6 only.
	IncludeLoop Problem = "include-loop"
	// LineEndless: pam_start does not return. Before 1.6 only.
	LineEndless Problem = "line-endless"
	// UndefinedHandler: the list of handlers is left with one that is half made.
	UndefinedHandler Problem = "undefined-handler"
	// UndefinedActions: the handler that stands for a failed @include has
	// actions that nobody wrote. Debian only.
	UndefinedActions Problem = "undefined-actions"
	// JumpOverflow: as UndefinedActions, from a jump larger than an int. Before
	// 1.6 only.
	JumpOverflow Problem = "jump-overflow"
	// SpecialFile: a device, pipe or socket in place of a file is not read here.
	SpecialFile Problem = "special-file"
)

// TooLarge is what ErrTooLarge is about.
const TooLarge Problem = "too-large"

// Note is a problem met while reading.
type Note struct {
	Line    *Line
	Problem Problem
	Detail  string // for people; may be empty
}

// String returns "file:line: problem: detail".
func (n Note) String() string {
	place := n.Line.File
	if n.Line.Number > 0 {
		place += fmt.Sprintf(":%d", n.Line.Number)
	}
	if n.Detail == "" {
		return place + ": " + string(n.Problem)
	}
	return place + ": " + string(n.Problem) + ": " + n.Detail
}

// What the errors of this package wrap.
var (
	// ErrAbort: pam_start returns PAM_ABORT.
	ErrAbort = errors.New("pam_start fails")
	// ErrUndefined: what pam_start does is undefined.
	ErrUndefined = errors.New("undefined in libpam")
	// ErrTooLarge: the files are more than this package reads.
	ErrTooLarge = errors.New("too large to be read")
)

// Error is ErrAbort, ErrUndefined or ErrTooLarge with the place that caused it.
type Error struct {
	Note
	Err error
}

func (e *Error) Error() string { return e.Note.String() + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }
