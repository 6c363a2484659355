package stackview

import (
	"fmt"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Group is codes that a control field treats alike.
type Group struct {
	Action pamstack.Action
	Codes  []pamstack.Code
	// Rest says that these are all that no other group has.
	Rest bool
}

// Groups returns a table as groups: that of success first, the largest one last.
func Groups(table pamstack.Table) []Group {
	var groups []Group
	for code, action := range table {
		groups = grouped(groups, action, pamstack.Code(code))
	}
	largest := 0
	for i := range groups {
		if len(groups[i].Codes) > len(groups[largest].Codes) {
			largest = i
		}
	}
	groups[largest].Rest = true
	rest := groups[largest]
	return append(append(groups[:largest:largest], groups[largest+1:]...), rest)
}

func grouped(groups []Group, action pamstack.Action, code pamstack.Code) []Group {
	for i := range groups {
		if groups[i].Action == action {
			groups[i].Codes = append(groups[i].Codes, code)
			return groups
		}
	}
	return append(groups, Group{Action: action, Codes: []pamstack.Code{code}})
}

// String returns the names of the codes.
func (g Group) String() string {
	switch {
	case len(g.Codes) == len(pamstack.Table{}):
		return "any code"
	case g.Rest:
		return "any other code"
	}
	var names []string
	for _, code := range g.Codes {
		names = append(names, code.String())
	}
	return strings.Join(names, ", ")
}

// Onward says where a jump of a handler goes on.
func (n Names) Onward(s *pamstack.Stack, h *pamstack.Handler, jump pamstack.Action) string {
	next, short := s.Onward(h, jump)
	place := "the end"
	if next != nil {
		place = n.Place(next.Line)
	}
	if short {
		return fmt.Sprintf("too few lines for a jump over %v: perm_denied, on to %s", jump, place)
	}
	return place
}

// Meaning says in words what an action of a handler does.
func (n Names) Meaning(s *pamstack.Stack, h *pamstack.Handler, action pamstack.Action) string {
	what := "the stack"
	if h.Level > 0 {
		what = "the substack"
	}
	switch action {
	case pamstack.ActionIgnore:
		return "changes nothing"
	case pamstack.ActionOK:
		return "counts, unless a line before has failed"
	case pamstack.ActionDone:
		return "counts and ends " + what + ", unless a line before has failed"
	case pamstack.ActionBad:
		return "fails; the lines after it still run"
	case pamstack.ActionDie:
		return "fails and ends " + what
	case pamstack.ActionReset:
		return "forgets what came before in " + what
	case pamstack.ActionUndefined:
		return "is undefined: libpam uses memory that nobody wrote"
	}
	_, short := s.Onward(h, action)
	if short {
		return n.Onward(s, h, action)
	}
	return fmt.Sprintf("skips %v, on to %s", action, n.Onward(s, h, action))
}
