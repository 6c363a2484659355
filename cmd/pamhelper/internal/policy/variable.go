// Which variables an agent or a client may set.

package policy

import (
	"strings"

	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	pb "github.com/pamhelper/pamhelper/proto"
)

// AdmitsVariable reports whether the agent may put a variable into the PAM
// environment.
func AdmitsVariable(s *pb.Service, name string) bool { return names.Admits(s.GetVariable(), name) }

// AdmitsClientVariable reports whether the client may choose a variable of the
// user's processes.
func AdmitsClientVariable(s *pb.Service, name string) bool {
	if !names.IsClientVariable(name) || names.NeverOfClients.Entry(name) != nil {
		return false
	}
	return names.MatchesAny(s.GetClientVariables().GetName(), name)
}

// leastLetters is how many a prefix has to have: a short one means names that
// nobody thought of.
const leastLetters = 4

func (v *validator) variables(path string, patterns []string) {
	for i, pattern := range patterns {
		prefix, open := strings.CutSuffix(pattern, "*")
		switch {
		case !names.IsVariable(prefix) || open && !strings.HasSuffix(prefix, "_") || len(pattern) > names.Max:
			v.add(element(path, i), `%s is no variable: it is A-Z 0-9 _, not beginning with a digit, or a prefix such as "SITE_*", of at most %d bytes`,
				quote(pattern), names.Max)
		case names.Never.Entry(pattern) != nil:
			v.never(element(path, i), pattern, names.Never.Entry(pattern))
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
func (v *validator) never(path, pattern string, e *names.Entry) {
	if e.Name == pattern || names.Matches(e.Name, strings.TrimSuffix(pattern, "*")) {
		v.add(path, "%s is never admitted: %s", pattern, e.Why)
		return
	}
	v.add(path, "%s means %s too, which is never admitted: %s; name the variables one by one", pattern, e.Name, e.Why)
}

func (v *validator) moduleGetenv(path string, s *pb.Service) {
	list := s.GetModuleGetenv()
	for i, name := range list {
		if e := names.Never.Entry(name); e != nil && name != names.WorkersOwn && names.IsVariable(name) {
			v.never(element(path, i), name, e)
			continue
		}
		if name != names.WorkersOwn && !AdmitsVariable(s, name) {
			v.add(element(path, i), "%s is a name that variable does not admit; add it there, or use one of %s", quote(name),
				strings.Join(append(names.AlwaysAdmitted(), names.WorkersOwn), ", "))
		}
	}
	v.unique(path, list)
}

func (v *validator) clientVariables(path string, patterns []string) {
	for i, pattern := range patterns {
		if !names.IsClientVariable(strings.TrimSuffix(pattern, "*")) || len(pattern) > names.Max {
			v.add(element(path, i), `%s is no variable: it is A-Z a-z 0-9 _, not beginning with a digit, with a * behind it or not, of at most %d bytes`,
				quote(pattern), names.Max)
			continue
		}
		if e := names.NeverOfClients.Entry(pattern); e != nil {
			v.never(element(path, i), pattern, e)
		}
	}
	v.unique(path, patterns)
}
