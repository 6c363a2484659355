package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// login is one login from this terminal.
type login struct {
	helper, service, rhost, user string
	command                      []string // empty: the login shell
	terminal                     bool     // the process gets one
}

func loginCommand() *cobra.Command {
	var l login
	cmd := &cobra.Command{
		Use:   "login [flags] [USER] [-- COMMAND [ARG...]]",
		Short: "Log in through the helper and run a shell or a command as the user",
		Long: `Log USER (default: you) in through the helper and run the login shell, or
COMMAND, as that user. A shell on a terminal gets a terminal of its own; a
COMMAND, or a shell without a terminal, gets pipes.

COMMAND and each ARG reach the command as they are, quoted for the user's shell.
For the shell's own syntax: -- sh -c 'a | b'. LANG and LC_* are passed on.

Prompts and messages go to standard error. Answers are read from standard input
where that is a terminal and there is no COMMAND, else from /dev/tty. Under a
broker there is no /dev/tty: then from standard input or error, where one is a
terminal.

SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed to a process
without a terminal; a second SIGINT or SIGTERM within a second ends the login.
With a terminal the first four end the login: Ctrl-C is a key there.

The helper takes only what its policy allows: without a policy file that is the
service sshd, no root, and a numeric remote address. When the broker is gone, the
login ends within 10 seconds.

Exit status: that of the process; 128+N where signal N ended it, or the login;
255 where the helper died while it ran. Where no process was started: 1 PAM
refused, 2 usage, no terminal to ask on, or not allowed by the helper's policy,
3 the helper failed. A failure behind a process that ended with status 0 is 3.`,
		Example: `  pamhelper broker --user nobody -- agent login alice
  agent login --helper unix:/run/pamhelper.sock alice
  agent login alice -- sh -c 'tar c project | gzip' >project.tar.gz`,
		Args: func(cmd *cobra.Command, args []string) error { return l.parse(args, cmd.ArgsLenAtDash()) },
		RunE: func(*cobra.Command, []string) error { return l.run() },
	}
	cmd.Flags().StringVar(&l.helper, "helper", defaultHelper(),
		"how to reach the `helper`: broker: asks the broker that started this program, unix:PATH connects to systemd's socket, exec:PATH starts it")
	cmd.Flags().StringVar(&l.service, "service", "sshd", "the PAM service")
	cmd.Flags().StringVar(&l.rhost, "rhost", "127.0.0.1", "the numeric `address` of the remote side, PAM_RHOST")
	cmd.Flags().BoolVarP(&l.terminal, "terminal", "t", false, "give COMMAND a terminal too")
	return cmd
}

// maxLine is the longest line for the user's shell, in bytes (ipc.Command).
const maxLine = 131071

// parse takes USER and, behind the dash, COMMAND.
func (l *login) parse(args []string, dash int) error {
	if dash >= 0 {
		args, l.command = args[:dash], args[dash:]
	}
	if length := len(quote(l.command)); length > maxLine {
		return fmt.Errorf("COMMAND and its ARGs have %d bytes when they are quoted; at most %d", length, maxLine)
	}
	if len(args) > 1 {
		return fmt.Errorf("%q behind USER: a COMMAND and its ARGs come behind --", args[1])
	}
	if len(args) == 1 {
		l.user = args[0]
		return nil
	}
	me, err := user.Current()
	if err != nil {
		return fmt.Errorf("who are you? name the user: %w", err)
	}
	if me.Uid == "0" {
		return errors.New("you are root, who does not log in here: name the USER")
	}
	l.user = me.Username
	return nil
}

// run is the whole login. What it leaves open on an error the helper closes.
func (l login) run() error {
	launcher, err := launcherOf(l.helper)
	if err != nil {
		return err
	}
	signals := listen(launcher)
	here := term.IsTerminal(int(os.Stdin.Fd()))
	if l.terminal && !here {
		return errors.New("-t needs a terminal, and standard input is none")
	}
	talk := conversation{}
	if here && len(l.command) == 0 {
		l.terminal, talk.in = true, os.Stdin
	}
	ctx, stop := signals.cancelling()
	client, err := ipc.Dial(ctx, launcher, ipc.Options{Conversation: talk})
	if _, starts := launcher.(ipc.Exec); starts && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; say with --helper exec:PATH where it is", err)
	}
	if err != nil {
		return ofLogin(errors.Join(stop(), err))
	}
	defer func() {
		signal.Reset() // the next one ends the agent at once: the helper closes the login by itself
		client.Close()
	}()
	err = l.open(ctx, client)
	if interrupted := stop(); interrupted != nil || err != nil {
		return ofLogin(errors.Join(interrupted, err))
	}
	err = l.process(context.Background(), client, signals)
	closing := leave(client, signals)
	if errors.Is(err, closing) {
		return err // the helper had gone already
	}
	return errors.Join(err, ofClosing(closing))
}

// open takes the steps to an open session.
func (l login) open(ctx context.Context, client *ipc.Client) error {
	_, err := client.Login(ctx, ipc.Login{Service: l.service, User: l.user, Rhost: l.rhost}, ipc.Authenticate, ipc.Account)
	if errors.Is(err, ipc.NewAuthtokReqd) {
		_, err = client.ChangePassword(ctx)
	}
	if err != nil {
		return err
	}
	_, err = client.Do(ctx, ipc.Credentials, ipc.OpenSession)
	return err
}

// process runs the user's process.
func (l login) process(ctx context.Context, client *ipc.Client, signals signals) error {
	command := ipc.Command{Line: quote(l.command), Variables: locale(os.Environ())}
	if l.terminal {
		return onTerminal(ctx, client, command, signals)
	}
	return overPipes(ctx, client, command, signals)
}

// locale are the caller's variables that go to the user's process.
func locale(environment []string) (variables []ipc.Variable) {
	for _, assignment := range environment {
		name, value, _ := strings.Cut(assignment, "=")
		if name == "LANG" || strings.HasPrefix(name, "LC_") {
			variables = append(variables, ipc.Variable{Name: name, Value: value})
		}
	}
	return variables
}

// leave ends the login behind its process. A signal ends only the waiting for it.
func leave(client *ipc.Client, signals signals) error {
	ctx, stop := signals.leaving()
	_, err := client.Do(ctx, ipc.CloseSession, ipc.End)
	if interrupted := stop(); interrupted != nil {
		return interrupted
	}
	return err
}
