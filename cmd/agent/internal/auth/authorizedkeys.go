package auth

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// ofKey finds a key among those of a user.
func (l *Login) ofKey(user string, key ssh.PublicKey) (factor, error) {
	if l.settings.AuthorizedKeys == nil {
		return factor{}, errors.New("plain keys are not taken")
	}
	rest, err := l.settings.AuthorizedKeys(user)
	if err != nil {
		return factor{}, err
	}
	wire := key.Marshal()
	for len(rest) > 0 {
		var listed ssh.PublicKey
		var options []string
		listed, _, options, rest, err = ssh.ParseAuthorizedKey(rest)
		if err != nil {
			break // no key is left
		}
		if !bytes.Equal(listed.Marshal(), wire) {
			continue
		}
		permits, err := permitsOfOptions(options)
		if err != nil {
			return factor{}, fmt.Errorf("the key is listed, but not taken: %w", err)
		}
		return factor{key: key, permits: permits}, nil
	}
	return factor{}, errors.New("the key is not among those of the user")
}

// permitsOfOptions reads the options of a line (sshd(8), AUTHORIZED_KEYS FILE
// FORMAT). A line with one that is not known here is not taken: it restricts
// something.
func permitsOfOptions(options []string) (Permits, error) {
	p := everything()
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		value = unquoted(value)
		switch strings.ToLower(name) {
		case "restrict", "no-pty":
			p.Terminal = false
		case "pty":
			p.Terminal = true
		case "command":
			p.Command, p.Forced = value, true
		case "from":
			p.SourceAddress, p.Restricted = value, true
		case "no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding", "no-user-rc",
			"port-forwarding", "agent-forwarding", "x11-forwarding", "user-rc": // none is there
		default:
			return Permits{}, fmt.Errorf("the option %s is not known here", strconv.Quote(name))
		}
	}
	return p, nil
}

// unquoted takes the quotes off a value; only a quote is escaped in it.
func unquoted(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	return strings.ReplaceAll(value[1:len(value)-1], `\"`, `"`)
}
