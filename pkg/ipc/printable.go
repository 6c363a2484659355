package ipc

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns a module's text in a form that cannot drive a terminal:
// newlines and tabs stay, carriage returns go, every other control or
// direction-changing character and every byte that is not UTF-8 is shown as an
// escape such as \x1b.
func Printable(text []byte) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(escapeByte(text[0]))
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r == '\r':
		default:
			for _, c := range text[:size] {
				b.WriteString(escapeByte(c))
			}
		}
		text = text[size:]
	}
	return b.String()
}

func escapeByte(c byte) string {
	const hex = "0123456789abcdef"
	return `\x` + string(hex[c>>4]) + string(hex[c&15])
}
