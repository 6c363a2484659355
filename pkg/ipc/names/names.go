// Package names has what both sides know by its name alone: which variables and users
// the protocol can speak of, and what no policy can admit. With it an agent tells at
// its start what its helper would refuse with every login.
//
// It is not the policy: what one helper serves stands in a file that only root need
// be able to read.
package names

import "strings"

// Max is the most bytes that a name of a service, a user, a group or a variable can
// have in a policy.
const Max = 256

// Patterns are compared by hand: to compile a regular expression would be a part of
// every login, since each is a process of its own.
const (
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	letters  = capitals + "abcdefghijklmnopqrstuvwxyz"
	digits   = "0123456789"
)

// IsUser says whether a user can be called that for a login to be served:
// [A-Za-z_][A-Za-z0-9_.@-]*, and a $ behind it or not. It bounds no length.
func IsUser(name string) bool {
	return is(strings.TrimSuffix(name, "$"), letters+"_", letters+digits+"_.@-")
}

// IsWord says whether there is nothing in a text but letters and digits of ASCII and
// what is in others. An empty one is a word.
func IsWord(text, others string) bool { return consists(text, letters+digits+others) }

// is reports whether a name begins with a byte of the one set and goes on with those
// of the other.
func is(name, first, rest string) bool {
	return name != "" && consists(name[:1], first) && consists(name[1:], rest)
}

func consists(text, set string) bool {
	for i := range len(text) {
		if strings.IndexByte(set, text[i]) < 0 {
			return false
		}
	}
	return true
}
