// Package identity reads who somebody is from an OpenSSH user certificate. That
// the certificate is valid, and signed by who may sign it, is not looked at here.
package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// The extensions in which Teleport writes roles and claims (traits).
const (
	rolesExtension  = "teleport-roles"
	traitsExtension = "teleport-traits"
)

// What a certificate may hold. Roles become one variable.
const (
	maxName      = 256
	maxRoles     = 16 << 10 // bytes, joined
	maxExtension = 64 << 10 // bytes
	maxClaims    = 256
)

// Identity is who somebody is.
type Identity struct {
	// Name is the certificate's key id, with Teleport the name of its user:
	// TELEPORT_USERNAME.
	Name string
	// Roles are those of Teleport: TELEPORT_ROLES, joined by a space. None hold a
	// space or a control character.
	Roles []string
	// Claims are what expressions call external.NAME. Their values are UTF-8 and
	// can hold control characters.
	Claims map[string][]string
}

// FromCertificate returns the identity of a user certificate. Roles and claims
// are those that Teleport writes into it, in JSON:
//
//	teleport-roles   {"version":"v1","roles":["developer","access"]}
//	teleport-traits  {"email":["alice@example.com"],"groups":["dev","ops"]}
//
// In a certificate without teleport-traits each extension that has a value is a
// claim, so that ssh-keygen -O extension:email=alice@example.com gives
// external.email. The error says why the certificate is not to be taken.
func FromCertificate(certificate *ssh.Certificate) (Identity, error) {
	id := Identity{Name: certificate.KeyId}
	if err := plain(id.Name, maxName); err != nil {
		return Identity{}, fmt.Errorf("the key id %s", err)
	}
	for name, value := range certificate.Extensions {
		if len(value) > maxExtension {
			return Identity{}, fmt.Errorf("the extension %.64q has %d bytes; at most %d", name, len(value), maxExtension)
		}
	}
	var err error
	if id.Roles, err = roles(certificate.Extensions); err != nil {
		return Identity{}, fmt.Errorf("the extension %s: %w", rolesExtension, err)
	}
	if id.Claims, err = claims(certificate.Extensions); err != nil {
		return Identity{}, err
	}
	return id, nil
}

var errNotUTF8 = errors.New("its value is not UTF-8")

// writtenRoles is teleport-roles.
type writtenRoles struct {
	Version string   `json:"version"`
	Roles   []string `json:"roles"`
}

// roles reads teleport-roles, where it is there.
func roles(extensions map[string]string) ([]string, error) {
	text, found := extensions[rolesExtension]
	if !found {
		return nil, nil
	}
	if !utf8.ValidString(text) {
		return nil, errNotUTF8 // package json would make another role of it
	}
	var written writtenRoles
	if err := json.Unmarshal([]byte(text), &written); err != nil {
		return nil, fmt.Errorf(`not what Teleport writes, {"version":"v1","roles":["ROLE"]}: %w`, err)
	}
	if written.Version != "" && written.Version != "v1" {
		return nil, fmt.Errorf("version %.64q is not known; v1 is", written.Version)
	}
	for _, role := range written.Roles {
		if err := plain(role, maxName); err != nil {
			return nil, fmt.Errorf("the role %s", err)
		}
		// In TELEPORT_ROLES it would read as two roles.
		if strings.ContainsFunc(role, unicode.IsSpace) {
			return nil, fmt.Errorf("the role %.64q holds a space, and TELEPORT_ROLES separates roles by spaces", role)
		}
	}
	if size := len(strings.Join(written.Roles, " ")); size > maxRoles {
		return nil, fmt.Errorf("the roles have %d bytes; at most %d", size, maxRoles)
	}
	return written.Roles, nil
}

// claims reads teleport-traits, or the other extensions where it is not there.
func claims(extensions map[string]string) (map[string][]string, error) {
	text, found := extensions[traitsExtension]
	if !found {
		return extensionClaims(extensions)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the extension %s: %w", traitsExtension, errNotUTF8)
	}
	var traits map[string][]string
	if err := json.Unmarshal([]byte(text), &traits); err != nil {
		return nil, fmt.Errorf(`the extension %s: not what Teleport writes, {"CLAIM":["VALUE"]}: %w`, traitsExtension, err)
	}
	if len(traits) > maxClaims {
		return nil, fmt.Errorf("the extension %s: %d claims; at most %d", traitsExtension, len(traits), maxClaims)
	}
	return traits, nil
}

// extensionClaims are those of a plain certificate. Extensions without a value,
// such as permit-pty, are permissions.
func extensionClaims(extensions map[string]string) (map[string][]string, error) {
	claims := map[string][]string{}
	for name, value := range extensions {
		if value == "" || name == rolesExtension {
			continue
		}
		if !utf8.ValidString(value) {
			return nil, fmt.Errorf("the extension %.64q: %w", name, errNotUTF8)
		}
		claims[name] = []string{value}
	}
	if len(claims) > maxClaims {
		return nil, fmt.Errorf("%d extensions with a value; at most %d", len(claims), maxClaims)
	}
	return claims, nil
}

// plain refuses a name that a script run by root could misread.
func plain(name string, most int) error {
	switch {
	case name == "":
		return fmt.Errorf("is empty")
	case len(name) > most:
		return fmt.Errorf("has %d bytes; at most %d", len(name), most)
	case !utf8.ValidString(name):
		return fmt.Errorf("%.64q is not UTF-8", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%.64q holds a control character, such as a newline", name)
	}
	return nil
}
