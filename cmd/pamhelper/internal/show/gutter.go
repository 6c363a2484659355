package show

import (
	"slices"
	"strings"
)

// gutter is the arrows of jumps, drawn to the left of the rows.
type gutter struct {
	arrows []*arrow
	lanes  int
}

// arrow leads from some rows to one below them.
type arrow struct {
	from []int // upwards
	to   int
	lane int // 0 is the one next to the rows
}

// mostLanes is how many arrows may run beside each other, and mostArrows how many
// there may be at all; more would be hard to follow, and each jump says its line
// too.
const (
	mostLanes  = 6
	mostArrows = 200
)

func (g *gutter) arrow(from, to int) {
	if len(g.arrows) > mostArrows {
		return
	}
	for _, a := range g.arrows {
		if a.to == to {
			if !slices.Contains(a.from, from) {
				a.from = append(a.from, from)
			}
			return
		}
	}
	g.arrows = append(g.arrows, &arrow{from: []int{from}, to: to})
}

// assign gives each arrow a lane of its own as far as it goes, short ones
// nearer to the rows.
func (g *gutter) assign() {
	if len(g.arrows) > mostArrows {
		*g = gutter{}
	}
	slices.SortStableFunc(g.arrows, func(a, b *arrow) int { return a.length() - b.length() })
	for i, a := range g.arrows {
		for slices.ContainsFunc(g.arrows[:i], a.meets) {
			a.lane++
		}
		g.lanes = max(g.lanes, a.lane+1)
	}
	if g.lanes > mostLanes {
		*g = gutter{}
	}
}

func (a *arrow) length() int { return a.to - a.from[0] }

func (a *arrow) meets(b *arrow) bool {
	return a.lane == b.lane && a.from[0] <= b.to && b.from[0] <= a.to
}

// width is how many columns the gutter takes.
func (g *gutter) width() int {
	if g.lanes == 0 {
		return 0
	}
	return g.lanes + 2
}

// at draws the gutter before a row.
func (g *gutter) at(row int) string {
	cells := g.between(row - 1)
	outermost := g.lanes
	for _, a := range g.arrows {
		column := g.lanes - 1 - a.lane
		switch {
		case a.to == row:
			cells[column], cells[g.lanes] = "└", "▶"
		case a.from[0] == row:
			cells[column] = "┌"
		case slices.Contains(a.from, row):
			cells[column] = "├"
		default:
			continue
		}
		outermost = min(outermost, column)
	}
	g.stroke(cells, outermost)
	return strings.Join(cells, "")
}

// crossed is what a line of the drawing becomes where a stroke crosses it.
var crossed = map[string]string{" ": "─", "│": "┼", "┌": "┬", "├": "┼", "└": "┴", "▶": "▶"}

// stroke draws from the outermost arrow of a row to the row.
func (g *gutter) stroke(cells []string, outermost int) {
	for i := outermost + 1; i <= g.lanes && g.lanes > 0; i++ {
		cells[i] = crossed[cells[i]]
	}
}

// below draws the gutter before what is said about a row.
func (g *gutter) below(row int) string { return strings.Join(g.between(row), "") }

// between draws the arrows that pass from a row to the next one.
func (g *gutter) between(row int) []string {
	cells := make([]string, g.width())
	for i := range cells {
		cells[i] = " "
	}
	for _, a := range g.arrows {
		if a.from[0] <= row && row < a.to {
			cells[g.lanes-1-a.lane] = "│"
		}
	}
	return cells
}
