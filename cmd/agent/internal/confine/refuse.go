package confine

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ErrRoot is why an agent that serves does not start as root.
var ErrRoot = errors.New("a serving agent has no use for root: let `pamhelper broker --user NAME` start it, or start it as a user of its own")

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
