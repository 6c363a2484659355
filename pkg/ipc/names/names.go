// Package names has what both sides know by its name alone: which variables and users
// the protocol can speak of, and what no policy can admit. With it an agent tells at
// its start what its helper would refuse with every login.
//
// It is not the policy: what one helper serves stands in a file that only root need
// be able to read.
package names

import "regexp"

// Max is the most bytes that a name of a service, a user, a group or a variable can
// have in a policy.
const Max = 256

var user = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@-]*\$?$`)

// IsUser says whether a user can be called that for a login to be served. It bounds
// no length.
func IsUser(name string) bool { return user.MatchString(name) }
