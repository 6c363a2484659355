package show

import (
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// row is what is shown of a line.
type row struct {
	line *pamstack.Line
	// handler is the line's entry in the chain; nil for an include, which has
	// none where it works.
	handler *pamstack.Handler
	// rest says that the handler is there for what an include did not get.
	rest     bool
	children []*row
}

// tree builds the rows of one facility.
type tree struct {
	stack    *pamstack.Stack
	facility pamstack.Facility
	handlers map[*pamstack.Line][]*pamstack.Handler
	shown    map[*pamstack.Line]bool
	parents  map[*pamstack.Line]bool // have lines below them
	rows     map[*pamstack.Line]*row
	top      row
}

// treeOf returns the lines of a facility, those of included files below the
// line that includes them. In order, their handlers are the chain.
func treeOf(s *pamstack.Stack, f pamstack.Facility) []*row {
	t := tree{
		stack: s, facility: f, handlers: map[*pamstack.Line][]*pamstack.Handler{},
		shown: map[*pamstack.Line]bool{}, parents: map[*pamstack.Line]bool{}, rows: map[*pamstack.Line]*row{},
	}
	for _, h := range s.Chain(f) {
		t.handlers[h.Line] = append(t.handlers[h.Line], h)
		t.show(h.Line)
	}
	t.showEmpty()
	for _, line := range s.Lines {
		if t.shown[line] {
			t.add(line)
		}
	}
	return t.top.children
}

// show marks a line and those that led to it.
func (t *tree) show(line *pamstack.Line) {
	for ; line != nil && !t.shown[line]; line = line.Via {
		t.shown[line] = true
		t.parents[line.Via] = true
	}
}

// showEmpty marks the includes of the facility that bring it nothing.
func (t *tree) showEmpty() {
	chain := t.stack.Chain(t.facility)
	if len(chain) == 0 {
		return
	}
	file := root(chain[0].Line).File
	for _, line := range t.stack.Lines {
		how, _, include := stackview.Included(line)
		if include && how != "@include" && root(line).File == file && t.meant(line) {
			t.show(line)
		}
	}
}

// meant says that a line is of the facility, and what led to it too.
func (t *tree) meant(line *pamstack.Line) bool {
	for ; line != nil; line = line.Via {
		fields := append(line.Fields(), "")
		word := strings.ToLower(strings.TrimPrefix(fields[0], "-"))
		if word != "@include" && word != t.facility.String() {
			return false
		}
	}
	return true
}

func root(line *pamstack.Line) *pamstack.Line {
	for line.Via != nil {
		line = line.Via
	}
	return line
}

// add adds the rows of a line: one for itself, and another one for the handler
// in place of what it did not include.
func (t *tree) add(line *pamstack.Line) {
	parent := &t.top
	if line.Via != nil {
		parent = t.rows[line.Via]
	}
	first := &row{line: line}
	t.rows[line] = first
	parent.children = append(parent.children, first)

	handlers := t.handlers[line]
	_, _, include := stackview.Included(line)
	broken := include && len(handlers) > 0 && handlers[0].Kind == pamstack.KindMustFail
	if len(handlers) > 0 && !(broken && t.parents[line]) {
		first.handler, handlers = handlers[0], handlers[1:]
	}
	for _, h := range handlers {
		parent.children = append(parent.children, &row{line: line, handler: h, rest: true})
	}
}
