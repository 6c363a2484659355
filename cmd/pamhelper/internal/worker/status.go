package worker

import (
	"errors"

	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// The exit statuses of a worker. A service manager can tell by them whether there
// is something for the administrator to look at.
const (
	// ExitUsage: what it was started with is nothing that it can serve.
	ExitUsage = 2
	// ExitEnded: the worker ended the login, and the reason is the agent's or the
	// policy's: what it asked for, how it spoke, or that it was too slow.
	ExitEnded = 3
	// ExitBroken: the helper or a module did not work, one that called exit(3)
	// included. A module that crashes ends the worker by its signal.
	ExitBroken = libpam.ExitStatus
)

// ExitStatus is the one for how Main or Close ended.
func ExitStatus(err error) int {
	var f *fault
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrNoSocket):
		return ExitUsage
	case errors.As(err, &f) && f.kind != pb.Fault_INTERNAL && f.kind != pb.Fault_HANG:
		return ExitEnded
	}
	return ExitBroken
}
