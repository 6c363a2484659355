package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document is a file on its way to a Config. Only the parser of the YAML library
// is used, for the places that it knows: its decoder would take what is not meant.
type document struct {
	file     string
	data     []byte
	problems Problems
}

// place is where something is in the file.
type place struct{ line, column int }

func placeOf(node ast.Node) place {
	// The token of a mapping or of a list is the first colon or dash in it.
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return placeOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return placeOf(n.Key)
	}
	return placeOfToken(node.GetToken())
}

func placeOfToken(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(t.Position.Line, 1), max(t.Position.Column, 1)}
}

func (d *document) wrong(at place, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// maxBrackets bounds what the parser needs more than linear time for: nested
// lists and mappings in brackets.
const maxBrackets = 2000

// dashes are lists in lists in one line, for which it needs that too, and memory
// for each.
var dashes = regexp.MustCompile(`(?m)^[ \t]*(?:[-?][ \t]+){20}`)

// root parses the file. Nil: a problem says why not.
func (d *document) root() ast.Node {
	if !d.text() {
		return nil
	}
	parsed, err := parser.ParseBytes(d.data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err)
		return nil
	}
	var bodies []ast.Node
	for _, document := range parsed.Docs {
		if directive, ok := document.Body.(*ast.DirectiveNode); ok {
			d.wrong(placeOf(directive), "a directive; remove the line, and the --- behind it")
			return nil
		}
		if document.Body != nil {
			bodies = append(bodies, document.Body)
		}
	}
	if len(bodies) == 0 {
		d.wrong(place{1, 1}, "the file is empty; it needs at least the section ssh_service")
		return nil
	}
	if len(bodies) > 1 {
		d.wrong(placeOf(bodies[1]), "a second document behind ---; the file is one document, remove the other")
		return nil
	}
	return bodies[0]
}

// text looks at the bytes: what no configuration has.
func (d *document) text() bool {
	before := len(d.problems)
	switch {
	case len(d.data) > maxFile:
		d.wrong(place{1, 1}, "the file has more than %d bytes; is it the configuration?", maxFile)
	case bytes.HasPrefix(d.data, []byte("\ufeff")):
		d.wrong(place{1, 1}, "the file begins with a byte order mark; save it as UTF-8 without one")
	case dashes.Match(d.data):
		at := dashes.FindIndex(d.data)[0]
		d.wrong(place{1 + bytes.Count(d.data[:at], []byte("\n")), 1}, "more than 20 lists in a line; is it the configuration?")
	default:
		d.characters()
	}
	return len(d.problems) == before
}

// characters refuses the first character that cannot be in it.
func (d *document) characters() {
	at, brackets := place{1, 1}, 0
	for rest := d.data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		switch {
		case r == utf8.RuneError && size == 1:
			d.wrong(at, "a byte that is not UTF-8; save the file as UTF-8")
			return
		case unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r):
			d.wrong(at, "the control character %U; remove it", r)
			return
		case r == '[' || r == '{':
			brackets++
		}
		if brackets > maxBrackets {
			d.wrong(at, "more than %d brackets; is it the configuration?", maxBrackets)
			return
		}
		at.column++
		if r == '\n' {
			at = place{at.line + 1, 1}
		}
	}
}

// line returns a line of the file, "" where there is none.
func (d *document) line(number int) string {
	lines := bytes.Split(d.data, []byte("\n"))
	if number < 1 || number > len(lines) {
		return ""
	}
	return strings.TrimSuffix(string(lines[number-1]), "\r")
}
