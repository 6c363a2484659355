package names

import (
	"slices"
	"strings"
)

// WorkersOwn is set by the worker, from the user that the login is bound to.
const WorkersOwn = "TELEPORT_LOGIN"

// AlwaysAdmitted returns the variables of the PAM environment that every service
// takes from its agent.
func AlwaysAdmitted() []string { return []string{"TELEPORT_USERNAME", "TELEPORT_ROLES"} }

// Admits reports whether an agent may put a variable into the PAM environment, where
// the policy's service has these patterns. What is on the never-list it may not,
// whatever they are.
func Admits(patterns []string, name string) bool {
	if !IsVariable(name) || Never.Entry(name) != nil {
		return false
	}
	return slices.Contains(AlwaysAdmitted(), name) || MatchesAny(patterns, name)
}

// IsVariable says whether a variable of the PAM environment can be called that:
// [A-Z_][A-Z0-9_]*. It bounds no length.
func IsVariable(name string) bool { return is(name, capitals+"_", capitals+digits+"_") }

// IsClientVariable is IsVariable for those that a client chooses for the user's
// processes: [A-Za-z_][A-Za-z0-9_]*.
func IsClientVariable(name string) bool { return is(name, letters+"_", letters+digits+"_") }

// Matches reports whether a name, or a prefix with a * behind it, means a name.
func Matches(pattern, name string) bool {
	prefix, isPrefix := strings.CutSuffix(pattern, "*")
	return pattern == name || isPrefix && strings.HasPrefix(name, prefix)
}

// MatchesAny reports whether one of the patterns means a name.
func MatchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return Matches(pattern, name) })
}

// overlap reports whether there is a name that both patterns mean.
func overlap(a, b string) bool {
	prefixA, openA := strings.CutSuffix(a, "*")
	prefixB, openB := strings.CutSuffix(b, "*")
	switch {
	case openA && openB:
		return strings.HasPrefix(prefixA, prefixB) || strings.HasPrefix(prefixB, prefixA)
	case openA:
		return Matches(a, b)
	}
	return Matches(b, a)
}
