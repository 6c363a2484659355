package check

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/pamhelper/pamhelper/pkg/pamstack/check"
)

// finding is one line of --json. Text that is not UTF-8 has U+FFFD in the place
// of what is not.
type finding struct {
	ID       string         `json:"id"`
	Severity check.Severity `json:"severity"`
	File     string         `json:"file"`
	Line     int            `json:"line,omitempty"`
	Text     string         `json:"text,omitempty"`
	Services []string       `json:"services"`
	Problem  string         `json:"problem"`
	Effect   string         `json:"effect"`
	Remedy   string         `json:"remedy"`
}

func printJSON(out io.Writer, found []check.Finding) error {
	for _, f := range found {
		services := append([]string{}, f.Services...)
		if err := printObject(out, finding{f.ID, f.Severity, f.File, f.Line, f.Text, services, f.Problem, f.Effect, f.Remedy}, ""); err != nil {
			return err
		}
	}
	return nil
}

// printObject prints a JSON value in ASCII: a terminal acts on some characters
// beyond that, too.
func printObject(out io.Writer, value any, indent string) error {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := out.Write(ascii(buffer.String()))
	return err
}

// ascii escapes what is not ASCII. It can only stand inside of strings.
func ascii(text string) []byte {
	var out []byte
	for _, r := range text {
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			r -= 0x10000
			out = appendEscape(appendEscape(out, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default:
			out = appendEscape(out, r)
		}
	}
	return out
}

func appendEscape(out []byte, unit rune) []byte {
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', hex[unit>>12&15], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
}
