package show

import (
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// view is one facility as it is shown: rows from top to bottom.
type view struct {
	facility pamstack.Facility
	chain    []*pamstack.Handler
	entries  []entry
	gutter   gutter
	// toEnd says that a jump leads onto the end, which is a row of its own.
	toEnd bool
}

// entry is a row with where it stands.
type entry struct {
	*row
	branch string // the drawing before it
	below  string // the drawing before what is said about it
}

func viewOf(s *pamstack.Stack, f pamstack.Facility) *view {
	v := &view{facility: f, chain: s.Chain(f)}
	v.flatten(treeOf(s, f), "")
	at := map[*pamstack.Handler]int{nil: len(v.entries)}
	for i, e := range v.entries {
		if e.handler != nil {
			at[e.handler] = i
		}
	}
	for i, e := range v.entries {
		for _, g := range jumps(e.handler) {
			next, _ := s.Onward(e.handler, g.Action)
			v.toEnd = v.toEnd || next == nil
			v.gutter.arrow(i, at[next])
		}
	}
	v.gutter.assign()
	return v
}

// flatten adds rows and those below them. The drawing of a top row is empty.
func (v *view) flatten(rows []*row, prefix string) {
	for i, r := range rows {
		branch, below := prefix+"├ ", prefix+"│ "
		if i == len(rows)-1 {
			branch, below = prefix+"└ ", prefix+"  "
		}
		if v.isTop(r) {
			branch, below = "", ""
		}
		v.entries = append(v.entries, entry{r, branch, below})
		v.flatten(r.children, below)
	}
}

func (v *view) isTop(r *row) bool { return r.line.Via == nil }

// jumps are the groups of a handler's control field that skip lines.
func jumps(h *pamstack.Handler) (groups []stackview.Group) {
	if h == nil || h.Kind == pamstack.KindSubstack {
		return nil
	}
	for _, g := range stackview.Groups(h.Table) {
		if g.Action > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}
