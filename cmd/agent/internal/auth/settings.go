package auth

import (
	"errors"
	"regexp"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// MaxTries is how many failed attempts a connection has. Keys that the client
// only asks about are let off as many times.
const MaxTries = 3

// Settings are what logins go by. They are not changed once a login has begun.
type Settings struct {
	Launcher ipc.Launcher
	HostKeys []ssh.Signer
	// PAM has the service of logins with a certificate or a key.
	PAM config.PAM
	// PasswordService is the PAM service of logins without one; empty: there are none.
	PasswordService string
	// Authorities may sign user certificates.
	Authorities []ssh.PublicKey
	// AuthorizedKeys returns the keys that let a user in. Nil: no plain key does.
	AuthorizedKeys func(user string) ([]ssh.PublicKey, error)
	Message        config.AuthService
}

// userName is what the helper takes (PROTOCOL.md). Others are nobody's, and a
// part of no file's name.
var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.@-]{0,254}\$?$`)

// Outcomes of an attempt. Only errDenied is one that the library gets to see.
var (
	errDenied = errors.New("permission denied")
	errNoName = errors.New("no user can have this name")
)
