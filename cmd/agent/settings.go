package main

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/auth"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/keyfile"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/node"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/unread"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// settingsOf reads what a configuration names.
func settingsOf(conf *config.Config, launcher ipc.Launcher) (*node.Settings, error) {
	in := &auth.Settings{
		Launcher: launcher, PAM: conf.SSH.PAM, PasswordService: conf.SSH.PasswordServiceName, Message: conf.Auth,
	}
	for _, file := range conf.SSH.HostKeys {
		key, err := keyfile.HostKey(file)
		if err != nil {
			return nil, err
		}
		in.HostKeys = append(in.HostKeys, key)
	}
	for _, file := range conf.SSH.TrustedUserCAKeys {
		keys, err := keyfile.PublicKeys(file)
		if err != nil {
			return nil, err
		}
		in.Authorities = append(in.Authorities, keys...)
	}
	if conf.SSH.AuthorizedKeys != "" {
		in.AuthorizedKeys = func(user string) ([]ssh.PublicKey, error) { return authorizedKeys(conf.SSH.AuthorizedKeysOf(user)) }
	}
	return &node.Settings{
		Auth: in, LoginTimeout: conf.SSH.LoginTimeout, MaxUnauthenticated: conf.SSH.MaxUnauthenticated, MaxChannels: conf.SSH.MaxChannels, MaxUnread: unread.Most,
		KeepaliveInterval: conf.SSH.KeepaliveInterval, KeepaliveCount: conf.SSH.KeepaliveCount, DrainTimeout: conf.SSH.DrainTimeout,
	}, nil
}

// authorizedKeys reads a user's file. That there is none says that the user has no
// keys.
func authorizedKeys(file string) ([]ssh.PublicKey, error) {
	keys, err := keyfile.AuthorizedKeys(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return keys, err
}

// newLog writes a line for each event.
func newLog(to io.Writer, conf config.Log) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(conf.Level)) // Load has looked at it
	options := &slog.HandlerOptions{Level: level}
	if conf.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}
