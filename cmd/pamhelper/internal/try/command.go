// Package try is the tool of a person who debugs a PAM stack: it runs steps
// through a worker of its own and shows messages, results and environment.
package try

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

// Exit statuses of pamhelper.
const (
	ExitRefused = 1 // PAM refused a step
	ExitUsage   = 2 // usage or configuration
	ExitHelper  = 3 // the helper failed: crash, hang, protocol
)

// ExitError is an outcome that has been shown; only the status is left.
type ExitError struct{ Status int }

func (e ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

// options are the command line's.
type options struct {
	confdir, rhost, ruser, tty string
	env, flags                 []string
	answers                    string
	json, trace                bool
	timeout                    time.Duration
}

// Command returns "pamhelper try".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "try [flags] SERVICE [USER] [STEP…]",
		Short: "Run a PAM stack by hand and show what each step returns",
		Long: `Run the steps of a login through the PAM service SERVICE and show messages,
prompts, results and the PAM environment.

Steps are authenticate, account, password, credentials and session, in any
order; without any: authenticate account. The first step that does not succeed
ends the run, but password may follow an account that asks for it. session opens
a session, and closes it at the end. A USER named like a step is written with
"--user". Without a USER, PAM asks for the name.

With --trace each step is followed by the turns of its modules: the line, what the
module returned, what libpam made of it, how long it took without the prompts,
what it said, logged and set. Hidden answers and the values of variables are not
shown there; messages and the environment are shown outside of it, as they are.

The worker has the caller's privileges: as root a stack behaves as at a real
login, as somebody else as far as its modules work. As at a login through the
helper, accounts with an empty password are not let in (--flags none lifts it).

Exit status: 0 all steps succeeded, 1 PAM refused, 2 usage or configuration,
3 the helper failed (a module crashed or hung).`,
		Example: `  pamhelper try login alice
  pamhelper try sshd alice authenticate account credentials session
  pamhelper try --trace sshd alice
  pamhelper try --confdir ./pam.d --answers answers.txt --json mystack alice`,
		Args: cobra.MinimumNArgs(1),
	}
	user := cmd.Flags().String("user", "", "the user, where the name is also a step's")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := newPlan(args, *user, o)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		return p.run(ctx, os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	f := cmd.Flags()
	f.StringVar(&o.confdir, "confdir", "", "read service files from `DIR` instead of the system's")
	f.StringVar(&o.rhost, "rhost", "", "PAM_RHOST, the remote `host`")
	f.StringVar(&o.ruser, "ruser", "", "PAM_RUSER, the remote `user`")
	f.StringVar(&o.tty, "tty", "", "PAM_TTY, the `terminal` modules see")
	f.StringArrayVar(&o.env, "env", nil, "put `K=V` into the PAM environment (repeatable)")
	f.StringSliceVar(&o.flags, "flags", nil, "PAM `flags` instead of a login's: "+libpam.FlagNames())
	f.StringVar(&o.answers, "answers", "", "answer prompts from `FILE`, one line each; - is standard input")
	f.BoolVar(&o.json, "json", false, "print one JSON object per line")
	f.BoolVar(&o.trace, "trace", false, "show what each module returned, did and led to")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this `time`, such as 30s, and say which module hangs")
	return cmd
}

// closeTimeout is how long a module may keep the login from ending.
const closeTimeout = 5 * time.Second

// plan is what a command line asks for.
type plan struct {
	options
	login ipc.Login
	steps []ipc.Step
}

var stepsNamed = map[string]ipc.Step{
	"authenticate": ipc.Authenticate,
	"account":      ipc.Account,
	"password":     ipc.ChangePassword,
	"credentials":  ipc.Credentials,
	"session":      ipc.OpenSession,
}

func newPlan(args []string, user string, o options) (*plan, error) {
	p := &plan{options: o, login: ipc.Login{Service: args[0], User: user, Rhost: o.rhost, Ruser: o.ruser}}
	if p.login.Service == "" || strings.ContainsRune(p.login.Service, '/') {
		return nil, fmt.Errorf("%q is not a service's name: it is the name of a file in /etc/pam.d; for another directory use --confdir", p.login.Service)
	}
	rest := args[1:]
	if len(rest) > 0 && user == "" && stepsNamed[rest[0]] == 0 {
		p.login.User, rest = rest[0], rest[1:]
	}
	for _, word := range rest {
		step, ok := stepsNamed[word]
		if !ok {
			return nil, fmt.Errorf("unknown step %q; steps are authenticate, account, password, credentials, session", word)
		}
		if step == ipc.OpenSession && slices.Contains(p.steps, step) {
			return nil, errors.New("session is one step of a run: it is opened once and closed at the end")
		}
		p.steps = append(p.steps, step)
	}
	if len(p.steps) == 0 {
		p.steps = []ipc.Step{ipc.Authenticate, ipc.Account}
	}
	for _, assignment := range o.env {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--env %q is not K=V", assignment)
		}
		p.login.Variables = append(p.login.Variables, ipc.Variable{Name: name, Value: value})
	}
	if o.timeout < 0 {
		return nil, fmt.Errorf("--timeout %s is negative", o.timeout)
	}
	if _, err := libpam.ParseFlags(strings.Join(o.flags, ",")); len(o.flags) > 0 && err != nil {
		return nil, err
	}
	if o.confdir == "" {
		return p, nil
	}
	info, err := os.Stat(o.confdir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", o.confdir)
	}
	p.confdir, err = filepath.Abs(o.confdir) // the worker has another working directory
	return p, err
}

func (p *plan) workerArgs() []string {
	args := []string{"--debug"}
	for _, option := range []struct{ name, value string }{
		{"--confdir", p.confdir}, {"--tty", p.tty}, {"--flags", strings.Join(p.flags, ",")},
	} {
		if option.value != "" {
			args = append(args, option.name+"="+option.value)
		}
	}
	return args
}

// ownProgram is this program, also where its file was replaced meanwhile.
const ownProgram = "/proc/self/exe"

// run takes the steps and shows them.
func (p *plan) run(ctx context.Context, stdin *os.File, stdout, stderr io.Writer) error {
	out := &shownTo{Writer: stdout}
	var show display = &plain{out: out}
	if p.json {
		show = newJSON(out)
	}
	answers, err := newAnswers(p.answers, stdin)
	if err != nil {
		return err
	}
	defer answers.Close()
	if p.trace && slices.Contains(p.steps, ipc.OpenSession) {
		fmt.Fprintln(stderr, "pamhelper: this opens and closes a real session: its modules act on this machine as at a login")
	}
	client, err := ipc.Dial(ctx, ipc.Exec{Path: ownProgram, Args: p.workerArgs(), Log: stderr},
		ipc.Options{
			Conversation: &conversation{show: show, answers: answers},
			// The worker's own deadline, since it can say which module hangs.
			LoginTimeout: p.timeout,
			CloseTimeout: closeTimeout,
			Trace:        p.trace,
		})
	if err != nil {
		show.failed(err)
		return ExitError{ExitHelper}
	}
	defer client.Close()
	err = exitOf(p.drive(ctx, client, show), show)
	if out.err != nil {
		return out.err // a result that nobody could read is none
	}
	return err
}

// drive runs the steps until one does not succeed, and always ends the login.
func (p *plan) drive(ctx context.Context, client *ipc.Client, show display) error {
	result, err := client.Begin(ctx, p.login)
	if err != nil {
		if result.Step == ipc.Begin {
			showResult(show, result)
		}
		return err
	}
	showTraces(show, result)
	first := p.takeSteps(ctx, client, show)
	var refused *ipc.PAMError
	if first != nil && !errors.As(first, &refused) {
		return first // there is no helper left to end the login with
	}
	show.environment(client.Environment())

	// An interrupted run is ended in order too; the worker bounds that.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*closeTimeout)
	defer cancel()
	if slices.Contains(p.steps, ipc.OpenSession) && first == nil {
		result, err := client.CloseSession(ctx)
		first = shown(show, result, err)
	}
	result, err = client.End(ctx)
	showTraces(show, result)
	if first == nil || err != nil && !errors.As(err, &refused) {
		return err // also where the login ended before its end: that is why
	}
	return first
}

func (p *plan) takeSteps(ctx context.Context, client *ipc.Client, show display) error {
	for i, step := range p.steps {
		results, err := client.Do(ctx, step)
		if len(results) > 0 {
			err = shown(show, results[0], err)
		}
		change := i+1 < len(p.steps) && p.steps[i+1] == ipc.ChangePassword
		if err != nil && !(step == ipc.Account && errors.Is(err, ipc.NewAuthtokReqd) && change) {
			return err
		}
	}
	return nil
}

func shown(show display, result ipc.Result, err error) error {
	if result.Step != 0 {
		showResult(show, result)
	}
	return err
}

func showResult(show display, result ipc.Result) {
	show.result(result)
	showTraces(show, result)
}

func showTraces(show display, result ipc.Result) {
	for _, t := range result.Traces {
		show.trace(t)
	}
}

// fault says where to look.
func fault(d *ipc.Decision) string {
	if d == nil {
		return "the log (journalctl, /var/log/auth.log) says which line is at fault"
	}
	return d.String()
}

// errNotRoot is what many wonder about: the stack is in order.
var errNotRoot = errors.New("this was not run as root: pam_unix, for one, then verifies only the caller's own password; run it as root to see a real login")

// exitOf turns how the run ended into the exit status.
func exitOf(err error, show display) error {
	var refused *ipc.PAMError
	var policy *ipc.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		if refused.Step == ipc.Begin {
			show.failed(fmt.Errorf("the service cannot be started: %w; %s", err, fault(refused.Decision)))
			return ExitError{ExitUsage}
		}
		if refused.Cause != nil {
			show.failed(refused.Cause)
		}
		if errors.Is(refused.Cause, errUnusable) {
			return ExitError{ExitUsage}
		}
		if refused.Step == ipc.Authenticate && os.Geteuid() != 0 {
			show.failed(errNotRoot)
		}
		return ExitError{ExitRefused}
	case errors.As(err, &policy):
		show.failed(err)
		return ExitError{ExitUsage}
	}
	show.failed(err)
	return ExitError{ExitHelper}
}
