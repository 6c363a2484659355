// Pamhelper is the root side of PAM logins.
//
// "pamhelper broker" is started by the administrator, as root. It starts an agent
// as a user without privileges, and a worker for each login that the agent asks
// for. It refuses an agent that would be root.
//
// "pamhelper worker" is started by a broker, by a socket unit of systemd, or by an
// agent that is root, one process for each login, with the agent's socket on
// descriptor 3. It refuses to run without
// that socket, and serves only what its policy allows.
//
// "pamhelper sweep" closes what workers that died left open, and "pamhelper
// sessions" lists what is open. Both refuse anybody but root.
//
// "pamhelper try" is for a person, root or not: it runs a stack step by step
// and shows what happens. It starts a worker of its own with the looser
// debugging table; no agent can reach that one. "pamhelper show", "pamhelper
// check" and "pamhelper predict" are for a person too: they only read files, and
// run no module. "pamhelper policy" checks and shows what agents may ask for, and
// reads files only. "pamhelper watch" shows what modules do in other programs, and
// refuses anybody but root.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/broker"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/check"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policytool"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/predict"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/show"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/sweep"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/try"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/watch"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/worker"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

// PAM's modules keep state that belongs to a thread (loginuid, keyrings,
// namespaces): every libpam call is made on the main one.
func init() { runtime.LockOSThread() }

func main() {
	err := root().Execute()
	if err == nil {
		return
	}
	if errors.Is(err, check.ErrFound) || errors.Is(err, policytool.ErrRefused) {
		os.Exit(1)
	}
	var agent broker.ExitError
	if errors.As(err, &agent) {
		os.Exit(agent.Status)
	}
	var failed try.ExitError
	if errors.As(err, &failed) {
		os.Exit(failed.Status)
	}
	if errors.Is(err, predict.ErrNotSuccess) {
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "pamhelper: %v\n", err)
	if errors.Is(err, sweep.ErrNotClosed) || errors.Is(err, broker.ErrAddress) {
		os.Exit(1)
	}
	os.Exit(try.ExitUsage)
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pamhelper",
		Short: "Log people in through PAM, apart from the program that talks to the network",
		Long: `pamhelper performs PAM transactions for a program that has no privileges and
does not link libpam. "pamhelper broker" starts such a program, an agent, which
gets one worker process per login and speaks a documented protocol with it.
"pamhelper policy" checks and shows what the administrator lets agents ask for.
"pamhelper sessions" lists the logins that are open, and "pamhelper sweep" closes
those whose worker has died.

For a person, "pamhelper try" runs a PAM stack by hand and shows what each step
returned; "pamhelper show" and "pamhelper predict" say what is in a stack and what
it would do, without running it, and "pamhelper check" what is wrong with it.
"pamhelper watch" shows the calls of modules in all programs as they happen.`,
		Version:           version(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	cmd.AddCommand(broker.Command(), broker.StageCommand(), workerCommand(), try.Command(), show.Command(), check.Command(),
		predict.Command(), policytool.Command(), watch.Command(), sweep.Command(), sweep.SessionsCommand())
	return cmd
}

// version is the one that the go command stamped.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

func workerCommand() *cobra.Command {
	var debugging bool
	var policyFile string
	var agentUID uint32
	var closing string
	var tracing, untraced bool
	var debug worker.Debug
	var flags []string
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
			if closing != "" {
				return served(worker.Close(closing))
			}
			if !debugging {
				for _, name := range []string{"confdir", "tty", "flags"} {
					if cmd.Flags().Changed(name) {
						return fmt.Errorf("--%s needs --debug", name)
					}
				}
				options := worker.Options{Policy: policyFile, Trace: tracing, Untraced: untraced}
				if cmd.Flags().Changed("agent-uid") {
					options.AgentUID = &agentUID
				}
				if policyFile != "" && policyFile != worker.PolicyOnDescriptor && !filepath.IsAbs(policyFile) {
					return fmt.Errorf("--policy %q is relative, and a worker works in /", policyFile)
				}
				return served(worker.Main(options))
			}
			for _, name := range []string{"policy", "agent-uid"} {
				if cmd.Flags().Changed(name) {
					return fmt.Errorf("--%s has no meaning with --debug: no policy is read", name)
				}
			}
			if cmd.Flags().Changed("flags") {
				parsed, err := libpam.ParseFlags(strings.Join(flags, ","))
				if err != nil {
					return err
				}
				debug.Flags = &parsed
			}
			if debug.ConfDir != "" && !filepath.IsAbs(debug.ConfDir) {
				return fmt.Errorf("--confdir %q is relative, and a worker works in /", debug.ConfDir)
			}
			return served(worker.Main(worker.Options{Debug: &debug, Trace: tracing, Untraced: untraced}))
		},
	}
	cmd.Flags().StringVar(&policyFile, "policy", "", "what agents may ask for: a `FILE`, or fd:4 (default "+policy.Location+", or the built-in policy)")
	cmd.Flags().Uint32Var(&agentUID, "agent-uid", 0, "the agent's `UID`, who never logs in (default: who connected to the socket)")
	cmd.Flags().BoolVar(&tracing, "trace", false, "write into the log what each module returned, did and led to")
	cmd.Flags().BoolVar(&untraced, "untraced", false, "do not find out which line decided (to measure what that costs)")
	cmd.Flags().MarkHidden("untraced")
	cmd.Flags().StringVar(&closing, "close", "", "close the login of a dead worker, by its `record` (sweep does it)")
	cmd.Flags().MarkHidden("close")
	cmd.Flags().BoolVar(&debugging, "debug", false, "any order of steps and no policy: for the caller's own stack")
	cmd.Flags().StringVar(&debug.ConfDir, "confdir", "", "with --debug: read service files from `DIR`")
	cmd.Flags().StringVar(&debug.Tty, "tty", "", "with --debug: PAM_TTY")
	cmd.Flags().StringSliceVar(&flags, "flags", nil, "with --debug: PAM flags of every step: "+libpam.FlagNames())
	return cmd
}

// served turns how a login ended into the exit status. What happened has been
// logged and told to the agent.
func served(err error) error {
	if err == nil || errors.Is(err, worker.ErrNoSocket) {
		return err
	}
	return try.ExitError{Status: worker.ExitStatus(err)}
}
