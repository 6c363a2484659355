package confine

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrRoot is why an agent that serves does not start as root.
var ErrRoot = errors.New("a serving agent has no use for root: let `pamhelper broker --user NAME` start it, or start it as a user of its own")

// ErrExec is why a serving agent does not take the launcher exec:.
var ErrExec = errors.New("a serving agent is confined and cannot start programs; use broker: or unix:PATH")

// RefuseRoot returns ErrRoot if one of the process's user ids is 0.
func RefuseRoot() error {
	if hasRoot(unix.Getresuid()) {
		return ErrRoot
	}
	return nil
}

func hasRoot(real, effective, saved int) bool {
	return real == 0 || effective == 0 || saved == 0
}

// RefuseExec returns ErrExec for the address of a helper that the agent would
// have to start itself, such as exec:/usr/local/sbin/pamhelper.
func RefuseExec(helper string) error {
	if strings.HasPrefix(helper, "exec:") {
		return ErrExec
	}
	return nil
}
