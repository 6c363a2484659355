package sweep

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// ErrNotClosed: a login could not be closed. What it was has been printed.
var ErrNotClosed = errors.New("not every login could be closed")

// ownProgram is this program, also where its file was replaced or removed.
const ownProgram = "/proc/self/exe"

// Command is "pamhelper sweep".
func Command() *cobra.Command {
	return &cobra.Command{
		Use:   "sweep",
		Short: "Close the logins whose worker was killed or crashed",
		Long: `Close what workers that died left open: the processes of the login are ended,
its session is closed and its credentials are deleted through PAM, its terminals
and login records are put in order. Logins whose worker lives are left alone, so
it can be run at any time, as root.

A login that cannot be closed, because a module crashes or hangs, stays for the
next sweep; after three tries its record is moved to /run/pamhelper/failed.

Each login that was not left alone is a line of output. Exit status: 0 nothing is
left to close here, 1 a login could not be closed, 2 usage or no access.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Geteuid() != 0 {
				return errors.New("only root can close other people's logins: run it as root")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			s := &sweeper{helper: ownProgram, out: cmd.OutOrStdout(), log: cmd.ErrOrStderr()}
			if err := s.all(ctx); err != nil {
				return err
			}
			if s.failed {
				return ErrNotClosed
			}
			return nil
		},
	}
}
