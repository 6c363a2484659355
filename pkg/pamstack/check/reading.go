package check

import (
	"errors"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// readingProblem is how a note of the reader is reported.
type readingProblem struct {
	id       string
	severity Severity
	problem  string // the note's detail follows
}

var readingProblems = map[pamstack.Problem]readingProblem{
	pamstack.IllegalType:        {"illegal-type", Error, "the first word is no type"},
	pamstack.TypeMissing:        {"type-missing", Error, "there is no type after the service"},
	pamstack.ControlMissing:     {"control-missing", Error, "there is nothing after the type"},
	pamstack.ControlIllegal:     {"control-illegal", Error, "the control field cannot be read"},
	pamstack.ModuleMissing:      {"module-unnamed", Error, "the line names no module"},
	pamstack.IncludeFailed:      {"include-missing", Error, "the file to include is not there"},
	pamstack.IncludeTooDeep:     {"include-too-deep", Error, "the include is one of more than 16 inside each other"},
	pamstack.IncludeAnyFailed:   {"include-aborts", Error, "the file to include cannot be used"},
	pamstack.IncludeUnnamed:     {"include-unnamed", Error, "no file is named"},
	pamstack.IncludeLoop:        {"include-loop", Error, "the files include each other"},
	pamstack.UndefinedHandler:   {"include-undefined", Error, "the included file cannot be used"},
	pamstack.UndefinedActions:   {"include-undefined", Error, "the included file cannot be used"},
	pamstack.JumpOverflow:       {"jump-overflow", Error, "the jump is larger than a number can be"},
	pamstack.LineCut:            {"line-cut", Error, "the line is longer than 1023 bytes"},
	pamstack.LineEndless:        {"line-endless", Error, "the line is one byte shorter than libpam's buffer, and is to be continued"},
	pamstack.NULByte:            {"nul-byte", Error, "there is a NUL byte in the line"},
	pamstack.ContinuedOverBlank: {"continued-over-blank", Warning, "a line before this one ends in a backslash, and this one is blank or a comment"},
	pamstack.FileUnfinished:     {"file-unfinished", Error, "the last line ends in a backslash"},
	pamstack.NameEmpty:          {"name-empty", Error, "the path has no file name"},
	pamstack.FileSkipped:        {"file-skipped", Warning, "the file is there but does not open"},
	pamstack.SpecialFile:        {"special-file", Error, "it is neither a file nor a directory"},
	pamstack.TooLarge:           {"file-too-large", Error, "with this file there are more than 4 MiB or 65536 lines"},
	pamstack.NoFile:             {"service-missing", Error, "there is no file for the service"},
}

// reading reports what the reader met.
func (s *service) reading() {
	for i, note := range s.stack.Notes {
		p, known := readingProblems[note.Problem]
		if !known || s.explained(i) || !s.concerns(note.Line) {
			continue // modules have checks of their own
		}
		if note.Detail != "" {
			p.problem += ": " + note.Detail
		}
		s.atLine(note.Line, p.id, p.severity, "%s", p.problem)
	}
	s.otherBroken()
	for _, line := range s.stack.Lines {
		if s.concerns(line) {
			s.junk(line)
			s.confdirInclude(line)
		}
	}
}

// explained says that a later note tells what an include that failed does.
func (s *service) explained(i int) bool {
	switch note := s.stack.Notes[i]; note.Problem {
	case pamstack.IncludeFailed, pamstack.NameEmpty:
		for _, later := range s.stack.Notes[i+1:] {
			switch later.Problem {
			case pamstack.IncludeAnyFailed, pamstack.UndefinedActions, pamstack.UndefinedHandler:
				if later.Line == note.Line {
					return true
				}
			}
		}
	case pamstack.IncludeAnyFailed:
		return false
	}
	return false
}

// otherBroken reports that the service other keeps a service from starting.
func (s *service) otherBroken() {
	var failed *pamstack.Error
	if s.name == otherName || !errors.As(s.stack.Err, &failed) || failed.Problem == pamstack.NoFile || failed.Problem == pamstack.TooLarge {
		return
	}
	top := failed.Line
	for top.Via != nil {
		top = top.Via
	}
	if top.File == s.file(otherName) && top.File != s.file(s.name) {
		s.atLine(failed.Line, "other-broken", Error, "%s cannot be used, and is read with every service", top.File)
	}
}

// includes returns what Line.Included does, where this libpam includes a file.
func (s *service) includes(line *pamstack.Line) (how, file string, rest []string, is bool) {
	how, file, rest, is = line.Included()
	return how, file, rest, is && file != "" && (how != "@include" || s.stack.Libpam.Debian)
}

// junk reports what libpam accepts and does not use.
func (s *service) junk(line *pamstack.Line) {
	if how, _, rest, is := s.includes(line); is {
		if len(rest) > 0 {
			s.atLine(line, "junk", Warning, "libpam does not look at %q after %s", strings.Join(rest, " "), how)
		}
		return
	}
	if problem := controlJunk(line); problem != "" {
		s.atLine(line, "junk", Warning, "%s", problem)
	}
}

// controlJunk finds what is odd in a control field that libpam can read.
func controlJunk(line *pamstack.Line) string {
	control, bracketed, closed := line.Control()
	switch {
	case !bracketed && strings.Contains(control, "=") && !strings.HasPrefix(line.Fields()[0], "@"):
		return "the control field has no brackets: only its first word is taken, and the next word for the module"
	case !bracketed:
		return ""
	case !closed:
		return "the control field has no ]: the rest of the line is taken for it"
	}
	seen := map[string]bool{}
	for pair := range strings.FieldsSeq(strings.NewReplacer(" =", "=", "= ", "=").Replace(control)) {
		name, action, _ := strings.Cut(pair, "=")
		if seen[name] && name == "default" {
			return "only the first default counts"
		}
		if seen[name] {
			return "only the last action for " + name + " counts"
		}
		if strings.Contains(action, "=") {
			return "there is no blank between two pairs in " + pair
		}
		seen[name] = true
	}
	return ""
}

// confdirInclude reports includes that Debian's libpam does not take from the
// directory of configuration that was given.
func (s *service) confdirInclude(line *pamstack.Line) {
	_, file, _, is := s.includes(line)
	if !is || s.config.Confdir == "" || !s.stack.Libpam.Debian || strings.HasPrefix(file, "/") {
		return
	}
	if _, err := s.stat(s.config.Confdir + "/" + file); err == nil && s.config.Confdir != "/etc/pam.d" {
		s.atLine(line, "confdir-include", Warning, "/etc/pam.d/%s is read, not %s/%s", file, s.config.Confdir, file)
	}
}
