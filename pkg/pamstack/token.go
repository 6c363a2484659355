package pamstack

import "strings"

// separators stand between tokens; a carriage return does not.
const separators = " \n\t"

// tokens cuts a logical line into its tokens.
type tokens struct{ rest string }

// next returns the next token, and whether there was one: a token can be empty.
func (t *tokens) next() (token string, ok bool) {
	rest := strings.TrimLeft(t.rest, separators)
	if rest == "" {
		t.rest = ""
		return "", false
	}
	if rest[0] == '[' {
		return t.bracketed(rest[1:]), true
	}
	end := strings.IndexAny(rest, separators)
	if end < 0 {
		t.rest = ""
		return rest, true
	}
	t.rest = rest[end+1:]
	return rest[:end], true
}

// bracketed returns what stands before the first ] that has no backslash, or
// all of it where there is none. The backslash of \] is dropped, others stay.
func (t *tokens) bracketed(inside string) string {
	var token []byte
	for i := 0; i < len(inside); i++ {
		if inside[i] == ']' {
			t.rest = inside[i+1:]
			return string(token)
		}
		if strings.HasPrefix(inside[i:], `\]`) {
			i++
		}
		token = append(token, inside[i])
	}
	t.rest = ""
	return string(token)
}

// all returns the tokens that are left: a module's arguments.
func (t *tokens) all() (list []string) {
	for token, ok := t.next(); ok; token, ok = t.next() {
		list = append(list, token)
	}
	return list
}

// lower lowers ASCII letters only and keeps all other bytes, as libpam's
// comparisons without case do.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
