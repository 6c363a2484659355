package auth

import (
	"errors"

	"golang.org/x/crypto/ssh"
)

// ofKey finds a key among those of a user.
func (l *Login) ofKey(user string, key ssh.PublicKey) (factor, error) {
	if l.settings.AuthorizedKeys == nil {
		return factor{}, errors.New("plain keys are not taken")
	}
	keys, err := l.settings.AuthorizedKeys(user)
	if err != nil {
		return factor{}, err
	}
	if !contains(keys, key) {
		return factor{}, errors.New("the key is not among those of the user")
	}
	return factor{key: key, permits: everything()}, nil
}
