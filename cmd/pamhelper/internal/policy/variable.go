// Which variables an agent or a client may set.

package policy

import (
	"regexp"
	"slices"
	"strings"

	pb "github.com/pamhelper/pamhelper/proto"
)

// alwaysAdmitted are variables of the PAM environment that every service takes.
var alwaysAdmitted = []string{"TELEPORT_USERNAME", "TELEPORT_ROLES"}

var (
	variableName       = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	clientVariableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// AdmitsVariable reports whether the agent may put a variable into the PAM
// environment. What is on the never-list it may not, whatever the service says.
func AdmitsVariable(s *pb.Service, name string) bool {
	if !variableName.MatchString(name) || never.entry(name) != nil {
		return false
	}
	return slices.Contains(alwaysAdmitted, name) || matchesAny(s.GetVariable(), name)
}

// AdmitsClientVariable reports whether the client may choose a variable of the
// user's processes.
func AdmitsClientVariable(s *pb.Service, name string) bool {
	if !clientVariableName.MatchString(name) || neverOfClients.entry(name) != nil {
		return false
	}
	return matchesAny(s.GetClientVariables().GetName(), name)
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, name) })
}

// matches reports whether a name, or a prefix with a * behind it, means a name.
func matches(pattern, name string) bool {
	prefix, isPrefix := strings.CutSuffix(pattern, "*")
	return pattern == name || isPrefix && strings.HasPrefix(name, prefix)
}

// overlap reports whether there is a name that both patterns mean.
func overlap(a, b string) bool {
	prefixA, openA := strings.CutSuffix(a, "*")
	prefixB, openB := strings.CutSuffix(b, "*")
	switch {
	case openA && openB:
		return strings.HasPrefix(prefixA, prefixB) || strings.HasPrefix(prefixB, prefixA)
	case openA:
		return matches(a, b)
	}
	return matches(b, a)
}
