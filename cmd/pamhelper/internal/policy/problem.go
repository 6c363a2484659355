package policy

import (
	"fmt"
	"strings"
)

// Problem is what is wrong with one place of a policy.
type Problem struct {
	Name         string // of the file, as it was asked for
	Line, Column int    // from 1, the column in characters; 0 where there is none
	Field        string // such as `service[0] "sshd".tty`; may be empty
	Text         string
	missing      bool // the file does not exist
}

// Error returns "FILE:LINE:COLUMN: FIELD: text".
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Name)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Field != "" {
		b.WriteString(": " + p.Field)
	}
	b.WriteString(": " + p.Text)
	return b.String()
}
