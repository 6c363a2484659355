package expression

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// string reads a string of Go.
func (p *parser) string() (string, error) {
	if c := p.peek(); c != '"' && c != '`' {
		return "", p.wrong(`expected a string in double quotes or backquotes, found %s`, p.next())
	}
	quoted, err := strconv.QuotedPrefix(p.text[p.at:])
	if err != nil {
		return "", p.wrong("a string without its end, or with an escape that is none; a backslash is written \\\\, or the string in backquotes")
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return "", p.wrong("a string that is none: %v", err)
	}
	p.at += len(quoted)
	return text, nil
}

// name reads letters, digits and _, not beginning with a digit.
func (p *parser) name() string {
	start := p.at
	for p.at < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		if r != '_' && !unicode.IsLetter(r) && (p.at == start || !unicode.IsDigit(r)) {
			break
		}
		p.at += size
	}
	return p.text[start:p.at]
}

func (p *parser) space() {
	rest := p.text[p.at:]
	p.at += len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
}

// peek is the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) expect(token string) error {
	if p.at == len(p.text) {
		return p.wrong("the text ends here, and the expression does not: %s is missing", token)
	}
	if !strings.HasPrefix(p.text[p.at:], token) {
		return p.wrong("expected %s, found %s", token, p.next())
	}
	p.at += len(token)
	return nil
}

// next is what comes, for a message.
func (p *parser) next() string {
	if p.at == len(p.text) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return strconv.QuoteRune(r)
}

func (p *parser) wrong(format string, args ...any) *Error {
	return &Error{p.at, fmt.Sprintf(format, args...)}
}
