package auth

import (
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
)

// ServerConfig returns the ways in of this login.
func (l *Login) ServerConfig() *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		MaxAuthTries:            MaxTries,
		ServerVersion:           "SSH-2.0-pamhelper",
		PreAuthConnCallback:     func(before ssh.ServerPreAuthConn) { l.before = before },
		AuthLogCallback:         l.refused,
		PublicKeyAuthAlgorithms: signatures(),
	}
	for _, key := range l.settings.HostKeys {
		c.AddHostKey(key)
	}
	if len(l.settings.Authorities) > 0 || l.settings.AuthorizedKeys != nil {
		c.PublicKeyCallback = l.queried
		c.VerifiedPublicKeyCallback = l.verified
	}
	if l.settings.PasswordService != "" {
		c.PasswordCallback = l.password
		c.KeyboardInteractiveCallback = l.keyboardInteractive
	}
	return c
}

// refused counts what was refused, and logs what was without having begun: a key
// that is not the user's, a certificate for another address, a method that is not
// there. The question for the methods that there are is no attempt, and a first
// factor no failed one.
func (l *Login) refused(conn ssh.ConnMetadata, method string, err error) {
	var partial *ssh.PartialSuccessError
	if err == nil || errors.Is(err, ssh.ErrNoAuth) || errors.As(err, &partial) {
		return
	}
	l.failures++
	if errors.Is(err, errDenied) {
		return // logged where it failed
	}
	values := []any{"method", journal.Text(method), "user", journal.Text(conn.User()), "why", journal.Text(err.Error())}
	key := l.refusedKey(method, err)
	if key != nil {
		values = append(values, named(key)...)
	}
	tell := l.journal.Info
	if _, certificate := key.(*ssh.Certificate); certificate {
		tell = l.journal.Warn // a client offers all its keys; such a one is meant for here
	}
	tell("not taken", values...)
}

// refusedKey is nil where it was no key. What the library refuses by itself, an address
// that a certificate is not for, is behind the question for that key.
func (l *Login) refusedKey(method string, err error) ssh.PublicKey {
	var refused *keyError
	switch {
	case errors.As(err, &refused):
		return refused.key
	case method == "publickey":
		return l.offered
	}
	return nil
}

// queried says whether a key could be used. The client has not shown yet that it
// has it, so nothing is begun.
func (l *Login) queried(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	l.offered = key
	found, err := l.find(conn, key)
	if err != nil {
		return nil, &keyError{key, err}
	}
	return &ssh.Permissions{CriticalOptions: found.permits.options()}, nil
}

// keyError is why a key is not taken.
type keyError struct {
	key ssh.PublicKey
	error
}

func (e *keyError) Unwrap() error { return e.error }

// named are a key's values for the log, as ssh-keygen shows them: of a certificate
// those of the key that it is for. They stand beside the reason and not in it: a
// long id would leave no room.
func named(key ssh.PublicKey) []any {
	certificate, ok := key.(*ssh.Certificate)
	if !ok {
		return []any{"key", ssh.FingerprintSHA256(key)}
	}
	return []any{"key", ssh.FingerprintSHA256(certificate.Key), "identity", journal.Text(certificate.KeyId),
		"serial", certificate.Serial, "authority", ssh.FingerprintSHA256(certificate.SignatureKey)}
}

// verified begins the login of a client that has the key.
func (l *Login) verified(conn ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	found, err := l.find(conn, key)
	if err != nil {
		l.failed(conn.User(), "publickey", err)
		return nil, errDenied
	}
	l.fresh()
	l.factor = found
	if l.settings.PAM.UsePAMAuth {
		return nil, l.partly(conn.User(), "publickey", secondFactor)
	}
	return l.attempt(conn.User(), "publickey")
}

// find returns what a key proves of the user whom the client names.
func (l *Login) find(conn ssh.ConnMetadata, key ssh.PublicKey) (factor, error) {
	if !userName.MatchString(conn.User()) {
		return factor{}, errNoName
	}
	if certificate, ok := key.(*ssh.Certificate); ok {
		return l.ofCertificate(conn, certificate)
	}
	return l.ofKey(conn.User(), key)
}

func (l *Login) password(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	defer clear(password)
	l.fresh()
	l.talk.password = password
	return l.attempt(conn.User(), "password")
}

func (l *Login) keyboardInteractive(conn ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	l.fresh()
	l.talk.challenge = challenge
	return l.attempt(conn.User(), "keyboard-interactive")
}

// joined are roles as scripts read them.
func joined(roles []string) string { return strings.Join(roles, " ") }
