// The command "pamhelper worker".

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/try"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/worker"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

// workerFlags are what its starter says.
type workerFlags struct {
	options   worker.Options
	agentUID  uint32
	closing   string // the record of a login to close
	debugging bool
	debug     worker.Debug
	flags     []string
}

func workerCommand() *cobra.Command {
	var w workerFlags
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Serve one login on descriptor 3 (started by an agent or systemd, not by a person)",
		Long: `Serve one login over the stream socket on descriptor 3, then exit.

The broker, a socket unit of systemd with Accept=yes, or an agent that is root
starts a worker for each login. Without --debug the worker serves what the policy
allows (--policy, /etc/pamhelper/policy.textproto, or the built-in one), in the
order of its phase table. It starts the user's processes, and ends them with the
login. What it has to undo stands in /run/pamhelper, for "pamhelper sweep".

Its log, standard error, names for each step that did not succeed the line of the
service's files that decided. With --trace it has what every module returned and
did, for every step.

Exit status: 0 the login ended in order or the agent left, 2 usage, 3 the worker
ended the login (refused by the policy, wrong use of the protocol, a deadline,
SIGTERM), 4 the helper or a module failed. A module that crashes ends the worker by
a signal.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if w.closing != "" {
				return served(worker.Close(w.closing))
			}
			if err := w.check(cmd.Flags().Changed); err != nil {
				return err
			}
			return served(worker.Main(w.options))
		},
	}
	cmd.Flags().StringVar(&w.options.Policy, "policy", "", "what agents may ask for: a `FILE`, or fd:4 (default "+policy.Location+", or the built-in policy)")
	cmd.Flags().Uint32Var(&w.agentUID, "agent-uid", 0, "the agent's `UID`, who never logs in (default: who connected to the socket)")
	cmd.Flags().BoolVar(&w.options.Trace, "trace", false, "write into the log what each module returned, did and led to")
	cmd.Flags().BoolVar(&w.options.Untraced, "untraced", false, "do not find out which line decided (to measure what that costs)")
	cmd.Flags().MarkHidden("untraced")
	cmd.Flags().BoolVar(&w.options.Spare, "spare", false, "wait for the login's socket on descriptor 3 (a broker does it: pamhelper broker --spare)")
	cmd.Flags().BoolVar(&w.options.Preload, "preload", false, "with --spare: load what a login needs while waiting")
	cmd.Flags().MarkHidden("spare")
	cmd.Flags().MarkHidden("preload")
	cmd.Flags().StringVar(&w.closing, "close", "", "close the login of a dead worker, by its `record` (sweep does it)")
	cmd.Flags().MarkHidden("close")
	cmd.Flags().BoolVar(&w.debugging, "debug", false, "any order of steps and no policy: for the caller's own stack")
	cmd.Flags().StringVar(&w.debug.ConfDir, "confdir", "", "with --debug: read service files from `DIR`")
	cmd.Flags().StringVar(&w.debug.Tty, "tty", "", "with --debug: PAM_TTY")
	cmd.Flags().StringSliceVar(&w.flags, "flags", nil, "with --debug: PAM flags of every step: "+libpam.FlagNames())
	return cmd
}

// check holds the flags of an agent's worker and of one that debugs apart, and
// completes the options.
func (w *workerFlags) check(given func(name string) bool) error {
	if w.debugging {
		return w.checkDebugging(given)
	}
	for _, name := range []string{"confdir", "tty", "flags"} {
		if given(name) {
			return fmt.Errorf("--%s needs --debug", name)
		}
	}
	if err := w.checkSpare(); err != nil {
		return err
	}
	if given("agent-uid") {
		w.options.AgentUID = &w.agentUID
	}
	if file := w.options.Policy; file != "" && file != worker.PolicyOnDescriptor && !filepath.IsAbs(file) {
		return fmt.Errorf("--policy %q is relative, and a worker works in /", file)
	}
	return nil
}

// checkSpare holds the hidden flags of a spare to what its broker says.
func (w *workerFlags) checkSpare() error {
	switch {
	case w.options.Preload && !w.options.Spare:
		return errors.New("--preload needs --spare")
	case w.options.Spare && w.options.Policy != worker.PolicyOnDescriptor:
		return errors.New("--spare is for a worker that a broker keeps waiting: run pamhelper broker --spare N")
	}
	return nil
}

func (w *workerFlags) checkDebugging(given func(name string) bool) error {
	w.options.Debug = &w.debug
	for _, name := range []string{"policy", "agent-uid", "spare", "preload"} {
		if given(name) {
			return fmt.Errorf("--%s has no meaning with --debug: no policy is read", name)
		}
	}
	if given("flags") {
		parsed, err := libpam.ParseFlags(strings.Join(w.flags, ","))
		if err != nil {
			return err
		}
		w.debug.Flags = &parsed
	}
	if w.debug.ConfDir != "" && !filepath.IsAbs(w.debug.ConfDir) {
		return fmt.Errorf("--confdir %q is relative, and a worker works in /", w.debug.ConfDir)
	}
	return nil
}

// served turns how a login ended into the exit status. What happened has been
// logged and told to the agent.
func served(err error) error {
	if err == nil || errors.Is(err, worker.ErrNoSocket) {
		return err
	}
	return try.ExitError{Status: worker.ExitStatus(err)}
}
