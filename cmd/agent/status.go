package main

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// Exit statuses. Until the user's process has started they are those of
// "pamhelper try"; from then on it is the process's own status.
const (
	exitRefused   = 1   // PAM refused
	exitUsage     = 2   // usage, or not allowed by the helper's policy
	exitHelper    = 3   // the helper failed
	exitNoService = 1   // run: the service could not start or go on
	exitSignal    = 128 // and the number of the signal that ended the process, or the agent
	exitLost      = 255 // the process still ran when the helper died
)

// exitError is an outcome with its exit status.
type exitError struct {
	status int
	err    error // what to tell; nil: nothing
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// statusOf is the exit status of the first thing that went wrong.
func statusOf(err error) int {
	var failed *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.status
	}
	return exitUsage
}

// report tells everything that went wrong, a line each.
func report(to io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			report(to, one)
		}
		return
	}
	if err != nil && err.Error() != "" {
		fmt.Fprintf(to, "agent: %v\n", err)
	}
}

// ofLogin gives an error its exit status where the user's process has not
// started.
func ofLogin(err error) error {
	var interrupted *interruptedError
	var refused *ipc.PAMError
	var policy *ipc.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &interrupted):
		return &exitError{exitSignal + int(interrupted.signal), interrupted}
	case errors.Is(err, errNoTerminal), errors.As(err, &policy):
		return &exitError{exitUsage, err}
	case errors.As(err, &refused):
		return &exitError{exitRefused, withDecision(err, refused)}
	}
	return &exitError{exitHelper, err}
}

// withDecision adds which line decided, where the helper says it.
func withDecision(err error, refused *ipc.PAMError) error {
	if refused.Decision == nil {
		return err
	}
	return fmt.Errorf("%w (%s)", err, refused.Decision)
}

// ofClosing is a failure behind the process. What PAM refuses now is the
// helper's matter.
func ofClosing(err error) error {
	var refused *ipc.PAMError
	if errors.As(err, &refused) {
		return &exitError{exitHelper, withDecision(err, refused)}
	}
	return ofLogin(err)
}

// ofHelper is what became of the helper while the process ran.
func ofHelper(err error) error {
	if errors.Is(err, ipc.ErrHelperDied) {
		err = fmt.Errorf("%w; to close the session: pamhelper sweep", err)
	}
	return &exitError{exitLost, err}
}

// ofProcess is how the user's process ended, nil for status 0.
func ofProcess(exit ipc.Exit) error {
	switch {
	case exit.Signal != 0:
		how := "the process was ended by " + unix.SignalName(exit.Signal)
		if exit.Core {
			how += " and left a core dump"
		}
		return &exitError{exitSignal + int(exit.Signal), errors.New(how)}
	case exit.Status != 0:
		return &exitError{exit.Status, nil}
	}
	return nil
}
