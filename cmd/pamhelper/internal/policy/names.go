package policy

import (
	"regexp"
	"strings"
	"unicode"
)

// maxName is the most bytes that a name of a service, a user, a group or a variable
// can have.
const maxName = 256

// userName is what a user can be called for a login to be served.
var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@-]*\$?$`)

// users checks names of users.
func (v *validator) users(path string, names []string) {
	for i, name := range names {
		if !userName.MatchString(name) || len(name) > maxName {
			v.add(element(path, i), "%s is not the name of a user: it is A-Z a-z 0-9 _ . @ -, beginning with a letter or _, "+
				"with one $ at the end or none, of at most %d bytes", quote(name), maxName)
		}
	}
	v.unique(path, names)
}

// groups checks names of groups. Those of directories have spaces and more in them.
func (v *validator) groups(path string, names []string) {
	odd := func(r rune) bool { return strings.ContainsRune(":,", r) || !unicode.IsPrint(r) }
	for i, name := range names {
		if name == "" || len(name) > maxName || name != strings.TrimSpace(name) || strings.IndexFunc(name, odd) >= 0 {
			v.add(element(path, i), "%s is not the name of a group: it is of characters that can be printed, not : or , "+
				"nor a space at its beginning or end, and of 1 to %d bytes", quote(name), maxName)
		}
	}
	v.unique(path, names)
}
