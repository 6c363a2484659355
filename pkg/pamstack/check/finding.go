package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Severity says how bad a finding is.
type Severity int

// The severities, the least first.
const (
	// Info is normal in many places, and good to know.
	Info Severity = iota
	// Warning is likely not meant, or will break later.
	Warning
	// Error breaks logins, or lets in who should stay out.
	Error
)

var severityNames = []string{"info", "warning", "error"}

// String returns "info", "warning" or "error".
func (s Severity) String() string { return severityNames[s] }

// MarshalText returns String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSeverity reads what String returns.
func ParseSeverity(word string) (Severity, error) {
	i := slices.Index(severityNames, word)
	if i < 0 {
		return 0, fmt.Errorf("severity %q: it is one of %s", word, strings.Join(severityNames, ", "))
	}
	return Severity(i), nil
}

// Finding is one thing that is wrong, or worth to know.
type Finding struct {
	ID       string // stable; the page has an entry for it
	Severity Severity
	File     string // as libpam opens it; without Config.Root
	Line     int    // from 1; 0 for the file as a whole
	Text     string // the line, or ""; bytes of the file
	// Services are those that it concerns, in order; none where the file
	// belongs to no service.
	Services []string
	Problem  string // what is there; may hold bytes of the file
	Effect   string // what happens because of it
	Remedy   string // what to do
}

// key tells findings apart: one for each line, whatever services lead to it.
type key struct {
	id       string
	severity Severity
	file     string
	line     int
	about    string // where a line can have several with the same id
}

// findings collects them.
type findings map[key]*Finding

// add adds a finding for a service, or the service to the finding.
func (f findings) add(service, about string, found Finding) {
	k := key{found.ID, found.Severity, found.File, found.Line, about}
	have := f[k]
	if have == nil {
		have = &found
		have.Text = strings.TrimRight(have.Text, " \t\r\n")
		have.Effect, have.Remedy = page()[found.ID].Effect, page()[found.ID].Remedy
		f[k] = have
	}
	if i, there := slices.BinarySearch(have.Services, service); service != "" && !there {
		have.Services = slices.Insert(have.Services, i, service)
	}
}

// errorAt says that there is an error in a line already.
func (f findings) errorAt(line *pamstack.Line) bool {
	for k := range f {
		if k.severity == Error && k.file == line.File && k.line == line.Number {
			return true
		}
	}
	return false
}

// sorted returns them by file and line.
func (f findings) sorted() []Finding {
	var list []Finding
	for _, found := range f {
		list = append(list, *found)
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line, int(b.Severity-a.Severity),
			cmp.Compare(a.ID, b.ID), cmp.Compare(a.Problem, b.Problem))
	})
	return list
}

// service is one service that is checked.
type service struct {
	*checker
	name  string
	stack *pamstack.Stack
	// told are the ids that were found for a handler.
	told map[told]bool
	// tried is how many positions in chains have been.
	tried int
}

type told struct {
	id      string
	handler *pamstack.Handler
}

// atLine adds a finding for a line.
func (s *service) atLine(line *pamstack.Line, id string, severity Severity, format string, args ...any) {
	s.found.add(s.name, "", Finding{
		ID: id, Severity: severity, File: line.File, Line: line.Number, Text: line.Text, Problem: fmt.Sprintf(format, args...),
	})
}

// at adds a finding for the line of a handler.
func (s *service) at(h *pamstack.Handler, id string, severity Severity, format string, args ...any) {
	s.told[told{id, h}] = true
	s.atLine(h.Line, id, severity, format, args...)
}

// about adds one of several findings that a line can have with the same id.
func (s *service) about(h *pamstack.Handler, about, id string, severity Severity, format string, args ...any) {
	s.found.add(s.name, about, Finding{
		ID: id, Severity: severity, File: h.Line.File, Line: h.Line.Number, Text: h.Line.Text, Problem: fmt.Sprintf(format, args...),
	})
}
