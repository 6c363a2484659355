package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// options are what a person asks for.
type options struct {
	json    bool
	service string
	pid     int
}

// Command is "pamhelper watch".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "watch [--service NAME] [--pid PID] [--json]",
		Short: "Show the calls of PAM modules in all programs as they happen",
		Long: `Show every call of a PAM module by any program of the machine as it ends, until
Ctrl-C, as root: when it began, the process, the service and the user, the module,
its function, what it returned and how long it took. Nothing of the programs or of
the configuration is changed, and programs that run already are seen too.

The kernel stops at the entry and at the return of each module for that, and reads
the name of the service and of the user there. Passwords, and all else, are not read.
Somebody who types a password where a user name is asked for has made it a name.

What it does not see: modules outside of the module directory, and other copies of
them, such as those in a container. Which line of which file it was, and what came of
the code, is for "pamhelper try --trace" and "pamhelper show".

While a module is replaced (an upgrade), a call can be missed; that is told, and so are
events that were lost. A module that is written over in place, as cp(1) does and
packages do not, is no good thing to do while it is watched: a process that loads it
in that moment can crash.

What it puts into the kernel is removed when it ends. If it is killed with KILL that
stays, at some 10 to 20 microseconds for each call, until the next watch removes it.

Exit status: 0 it was ended by a signal, 2 usage, or it cannot watch here.`,
		Example: `  pamhelper watch --service sshd
  pamhelper watch --pid 812           # that process, and those it starts from now on
  pamhelper watch --json | jq 'select(.number != 0)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Geteuid() != 0 {
				return errors.New("only root can watch other people's programs: run it as root")
			}
			if o.pid < 0 || cmd.Flags().Changed("pid") && o.pid == 0 {
				return fmt.Errorf("--pid %d is no process", o.pid)
			}
			return run(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object per line")
	cmd.Flags().StringVar(&o.service, "service", "", "only calls for the service `NAME`")
	cmd.Flags().IntVar(&o.pid, "pid", 0, "only the process `PID`, and those it starts from now on")
	return cmd
}

// roundEvery is how often the trace is read. Calls are shown up to two rounds late.
const roundEvery = 100 * time.Millisecond

// run watches until a signal comes or nobody reads the output. However it ends, it
// removes what it has put into the kernel.
func run(ctx context.Context, o options, out, log io.Writer) (err error) {
	// A signal that ended the process would leave the probes behind; for a closed
	// pipe that is SIGPIPE.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	w, err := newWatcher(o.pid, log)
	if err != nil {
		return err
	}
	defer func() {
		if failed := w.remove(); failed != nil {
			err = errors.Join(err, fmt.Errorf("remove the probes (the next watch tries again): %w", failed))
		}
	}()
	if o.pid != 0 && !w.threads.choosable() {
		return errors.New("--pid is not possible in a PID namespace: the kernel tells its own numbers")
	}
	show, err := displayFor(o, out)
	if err != nil {
		return withoutPipe(err)
	}
	fmt.Fprintf(log, "watch: %d modules of %s are watched; Ctrl-C ends it\n", len(w.modules), w.library.ModuleDir)
	return withoutPipe(w.follow(ctx, o, show))
}

// follow shows calls until the context ends.
func (w *watcher) follow(ctx context.Context, o options, show display) error {
	ticker := time.NewTicker(roundEvery)
	defer ticker.Stop()
	for last := false; !last; {
		select {
		case <-ctx.Done():
			last = true
		case <-ticker.C:
		}
		calls, err := w.round(last)
		if err != nil {
			return err
		}
		for _, c := range calls {
			if o.service != "" && !strings.EqualFold(c.service, o.service) {
				continue
			}
			if err := show.show(c, time.Now().Add(c.began-time.Duration(now()))); err != nil {
				return err
			}
		}
		w.look(true)
	}
	return nil
}

func displayFor(o options, out io.Writer) (display, error) {
	if o.json {
		return jsonLines{out}, nil
	}
	p := plain{out}
	return p, p.head()
}

// withoutPipe: that nobody reads any more, as behind head(1), is no error.
func withoutPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}
