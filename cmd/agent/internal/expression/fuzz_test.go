package expression

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

// Any text is parsed or refused inside of it; a value is one that a variable can
// hold, whatever the claim is.
func FuzzExpression(f *testing.F) {
	for _, text := range []string{
		"", "a", "{{", "}}", "{{external.a}}", `p {{ external["a"] }} s`, "{{ email.local(external.a) }}",
		`{{ regexp.replace(external.a, "^(.*)$", "$1-${1}") }}`, "{{ regexp.replace(`a`, `(`, ``) }}", `{{ "\x00" }}`,
	} {
		f.Add(text, "alice@example.com")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		e, err := Parse(text)
		var wrong *Error
		if err != nil {
			if !errors.As(err, &wrong) || wrong.Offset < 0 || wrong.Offset > len(text) || wrong.Text == "" {
				t.Fatalf("got %#v, want an offset in the text, and why", err)
			}
			return
		}
		claims := map[string][]string{}
		for _, name := range e.Claims() {
			claims[name] = []string{value, "b@example.com"}
		}
		got, err := e.Evaluate(claims)
		var missing *MissingError
		if errors.As(err, &missing) {
			t.Fatalf("got %v with the claims %v", err, claims)
		}
		if len(got) > MaxValue || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("got %q", got)
		}
		if _, err := e.Evaluate(nil); len(claims) > 0 != errors.As(err, &missing) {
			t.Fatalf("got %v without claims, and it has %v", err, claims)
		}
	})
}
