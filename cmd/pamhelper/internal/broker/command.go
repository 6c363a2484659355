package broker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// ExitError is the exit status of the agent, which becomes the broker's own. What
// there is to tell has been told.
type ExitError struct{ Status int }

func (e ExitError) Error() string { return fmt.Sprintf("the agent's exit status is %d", e.Status) }

// options are what the administrator says.
type options struct {
	policy      string // empty: where it is looked for
	listen      []string
	user        string
	stopTimeout time.Duration
	spare       int
	preload     bool
	command     []string
}

// Command is "pamhelper broker".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "broker [flags] --user NAME -- COMMAND [ARG...]",
		Short: "Start an agent without privileges, and a worker for each login that it asks for",
		Long: `Start COMMAND, an agent, as the user NAME, without capabilities and with no way
to get privileges, and give it a worker for each login that it asks for on its
control socket. COMMAND is an absolute path, or is looked for in
` + agentPath + `.

COMMAND gets a session of its own without a controlling terminal, the environment
of NAME, and these descriptors: standard input, output and error, the control
socket on descriptor 3, which PAMHELPER_BROKER names, and behind it the sockets of
--listen, as LISTEN_FDS and LISTEN_FDNAMES say. Where standard error is no
terminal, what COMMAND writes there goes into the log, with its process id.

SIGTERM is passed to COMMAND, which then has --stop-timeout to end; a second one
ends it at once. SIGINT, SIGQUIT, SIGWINCH, SIGUSR1 and SIGUSR2 are passed on.
SIGHUP rereads the policy for the logins to come, where it is not valid the one
before stays, and is passed on: "agent run" rereads its configuration.

--spare workers are started in advance: a login that finds one does not wait for
a process to start. Each serves one login and is replaced. With --preload, the
default, they load the modules of the policy's services meanwhile; what is
replaced on disk then is not used any more. They count as no logins.

When COMMAND has ended, the logins that are open are closed. Logins whose worker
died are closed at once, and those of an earlier crash at the start.

Exit status: that of COMMAND, 128+N where signal N ended it; 1 an address
of --listen is taken or not there; 2 usage, a policy that is not valid, or COMMAND
could not be started.`,
		Example: `  pamhelper broker --user agent --listen :22 -- /usr/bin/agent run
  pamhelper broker --user nobody -- agent login alice`,
		Args: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); dash > 0 || dash < 0 && len(args) > 0 {
				return fmt.Errorf("%q in front of --: COMMAND and its ARGs come behind it", args[0])
			}
			if len(args) == 0 {
				return errors.New("name the COMMAND to start behind --")
			}
			o.command = args
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return run(o)
		},
	}
	cmd.Flags().StringVar(&o.policy, "policy", "", "the policy's `file` (default /etc/pamhelper/policy.textproto, and a built-in one where there is none)")
	cmd.Flags().StringArrayVar(&o.listen, "listen", nil, "listen on a numeric `address`:port, or :port, for the agent; can be given more than once")
	cmd.Flags().StringVar(&o.user, "user", "", "the `name` of the user that the agent becomes")
	cmd.Flags().DurationVar(&o.stopTimeout, "stop-timeout", 90*time.Second, "the `time` that the agent may take to end behind SIGTERM")
	cmd.Flags().IntVar(&o.spare, "spare", 1, "keep `N` workers started and waiting, at most "+fmt.Sprint(maxSpare)+"; 0: start each when its login comes")
	cmd.Flags().BoolVar(&o.preload, "preload", true, "let them load the modules of the policy's services while they wait")
	cmd.MarkFlagRequired("user")
	return cmd
}

// maxSpare is the most workers that wait: more only cost memory.
const maxSpare = 64

// check is what can be wrong before anything is begun. Paths are made absolute:
// the broker works in /.
func (o *options) check() error {
	if os.Geteuid() != 0 {
		return errors.New("only root can start workers for an agent without privileges: run it as root")
	}
	if o.stopTimeout <= 0 {
		return fmt.Errorf("--stop-timeout %s: it has to be more than nothing", o.stopTimeout)
	}
	if o.spare < 0 || o.spare > maxSpare {
		return fmt.Errorf("--spare %d: it is a number of waiting processes, from 0 to %d", o.spare, maxSpare)
	}
	if o.policy == "" {
		return nil
	}
	absolute, err := filepath.Abs(o.policy)
	if err != nil {
		return fmt.Errorf("--policy %s: %w", o.policy, err)
	}
	o.policy = absolute
	return nil
}
