package policy

import (
	"strings"
	"unicode"

	"github.com/pamhelper/pamhelper/pkg/ipc/names"
)

// users checks names of users.
func (v *validator) users(path string, list []string) {
	for i, name := range list {
		if !names.IsUser(name) || len(name) > names.Max {
			v.add(element(path, i), "%s is not the name of a user: it is A-Z a-z 0-9 _ . @ -, beginning with a letter or _, "+
				"with one $ at the end or none, of at most %d bytes", quote(name), names.Max)
		}
	}
	v.unique(path, list)
}

// groups checks names of groups. Those of directories have spaces and more in them.
func (v *validator) groups(path string, list []string) {
	odd := func(r rune) bool { return strings.ContainsRune(":,", r) || !unicode.IsPrint(r) }
	for i, name := range list {
		if name == "" || len(name) > names.Max || name != strings.TrimSpace(name) || strings.IndexFunc(name, odd) >= 0 {
			v.add(element(path, i), "%s is not the name of a group: it is of characters that can be printed, not : or , "+
				"nor a space at its beginning or end, and of 1 to %d bytes", quote(name), names.Max)
		}
	}
	v.unique(path, list)
}
