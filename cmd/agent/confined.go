package main

import (
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/confine"
)

// confined gives up what serving does not need. What the configuration names stays
// readable, for SIGHUP and for keys of users.
func confined(conf *config.Config, log *slog.Logger) error {
	dirs, err := confine.DirsOf(slices.Concat([]string{conf.File}, conf.SSH.HostKeys, conf.SSH.TrustedUserCAKeys)...)
	if err != nil {
		return err
	}
	needed := confine.Config{ReadDirs: dirs, Log: log}
	if conf.SSH.AuthorizedKeys != "" {
		needed.ReadDirs = append(needed.ReadDirs, commonDir(conf.SSH))
	}
	if conf.Helper.Socket != "" {
		needed.SocketDirs = []string{filepath.Dir(conf.Helper.Socket)}
	}
	_, err = confine.Confine(needed)
	return err
}

// commonDir is the directory that the files of all users are below.
func commonDir(conf config.SSHService) string {
	// The names of two users that have nothing in common.
	one, other := filepath.Dir(conf.AuthorizedKeysOf("a")), filepath.Dir(conf.AuthorizedKeysOf("b"))
	for one != other {
		one, other = filepath.Dir(one), filepath.Dir(other)
	}
	return one
}
