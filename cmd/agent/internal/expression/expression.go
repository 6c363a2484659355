// Package expression is what stands between {{ and }} in the values of
// ssh_service.pam.environment: Teleport's expressions over the claims of a
// certificate. Claims are lists of values, and so is what an expression makes of
// them; a variable gets them joined by a space.
package expression

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxValue is the longest value that an expression can give, in bytes.
const MaxValue = 16 << 10

// Expression is a parsed value: a literal, or one expression between a prefix and
// a suffix.
type Expression struct {
	prefix, suffix string
	node           node // nil: the value is prefix
}

// MissingError says that the claims lack one that an expression is about.
type MissingError struct {
	Claim string
}

func (e *MissingError) Error() string { return fmt.Sprintf("there is no claim %q", e.Claim) }

// Evaluate returns the value for the claims of one login: each value of the
// expression between prefix and suffix, joined by a space, without those that are
// empty. Where none is left it is empty. The error is a *MissingError where a
// claim is not there at all, or says why there is no value that could be used.
func (e *Expression) Evaluate(claims map[string][]string) (string, error) {
	if e.node == nil {
		return e.prefix, nil
	}
	values, err := e.node.evaluate(claims)
	if err != nil {
		return "", err
	}
	var whole []string
	for _, value := range values {
		if value != "" {
			whole = append(whole, e.prefix+value+e.suffix)
		}
	}
	return usable(strings.Join(whole, " "))
}

// Claims returns the names of the claims that the expression is about.
func (e *Expression) Claims() []string {
	if e.node == nil {
		return nil
	}
	return e.node.claims()
}

// expressions are those that stand alone, and begin as calls do.
const expressions = `external\.\w+|external\[.*\]|(?:email\.local|regexp\.replace)\(.*\)`

// bareClaim is a whole text that would be an expression between {{ and }}; some
// write $ before it, as a shell wants.
var bareClaim = regexp.MustCompile("^\\$?\\{?\\s*(" + expressions + ")\\s*\\}?$")

// BareClaim returns what looks like an expression and stands outside of {{ and
// }}, so that it is a text.
func (e *Expression) BareClaim() (name string, bare bool) {
	found := bareClaim.FindStringSubmatch(e.prefix)
	if e.node != nil || found == nil {
		return "", false
	}
	return found[1], true
}

// usable refuses what a variable cannot hold, and what a script run by root
// should not be made to read: a line that the certificate's owner chose.
func usable(value string) (string, error) {
	if len(value) > MaxValue {
		return "", fmt.Errorf("the value has %d bytes; at most %d", len(value), MaxValue)
	}
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("the value %.64q is not UTF-8", value)
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		return "", fmt.Errorf("the value %.64q holds a control character, such as a newline", value)
	}
	return value, nil
}
