package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/terminal"
)

// login is one login on this terminal.
type login struct {
	helper, service, rhost, user string
}

func loginCommand() *cobra.Command {
	var l login
	cmd := &cobra.Command{
		Use:   "login [flags] [USER]",
		Short: "Log in on this terminal through the helper and print the PAM environment",
		Long: `Log USER (default: you) in through the helper, with the prompts on this
terminal, open the session, print the PAM environment and close the session.

The helper takes only what its policy allows: without a policy file that is the
service sshd, no root, and a numeric remote address.

Exit status: 0 logged in, 1 PAM refused, 2 usage or not allowed by the helper's
policy, 3 the helper failed.`,
		Example: `  agent login --helper exec:/usr/libexec/pamhelper alice`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				l.user = args[0]
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			return l.run(ctx, os.Stdin, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&l.helper, "helper", "exec:/usr/libexec/pamhelper", "how to reach the helper: exec:`PATH` starts it")
	cmd.Flags().StringVar(&l.service, "service", "sshd", "the PAM service")
	cmd.Flags().StringVar(&l.rhost, "rhost", "127.0.0.1", "the numeric `address` of the remote side, PAM_RHOST")
	return cmd
}

func (l login) run(ctx context.Context, in *os.File, out, log io.Writer) error {
	launcher, err := launcherOf(l.helper, log)
	if err != nil {
		return err
	}
	if l.user == "" {
		me, err := user.Current()
		if err != nil {
			return fmt.Errorf("who are you? name the user: %w", err)
		}
		l.user = me.Username
	}
	client, err := ipc.Dial(ctx, launcher, ipc.Options{Conversation: terminal.Conversation{In: in, Out: out}})
	if err != nil {
		return explain(err)
	}
	defer client.Close()
	return explain(l.drive(ctx, client, out))
}

// drive takes the steps of a login. What it leaves open the helper closes.
func (l login) drive(ctx context.Context, client *ipc.Client, out io.Writer) error {
	_, err := client.Login(ctx, ipc.Login{Service: l.service, User: l.user, Rhost: l.rhost}, ipc.Authenticate, ipc.Account)
	if errors.Is(err, ipc.NewAuthtokReqd) {
		_, err = client.ChangePassword(ctx)
	}
	if err != nil {
		return err
	}
	if _, err := client.Do(ctx, ipc.Credentials, ipc.OpenSession); err != nil {
		return err
	}
	for _, v := range client.Environment() {
		fmt.Fprintf(out, "%s\n", strings.ReplaceAll(ipc.Printable([]byte(v.Name+"="+v.Value)), "\n", `\n`))
	}
	_, err = client.Do(ctx, ipc.CloseSession, ipc.End)
	return err
}

// launcherOf reads the form KIND:PATH.
func launcherOf(helper string, log io.Writer) (ipc.Launcher, error) {
	kind, path, _ := strings.Cut(helper, ":")
	if kind != "exec" || path == "" {
		return nil, fmt.Errorf("--helper %q is not exec:PATH", helper)
	}
	return ipc.Exec{Path: path, Log: log}, nil
}

// explain gives an error its exit status.
func explain(err error) error {
	var refused *ipc.PAMError
	var policy *ipc.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return &exitError{exitRefused, err}
	case errors.As(err, &policy):
		return &exitError{exitUsage, err}
	}
	return &exitError{exitHelper, err}
}
