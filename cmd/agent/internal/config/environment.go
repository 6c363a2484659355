package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/expression"
	"github.com/pamhelper/pamhelper/pkg/ipc/names"
)

// Value is a variable with its value for one login.
type Value struct {
	Name, Value string
}

// Values returns the variables of ssh_service.pam.environment for a login with
// the given claims. Those about a claim that is not there are left out, and
// missing says which, for a warning. The error says why the login cannot go on.
func (p PAM) Values(claims map[string][]string) (values []Value, missing []error, err error) {
	for _, variable := range p.Environment {
		value, err := variable.Value.Evaluate(claims)
		var absent *expression.MissingError
		if errors.As(err, &absent) {
			missing = append(missing, fmt.Errorf("%s is left out: %w", variable.Name, absent))
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the variable %s: %w", variable.Name, err)
		}
		values = append(values, Value{variable.Name, value})
	}
	return values, missing, nil
}

// maxVariables leaves room for those that the agent itself sets: the helper takes
// 256 in all.
const maxVariables = 250

// maxVariableName is the longest name that the helper takes, in bytes.
const maxVariableName = 128

// ours are set for every login: from the certificate, and by the worker.
var ours = append(names.AlwaysAdmitted(), names.WorkersOwn)

// environment are the variables for modules.
func (s section) environment(key string) (variables []Variable) {
	node, there := s.values[key]
	if !there {
		return nil
	}
	path := s.child(key)
	pairs, _ := s.pairs(path, node)
	if len(pairs) > maxVariables {
		s.refuse(key, "%d variables; at most %d", len(pairs), maxVariables)
		return nil
	}
	for _, pair := range pairs {
		name := pair.Key.GetToken().Value
		if !s.variable(path, pair, name) {
			continue
		}
		if value := s.expression(path+"."+name, pair.Value); value != nil {
			variables = append(variables, Variable{name, value})
		}
	}
	return variables
}

// variable says whether a name can be one of a variable here.
func (s section) variable(path string, pair *ast.MappingValueNode, name string) bool {
	at, upper := placeOf(pair.Key), strings.ToUpper(name)
	never := names.Never.Entry(upper)
	switch {
	case slices.Contains(ours, upper):
		s.wrong(at, "%s: %s is set for every login anyway, from who logs in; remove it", path, upper)
	case len(name) > maxVariableName, !names.IsVariable(upper):
		s.wrong(at, "%s: %s is no name of a variable: A-Z, 0-9 and _, at most %d of them, not beginning with a digit", path, shown(name), maxVariableName)
	case never != nil:
		s.wrong(at, "%s: %s is a name that no policy of a helper can admit: %s; take another one", path, upper, never.Why)
	case name != upper:
		s.wrong(at, "%s: the helper takes variables in upper case only; write %s", path, upper)
	default:
		return true
	}
	return false
}

// expression reads a value. Numbers and truths are taken as they are written.
func (s section) expression(path string, node ast.Node) *expression.Expression {
	value, ok := scalar(node)
	if !ok {
		hint := "write a text"
		if _, nothing := node.(*ast.NullNode); nothing {
			hint = `write "" for an empty one`
		}
		s.wrong(placeOf(node), "%s: %s is not a value; %s", path, kind(node), hint)
		return nil
	}
	parsed, err := expression.Parse(value)
	var wrong *expression.Error
	if errors.As(err, &wrong) {
		s.wrong(s.inside(node, value, wrong.Offset), "%s: %s", path, wrong.Text)
		return nil
	}
	return parsed
}

// inside is the place of an offset in a value, where the value stands in the file
// as it is, in one line; else the place of the value.
func (d *document) inside(node ast.Node, value string, offset int) place {
	at := placeOf(node)
	line := []rune(d.line(at.line))
	if at.column > len(line) || offset > len(value) {
		return at
	}
	for _, quote := range []string{"", `"`, `'`} {
		if strings.HasPrefix(string(line[at.column-1:]), quote+value+quote) {
			return place{at.line, at.column + len(quote) + utf8.RuneCountInString(value[:offset])}
		}
	}
	return at
}

// AuthorizedKeysOf returns the file with the public keys of a user, "" where
// there is none for anybody. A user's name must be one that the helper takes: it
// holds no "/" and does not begin with a dot.
func (s SSHService) AuthorizedKeysOf(user string) string {
	return strings.ReplaceAll(s.AuthorizedKeys, userMark, user)
}

// userMark stands for the user's name in authorized_keys.
const userMark = "%u"
