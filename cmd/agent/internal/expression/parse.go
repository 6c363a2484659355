package expression

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// maxText is the longest text that is parsed, in bytes, maxDepth the deepest
// nesting of calls.
const (
	maxText  = 4 << 10
	maxDepth = 8
)

// Error says what is wrong with a text, and where.
type Error struct {
	Offset int // in bytes, from the start of the text
	Text   string
}

func (e *Error) Error() string { return e.Text }

// Parse reads a value: a text without {{ and }}, or a text with one expression
// between them.
//
//	expression = "external." name | "external[" string "]" | string
//	           | "email.local(" expression ")"
//	           | "regexp.replace(" expression "," string "," string ")"
//
// A string is one of Go, in double quotes or backquotes; patterns are those of
// RE2, and $1 in the last string stands for the first group. White space around
// the whole is dropped where there is an expression. The error is an *Error.
func Parse(text string) (*Expression, error) {
	if len(text) > maxText {
		return nil, &Error{maxText, fmt.Sprintf("the value has %d bytes; at most %d", len(text), maxText)}
	}
	open := strings.Index(text, "{{")
	if open < 0 {
		return literalOnly(text)
	}
	if i := strings.IndexAny(text[:open], "{}"); i >= 0 {
		return nil, &Error{i, "a brace outside of {{ and }}; only one expression is taken, and no other brace with it"}
	}
	p := parser{text: text, at: open + len("{{")}
	root, err := p.whole()
	if err != nil {
		return nil, err
	}
	e := &Expression{
		prefix: strings.TrimLeftFunc(text[:open], unicode.IsSpace),
		suffix: strings.TrimRightFunc(text[p.at:], unicode.IsSpace),
		node:   root,
	}
	if i := strings.IndexAny(e.suffix, "{}"); i >= 0 {
		return nil, &Error{p.at + i, "a brace behind }}; only one expression is taken, and no other brace with it"}
	}
	return e, e.constant(open)
}

func literalOnly(text string) (*Expression, error) {
	if i := strings.Index(text, "}}"); i >= 0 {
		return nil, &Error{i, "}} without {{ before it"}
	}
	if _, err := usable(text); err != nil {
		return nil, &Error{0, err.Error()}
	}
	return &Expression{prefix: text}, nil
}

// constant finds out now what is the same for every login.
func (e *Expression) constant(offset int) error {
	_, err := usable(e.prefix + e.suffix)
	if err == nil && len(e.Claims()) == 0 {
		_, err = e.Evaluate(nil)
	}
	if err != nil {
		return &Error{offset, err.Error()}
	}
	return nil
}

// parser reads text from at on, by recursive descent.
type parser struct {
	text  string
	at    int
	depth int
}

// whole reads an expression and the }} behind it.
func (p *parser) whole() (node, error) {
	root, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.space()
	if err := p.expect("}}"); err != nil {
		return nil, err
	}
	return root, nil
}

func (p *parser) expression() (node, error) {
	p.space()
	if c := p.peek(); c == '"' || c == '`' {
		text, err := p.string()
		return literal(text), err
	}
	start := p.at
	space := p.name()
	if space == "" {
		return nil, p.wrong("expected an expression, such as external.email")
	}
	if p.peek() == '[' {
		return p.index(space, start)
	}
	if p.peek() != '.' {
		return nil, p.wrong("expected . behind %s, as in external.email", space)
	}
	p.at++
	name := p.name()
	if name == "" {
		return nil, p.wrong("expected a name behind %s.", space)
	}
	p.space()
	if p.peek() == '(' {
		return p.call(space+"."+name, start)
	}
	if c := p.peek(); c != '}' && c != ',' && c != ')' && known(space) && p.at < len(p.text) {
		return nil, p.wrong(`unexpected %s; a name with other characters than letters, digits and _ is written external["name"]`, p.next())
	}
	return p.claim(space, name, start)
}

// known says whether there are such names, whoever may use them.
func known(space string) bool { return space == "external" || space == "internal" }

// index reads ["name"].
func (p *parser) index(space string, start int) (node, error) {
	p.at++
	p.space()
	if c := p.peek(); c != '"' && c != '`' {
		return nil, p.wrong(`expected a name in double quotes or backquotes, found %s; write %s["NAME"]`, p.next(), space)
	}
	name, err := p.string()
	if err != nil {
		return nil, err
	}
	p.space()
	if err := p.expect("]"); err != nil {
		return nil, err
	}
	return p.claim(space, name, start)
}

func (p *parser) claim(space, name string, start int) (node, error) {
	switch {
	case space == "internal":
		return nil, &Error{start, fmt.Sprintf("internal.%s: variables for PAM are made of external claims only, as in Teleport", name)}
	case space != "external":
		return nil, &Error{start, fmt.Sprintf("%s.%s is not known; claims are external.NAME", space, name)}
	case name == "":
		return nil, &Error{start, "a claim with an empty name"}
	}
	return claim(name), nil
}

func (p *parser) call(function string, start int) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, &Error{start, fmt.Sprintf("calls are nested more than %d deep", maxDepth)}
	}
	defer func() { p.depth-- }()
	p.at++ // (
	switch function {
	case "email.local":
		of, err := p.expression()
		if err != nil {
			return nil, err
		}
		return emailLocal{of}, p.close(function, 1)
	case "regexp.replace":
		return p.replace(function)
	case "regexp.match", "regexp.not_match":
		return nil, &Error{start, function + " answers yes or no, which is no value for a variable; regexp.replace drops what does not match"}
	}
	return nil, &Error{start, fmt.Sprintf("there is no function %s; there are email.local and regexp.replace", function)}
}

func (p *parser) replace(function string) (node, error) {
	of, err := p.expression()
	if err != nil {
		return nil, err
	}
	at, pattern, err := p.argument(function)
	if err != nil {
		return nil, err
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, &Error{at, fmt.Sprintf("the pattern of %s: %s", function, patternError(err))}
	}
	_, by, err := p.argument(function)
	if err != nil {
		return nil, err
	}
	return regexpReplace{of, compiled, by}, p.close(function, 3)
}

// argument reads a comma and a string, and where that began.
func (p *parser) argument(function string) (at int, text string, err error) {
	p.space()
	if p.peek() != ',' {
		return 0, "", p.wrong(`expected a comma: %s(external.NAME, "PATTERN", "REPLACEMENT")`, function)
	}
	p.at++
	p.space()
	at = p.at
	text, err = p.string()
	return at, text, err
}

func (p *parser) close(function string, arguments int) error {
	p.space()
	if p.peek() == ',' {
		return p.wrong("%s takes no more than %d", function, arguments)
	}
	return p.expect(")")
}

// patternError is regexp's own text, without its prefix.
func patternError(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}
