package config

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// syntax reports an error of the parser, with what it is most likely about.
func (d *document) syntax(err error) {
	var at place
	var known yaml.Error
	text := err.Error()
	if errors.As(err, &known) {
		at, text = placeOfToken(known.GetToken()), known.GetMessage()
	} else {
		at, text = place{1, 1}, strings.SplitN(text, "\n", 2)[0]
	}
	line := d.line(at.line)
	indentation := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.Contains(indentation, "\t"):
		at.column = 1 + strings.Index(indentation, "\t")
		d.wrong(at, "a tab in the indentation; YAML takes spaces only")
	case strings.Contains(line, ": {{"):
		at.column = 1 + utf8.RuneCountInString(line[:strings.Index(line, "{{")])
		d.wrong(at, `an expression without quotes; write "{{ … }}", or '{{ … }}' where it has quotes in it`)
	case strings.Contains(line, `"{{`):
		at.column = 1 + utf8.RuneCountInString(line[:strings.Index(line, `"{{`)])
		d.wrong(at, `an expression whose quotes end those around it; write '{{ … }}', with single ones`)
	default:
		d.wrong(at, "not YAML: %s%s", text, remedy(text, strings.TrimSpace(line)))
	}
}

const (
	spaceBehindColon = "a space has to be behind the colon: KEY: VALUE"
	spaceBehindDash  = "a space has to be behind the dash: - ITEM"
)

// remedies are for slips that the parser tells of in words of YAML's grammar, by
// how the line looks. The first that fits is told.
var remedies = []struct {
	line   *regexp.Regexp
	remedy string
}{
	{pairWithoutSpace, spaceBehindColon},
	{itemWithoutSpace, spaceBehindDash},
	{regexp.MustCompile(`^[^:"'\[\]{}-]+$`), "a line is KEY: VALUE, with a colon, and one of a text behind | is indented more than its key"},
	{regexp.MustCompile(`^(?:[A-Za-z_]+: |- )(?:"(?:[^"\\]|\\.)*|'(?:[^']|'')*)$`), "the quote is not closed"},
	{regexp.MustCompile(`^[A-Za-z_]+: '.*[^']'[^' ].*'$`), "a ' between single quotes is written twice, or the text in double quotes"},
	{regexp.MustCompile("^(?:[A-Za-z_]+: |- )[@`&*!|>%?\\]\\[-]"), "a text that begins so has to be in quotes"},
	{regexp.MustCompile(`^[A-Za-z_]+: [^"'\[{].*(?:: |:$)`), "a text with a colon in it has to be in quotes"},
}

// remedy is what to do about an error of the parser in a line.
func remedy(text, line string) string {
	if strings.Contains(text, "must be specified") || strings.Contains(text, "not found") {
		return "" // a bracket that is not closed, told as that
	}
	for _, r := range remedies {
		if r.line.MatchString(line) {
			return "; " + r.remedy
		}
	}
	if strings.Contains(text, "this context") || strings.Contains(text, "non-map value") {
		return "; look at the indentation: the keys of a section begin in one column, in the line behind as well"
	}
	return ""
}
