package show

import (
	"errors"
	"slices"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// noteboard hands each problem to the first row of its line.
type noteboard struct {
	notes map[place][]pamstack.Note
	order []place
}

// place is a line, as it is read for one include.
type place struct {
	file   string
	number int
	via    *pamstack.Line
}

func at(line *pamstack.Line) place { return place{line.File, line.Number, line.Via} }

// newNoteboard leaves out why pam_start fails, which the title says.
func newNoteboard(s *pamstack.Stack) noteboard {
	b := noteboard{notes: map[place][]pamstack.Note{}}
	var fatal *pamstack.Error
	errors.As(s.Err, &fatal)
	for _, note := range s.Notes {
		at := at(note.Line)
		if fatal != nil && note == fatal.Note || slices.Contains(b.notes[at], note) {
			continue
		}
		b.notes[at] = append(b.notes[at], note)
		b.order = append(b.order, at)
	}
	return b
}

// take returns the problems of a row.
func (b *noteboard) take(e entry) []pamstack.Note {
	_, _, include := stackview.Included(e.line)
	if include && len(e.children) > 0 && (e.handler == nil || e.handler.Kind != pamstack.KindMustFail) {
		return nil // they are for the handler in place of what is not there
	}
	taken := b.notes[at(e.line)]
	delete(b.notes, at(e.line))
	return taken
}

// left returns the problems that no row has taken, each once: a file that is
// read for several facilities has them several times.
func (b *noteboard) left() (left []pamstack.Note) {
	said := map[string]bool{}
	for _, at := range b.order {
		for _, note := range b.notes[at] {
			if !said[note.String()] {
				left = append(left, note)
			}
			said[note.String()] = true
		}
	}
	return left
}
