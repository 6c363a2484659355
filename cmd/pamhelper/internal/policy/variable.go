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

var (
	variablePattern       = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*(_\*)?$`)
	clientVariablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)
)

// leastLetters is how many a prefix has to have: a short one means names that
// nobody thought of.
const leastLetters = 4

func (v *validator) variables(path string, patterns []string) {
	for i, pattern := range patterns {
		prefix, open := strings.CutSuffix(pattern, "*")
		switch {
		case !variablePattern.MatchString(pattern) || len(pattern) > maxName:
			v.add(element(path, i), `%s is no variable: it is A-Z 0-9 _, not beginning with a digit, or a prefix such as "SITE_*", of at most %d bytes`,
				quote(pattern), maxName)
		case never.entry(pattern) != nil:
			v.never(element(path, i), pattern, never.entry(pattern))
		case open && letters(prefix) < leastLetters:
			v.add(element(path, i), "%s has less than %d letters before the _*; name the variables one by one", quote(pattern), leastLetters)
		}
	}
	v.unique(path, patterns)
}

func letters(text string) (n int) {
	for _, r := range text {
		if 'A' <= r && r <= 'Z' {
			n++
		}
	}
	return n
}

// never refuses a pattern that means a name on a never-list.
func (v *validator) never(path, pattern string, e *entry) {
	if e.name == pattern || matches(e.name, strings.TrimSuffix(pattern, "*")) {
		v.add(path, "%s is never admitted: %s", pattern, e.why)
		return
	}
	v.add(path, "%s means %s too, which is never admitted: %s; name the variables one by one", pattern, e.name, e.why)
}

// workersOwn is what the worker itself puts into the PAM environment.
const workersOwn = "TELEPORT_LOGIN"

func (v *validator) moduleGetenv(path string, s *pb.Service) {
	names := s.GetModuleGetenv()
	for i, name := range names {
		if e := never.entry(name); e != nil && name != workersOwn && variableName.MatchString(name) {
			v.never(element(path, i), name, e)
			continue
		}
		if name != workersOwn && !AdmitsVariable(s, name) {
			v.add(element(path, i), "%s is a name that variable does not admit; add it there, or use one of %s", quote(name),
				strings.Join(append(slices.Clone(alwaysAdmitted), workersOwn), ", "))
		}
	}
	v.unique(path, names)
}

func (v *validator) clientVariables(path string, patterns []string) {
	for i, pattern := range patterns {
		if !clientVariablePattern.MatchString(pattern) || len(pattern) > maxName {
			v.add(element(path, i), `%s is no variable: it is A-Z a-z 0-9 _, not beginning with a digit, with a * behind it or not, of at most %d bytes`,
				quote(pattern), maxName)
			continue
		}
		if e := neverOfClients.entry(pattern); e != nil {
			v.never(element(path, i), pattern, e)
		}
	}
	v.unique(path, patterns)
}
