package auth

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// helperError is a helper that cannot be had.
type helperError struct{ error }

func (e *helperError) Unwrap() error { return e.error }

// tryLater is told where the helper is the reason. It is the same for every user.
const tryLater = "Logging in is not possible at the moment. Try again later.\n"

// partly goes on with questions, behind what has been proved.
func (l *Login) partly(user, method string, more *questions) error {
	l.talk.challenge, l.talk.password = nil, nil
	l.partial = true
	l.journal.Info("login goes on with questions", "method", method, "user", journal.Text(user), "about", more.about)
	if more.told != "" {
		l.banner(more.told)
	}
	return &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{KeyboardInteractiveCallback: l.keyboardInteractive}}
}

// failed ends an attempt. Its line is what fail2ban looks for: agent(1) has it.
func (l *Login) failed(user, method string, err error) {
	l.retire()
	values := []any{"method", method, "user", journal.Text(user), "why", journal.Text(err.Error())}
	values = append(values, StepOf(err)...)
	if isHelpers(err) {
		l.journal.Error("login not possible", values...)
		l.banner(tryLater)
		return
	}
	l.journal.Warn("login failed", values...)
}

// StepOf are the names and values of the step that PAM refused, for the log.
func StepOf(err error) (values []any) {
	var refused *ipc.PAMError
	if !errors.As(err, &refused) {
		return nil
	}
	values = []any{"step", refused.Step.String(), "code", refused.Code.String()}
	if refused.Decision != nil {
		values = append(values, "line", refused.Decision.String())
	}
	return values
}

// isHelpers tells failures of the helper from those of who logs in. What its policy
// refuses is none: a user can be what it is about.
func isHelpers(err error) bool {
	var helper *helperError
	var crash *ipc.CrashError
	var hang *ipc.HangError
	var busy *ipc.BusyError
	return errors.As(err, &helper) || errors.As(err, &crash) || errors.As(err, &hang) || errors.As(err, &busy) ||
		errors.Is(err, ipc.ErrHelperDied) || errors.Is(err, ipc.ErrInternal) || errors.Is(err, ipc.ErrStopped)
}

// Failures is how many attempts have failed. Each has its line in the log.
func (l *Login) Failures() int { return l.failures }

func (l *Login) succeeded(user, method string) {
	values := []any{"method", method, "user", journal.Text(user)}
	switch {
	case l.factor.certificate != nil:
		values = append(values, named(l.factor.certificate)...)
	case l.factor.key != nil:
		values = append(values, named(l.factor.key)...)
	}
	l.journal.Info("login accepted", values...)
}

// variables are for PAM modules: who the certificate says somebody is, and what
// the configuration makes of its claims.
func (l *Login) variables() (variables []ipc.Variable, err error) {
	if l.factor.certificate != nil {
		variables = append(variables, ipc.Variable{Name: "TELEPORT_USERNAME", Value: l.factor.who.Name},
			ipc.Variable{Name: "TELEPORT_ROLES", Value: joined(l.factor.who.Roles)})
	}
	values, missing, err := l.settings.PAM.Values(l.factor.who.Claims)
	if err != nil {
		return nil, fmt.Errorf("the configuration's environment: %w", err)
	}
	for _, absent := range missing {
		l.journal.Warn("a variable is left out", "why", absent.Error())
	}
	for _, v := range values {
		variables = append(variables, ipc.Variable{Name: v.Name, Value: v.Value})
	}
	return variables, fit(variables)
}

// maxVariableBytes is what the helper takes for one login, names and values together
// (PROTOCOL.md).
const maxVariableBytes = 64 << 10

// fit refuses here what the helper would: it is the claims of one user that are too
// long, and nothing that trying again later helps with.
func fit(variables []ipc.Variable) error {
	size := 0
	for _, v := range variables {
		size += len(v.Name) + len(v.Value)
	}
	if size > maxVariableBytes {
		return fmt.Errorf("the roles and the configuration's environment have %d bytes together; the helper takes %d", size, maxVariableBytes)
	}
	return nil
}
