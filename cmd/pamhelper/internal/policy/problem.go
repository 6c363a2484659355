package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
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
	field := p.Field
	if field != "" {
		field += ": "
	}
	return p.Place() + ": " + field + p.Text
}

// Place returns "FILE:LINE:COLUMN", or the file alone where there is no line.
func (p *Problem) Place() string {
	if p.Line == 0 {
		return oneLine(p.Name)
	}
	return fmt.Sprintf("%s:%d:%d", oneLine(p.Name), p.Line, p.Column)
}

// oneLine is text without anything that a terminal or a log would act on.
func oneLine(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}

// printable is oneLine of something that can be long.
func printable(text string) string {
	const most = 200
	text = oneLine(text)
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
