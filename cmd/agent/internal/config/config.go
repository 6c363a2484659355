// Package config reads agent.yaml, the configuration of the SSH service. Its
// sections ssh_service and auth_service have the names and the meaning that they
// have in Teleport's configuration, as far as PAM is concerned.
//
// It is strict: what it does not know or cannot mean anything is refused, with the
// place and with what to write. It opens no file but that one; package preflight
// looks at what the configuration names.
package config

import (
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/expression"
)

// Config is a whole agent.yaml. What the file leaves out has its default.
type Config struct {
	File   string // as it was given to Load
	SSH    SSHService
	Auth   AuthService
	Helper Helper
	Log    Log
}

// SSHService is the section ssh_service.
type SSHService struct {
	Enabled bool
	// ListenAddr is HOST:PORT, HOST numeric or empty for all addresses.
	ListenAddr string
	// HostKeys are files of private keys, at least one.
	HostKeys []string
	// TrustedUserCAKeys are files of public keys, as in authorized_keys, of
	// authorities whose user certificates are taken. None: no certificate is.
	TrustedUserCAKeys []string
	// AuthorizedKeys names the file with the public keys of a user; see
	// AuthorizedKeysOf. Empty: no plain public key is taken.
	AuthorizedKeys string
	// PasswordServiceName is the PAM service of logins without a key, proved by
	// PAM alone. Empty: there are none.
	PasswordServiceName string
	PAM                 PAM

	// LoginTimeout bounds the time from a connection to an open session.
	LoginTimeout time.Duration
	// MaxUnauthenticated is how many connections may be logging in at once.
	MaxUnauthenticated int
	// MaxChannels is how many shells, commands and subsystems may be open at once
	// on one connection.
	MaxChannels int
	// KeepaliveInterval is how long a client may be silent before it is asked for
	// a sign of life; 0: never. After KeepaliveCount unanswered ones it is gone.
	KeepaliveInterval time.Duration
	KeepaliveCount    int
	// DrainTimeout is how long sessions may go on after SIGTERM.
	DrainTimeout time.Duration
}

// PAM is the section ssh_service.pam.
type PAM struct {
	Enabled bool
	// ServiceName is the PAM service of logins with a certificate or a key.
	ServiceName string
	// UsePAMAuth says that a certificate or key is the first factor only, and that
	// PAM authenticates as well. The policy's proof for ServiceName is then PAM,
	// else AGENT.
	UsePAMAuth bool
	// AccountFirst says that account comes before that, as the policy has it for
	// ServiceName too. Only with UsePAMAuth.
	AccountFirst bool
	// Environment are variables for PAM modules, in the order of the file.
	Environment []Variable
}

// Variable is one of ssh_service.pam.environment.
type Variable struct {
	Name  string
	Value *expression.Expression
}

// AuthService is the section auth_service.
type AuthService struct {
	// MessageOfTheDay has to be acknowledged before a login goes on. Empty: there
	// is none.
	MessageOfTheDay string
	// MessageOfTheDayExemptRoles are roles whose owners need not acknowledge it.
	MessageOfTheDayExemptRoles []string
}

// Helper is how workers are reached.
type Helper struct {
	// Socket is the unix socket where systemd starts a worker for each
	// connection. Empty: the broker, which started the agent.
	Socket string
}

// Log is the section log.
type Log struct {
	Level  string // debug, info, warn or error
	Format string // text or json
}
