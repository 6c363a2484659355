package show

import (
	"errors"
	"slices"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// noteboard hands each problem to the first row of its line.
type noteboard struct{ notes []pamstack.Note }

// newNoteboard leaves out why pam_start fails, which the title says.
func newNoteboard(s *pamstack.Stack) (b noteboard) {
	var fatal *pamstack.Error
	errors.As(s.Err, &fatal)
	for _, note := range s.Notes {
		if fatal == nil || note != fatal.Note {
			b.notes = append(b.notes, note)
		}
	}
	return b
}

// take returns the problems of a row.
func (b *noteboard) take(e entry) (taken []pamstack.Note) {
	_, _, include := stackview.Included(e.line)
	kept := b.notes[:0]
	for _, note := range b.notes {
		place := note.Line.File == e.line.File && note.Line.Number == e.line.Number && note.Line.Via == e.line.Via
		// The handler in place of an include that failed halfway says why.
		belongs := !include || e.handler != nil && e.handler.Kind == pamstack.KindMustFail || len(e.children) == 0
		if place && belongs && !slices.Contains(taken, note) {
			taken = append(taken, note)
			continue
		}
		kept = append(kept, note)
	}
	b.notes = kept
	return taken
}

// left returns the problems that no row has taken, each once: a file that is
// read for several facilities has them several times.
func (b *noteboard) left() (left []pamstack.Note) {
	for _, note := range b.notes {
		same := func(other pamstack.Note) bool { return other.String() == note.String() }
		if !slices.ContainsFunc(left, same) {
			left = append(left, note)
		}
	}
	return left
}
