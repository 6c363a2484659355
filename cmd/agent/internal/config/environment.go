package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/expression"
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

// AuthorizedKeysOf returns the file with the public keys of a user, "" where
// there is none for anybody. A user's name must be one that the helper takes: it
// holds no "/" and does not begin with a dot.
func (s SSHService) AuthorizedKeysOf(user string) string {
	return strings.ReplaceAll(s.AuthorizedKeys, userMark, user)
}

// userMark stands for the user's name in authorized_keys.
const userMark = "%u"
