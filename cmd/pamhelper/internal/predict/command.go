// Package predict is "pamhelper predict": what a call of an application would
// come to, when modules return given codes. It calls no module.
package predict

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// ErrNotSuccess: the call would not return success. It has been shown.
var ErrNotSuccess = errors.New("the call is predicted to fail")

// options are the command line's.
type options struct {
	source stackview.Source
	json   bool
	fresh  bool
	limit  int
	paint  stackview.Paint
}

// mostPositions bounds what is tried for a list: about a second, and a hundred
// megabytes.
const mostPositions = 100_000

// Command returns "pamhelper predict".
func Command() *cobra.Command {
	o := options{limit: mostPositions}
	cmd := &cobra.Command{
		Use:   "predict [flags] SERVICE FACILITY [MODULE=CODE…]",
		Short: "Say what a PAM stack would do if modules returned these codes",
		Long: `Show the lines that a call takes through the stack of SERVICE, what libpam makes
of each one's code, and which line decides. FACILITY is auth, account, password or
session, or a call: authenticate, setcred, acct_mgmt, chauthtok, open_session or
close_session.

MODULE=CODE says what a module returns: pam_unix=auth_err. FILE:LINE=CODE says it
for one line, CALL:MODULE=CODE for one call (also prelim and update, the passes of
chauthtok); what says more goes before what says less, what is last before what is
first. A CODE is one of libpam's words, in the form auth_err or PAM_AUTH_ERR, or a
number. Modules that are not named return success, but for those that never do:
pam_deny, pam_debug as its arguments say, the authenticate of some, the setcred of
some; they return ignore, or what they always return. No module is run.

Without any MODULE=CODE, list what the call can come to, whatever the modules
return, each with an example. A code in the list stands for all that its line treats
alike; new_authtok_reqd, outside of account, for success.

setcred and close_session are made after authenticate and open_session, whose way
through the stack they take; with --fresh on a handle of their own, as sshd and cron
do it.

Exit status: 0 the call would succeed, or the list has been shown; 1 it would fail;
2 usage, or it cannot be predicted because pam_start fails.`,
		Example: `  pamhelper predict login auth
  pamhelper predict login auth pam_unix=auth_err
  pamhelper predict --fresh sshd setcred
  pamhelper predict sshd password prelim:pam_unix=try_again`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paint = stackview.PaintFor(cmd.OutOrStdout())
			return o.run(cmd.OutOrStdout(), args)
		},
	}
	f := cmd.Flags()
	o.source.AddFlags(f)
	f.BoolVar(&o.json, "json", false, "print one JSON object")
	f.BoolVar(&o.fresh, "fresh", false, "make setcred or close_session on a handle of its own")
	return cmd
}

func (o options) run(out io.Writer, args []string) error {
	call, err := callNamed(args[1])
	if err != nil {
		return err
	}
	before, frozen := callBefore(call)
	if o.fresh && !frozen {
		return fmt.Errorf("--fresh is for setcred and close_session, not for %v", call)
	}
	stack, err := o.source.Load(args[0])
	if err != nil {
		return err
	}
	s := scene{Stack: stack, names: stackview.NamesIn(stack), calls: []pamstack.Call{call}}
	if frozen && !o.fresh {
		s.calls = []pamstack.Call{before, call}
	}
	if text := s.names.StartError(stack); text != "" {
		return errors.New(text)
	}
	if err := s.parsePairs(args[2:]); err != nil {
		return err
	}
	var text strings.Builder
	if len(s.pairs) == 0 {
		err = o.list(&text, s)
	} else {
		err = o.trace(&text, s)
	}
	if _, failed := io.WriteString(out, text.String()); failed != nil {
		return failed
	}
	return err
}

// scene is what is predicted.
type scene struct {
	*pamstack.Stack
	names stackview.Names
	calls []pamstack.Call // on one handle; the last is the one that was asked for
	pairs []pair
}

func (s scene) call() pamstack.Call { return s.calls[len(s.calls)-1] }

func (s scene) chain() []*pamstack.Handler { return s.Chain(s.call().Facility()) }

// callNamed takes facilities too.
func callNamed(name string) (pamstack.Call, error) {
	for call := pamstack.Authenticate; call <= pamstack.CloseSession; call++ {
		_, frozen := callBefore(call)
		if name == call.String() || name == call.Facility().String() && !frozen {
			return call, nil
		}
	}
	return 0, fmt.Errorf("unknown facility %q; it is auth, account, password or session, "+
		"or a call: authenticate, setcred, acct_mgmt, chauthtok, open_session, close_session", name)
}

// callBefore returns the call whose way a call takes.
func callBefore(call pamstack.Call) (before pamstack.Call, frozen bool) {
	switch call {
	case pamstack.Setcred:
		return pamstack.Authenticate, true
	case pamstack.CloseSession:
		return pamstack.OpenSession, true
	}
	return call, false
}
