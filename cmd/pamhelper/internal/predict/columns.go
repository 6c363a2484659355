package predict

import (
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
)

// cell is text and how it looks.
type cell struct{ text, look string }

// columns are as wide as what is in them, but for what is very long.
type columns struct{ widths []int }

// mostWidth is the widest text that moves the columns of all lines.
const mostWidth = 30

func (c *columns) measure(cells []cell) {
	for i, cell := range cells {
		if i == len(c.widths) {
			c.widths = append(c.widths, 0)
		}
		if w := stackview.Width(cell.text); w <= mostWidth {
			c.widths[i] = max(c.widths[i], w)
		}
	}
}

// line aligns cells. A column that is empty in all lines takes no room, and
// nothing follows the last text.
func (c *columns) line(paint stackview.Paint, cells []cell) string {
	var line strings.Builder
	gap := 0 // before the next text
	for i, cell := range cells {
		if c.widths[i] == 0 && cell.text == "" {
			continue
		}
		rest := max(c.widths[i]-stackview.Width(cell.text), 0) + 2
		if cell.text == "" {
			gap += rest
			continue
		}
		line.WriteString(strings.Repeat(" ", gap) + paint.In(cell.look, paint.Draw(cell.text)))
		gap = rest
	}
	return line.String()
}
