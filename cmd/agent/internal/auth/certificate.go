package auth

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/identity"
)

// ofCertificate returns what a certificate says of a user. That the client has its
// key is not yet known.
func (l *Login) ofCertificate(conn ssh.ConnMetadata, certificate *ssh.Certificate) (factor, error) {
	checker := ssh.CertChecker{
		SupportedCriticalOptions: []string{forceCommand, sourceAddress},
		IsUserAuthority:          l.isAuthority,
	}
	if _, err := checker.Authenticate(conn, certificate); err != nil {
		return factor{}, err
	}
	if with := certificate.Signature.Format; !slices.Contains(signatures(), with) {
		return factor{}, fmt.Errorf("its authority signed it with %s, which is too weak; sign it with ssh-keygen -t rsa-sha2-512, or by another key", with)
	}
	if command, forced := certificate.CriticalOptions[forceCommand]; forced && command == "" {
		return factor{}, errors.New("its force-command is empty, and an empty command is the login shell")
	}
	who, err := identity.FromCertificate(certificate)
	if err != nil {
		return factor{}, err
	}
	return factor{key: certificate.Key, certificate: certificate, who: who, permits: permitsOf(certificate)}, nil
}

// signatures are those that are taken, of clients and of authorities. The library's
// own default has SHA-1.
func signatures() []string { return ssh.SupportedAlgorithms().PublicKeyAuths }

func (l *Login) isAuthority(key ssh.PublicKey) bool { return contains(l.settings.Authorities, key) }

func contains(keys []ssh.PublicKey, key ssh.PublicKey) bool {
	wire := key.Marshal()
	return slices.ContainsFunc(keys, func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), wire) })
}

func permitsOf(certificate *ssh.Certificate) (p Permits) {
	_, p.Terminal = certificate.Extensions[permitPTY]
	p.Command, p.Forced = certificate.CriticalOptions[forceCommand]
	p.SourceAddress, p.Restricted = certificate.CriticalOptions[sourceAddress]
	return p
}
