// Package policytool is "pamhelper policy": for the administrator who writes a
// policy. It reads files and asks for users; it changes nothing, and no worker uses
// it.
package policytool

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
)

// ErrRefused: no agent would be served by this policy, or by a service of it. Why
// has been printed.
var ErrRefused = errors.New("the policy is refused")

// Command is "pamhelper policy".
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check and show what agents may ask for",
		Long: `The policy is what the administrator lets agents ask for: which PAM services, for
which users, what may be started, how many at once. It stands in
` + policy.Location + `, in protobuf's text format; see pamhelper-policy(5).
Without that file a built-in policy holds, with the one service sshd.

A small policy, where two services are served and all else has its default:

  service { name: "sshd" users { allow_group: "staff" } }
  service { name: "webterm" tty: "web" commands { shell: true } }

To begin, take the policy in effect and change it:

  pamhelper policy show >policy.textproto
  pamhelper policy check --draft policy.textproto
  install -D -m 644 policy.textproto ` + policy.Location + `.new
  mv ` + policy.Location + `.new ` + policy.Location + `

Only mv puts it there at once: with install or an editor, a login that starts in
between finds no file and goes by the built-in policy, or finds half of one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(checkCommand(), showCommand())
	return cmd
}

func checkCommand() *cobra.Command {
	var c checker
	cmd := &cobra.Command{
		Use:   "check [flags] [FILE]",
		Short: "Say what is wrong with a policy",
		Long: `Read a policy as a worker does, ` + policy.Location + ` where no
FILE is named, and say what is wrong with it. A file with an error is not used at
all: who can write it or a directory on the way to it besides root, a field that is
not known, a value that makes no sense. All problems of the contents are told at
once, up to a hundred, each with its line and column.

Where the file is good its services are looked at on this machine: a service whose
PAM stack proves nothing is an error, since no login would be served. What is
possible but should be meant is a warning: root logins, proof by the agent alone,
auth lines that verify nothing, users and groups that do not exist, a service
without a file.

Exit status: 0 the policy is good, with warnings or not, 1 it is refused, 2 usage.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.draft && len(args) == 0 {
				return errors.New("--draft needs the FILE")
			}
			return c.run(cmd.OutOrStdout(), nameOf(args))
		},
	}
	cmd.Flags().BoolVar(&c.draft, "draft", false, "do not look at who owns the FILE and its directories, and who may write there")
	cmd.Flags().BoolVar(&c.json, "json", false, "print one JSON object per problem")
	return cmd
}

func showCommand() *cobra.Command {
	var draft bool
	cmd := &cobra.Command{
		Use:   "show [flags] [FILE]",
		Short: "Print a policy with all that it leaves out",
		Long: `Print the policy in effect, or that in FILE, with every field, what it does, and
its value, marked as the default where it is that. The output is a policy itself: in
a file of its own it means the same.

Exit status: 0 it has been printed, 1 the policy is refused, 2 usage.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if draft && len(args) == 0 {
				return errors.New("--draft needs the FILE")
			}
			return show(cmd.OutOrStdout(), cmd.ErrOrStderr(), nameOf(args), draft)
		},
	}
	cmd.Flags().BoolVar(&draft, "draft", false, "do not look at who owns the FILE and its directories, and who may write there")
	return cmd
}

// nameOf is the file that is named, "" for none.
func nameOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func open(name string, draft bool) (*policy.File, error) {
	if draft {
		return policy.OpenDraft(name)
	}
	return policy.Open(name)
}

func show(out, errors io.Writer, name string, draft bool) error {
	file, err := open(name, draft)
	if err != nil {
		for _, p := range problems(err) {
			fmt.Fprintf(errors, "pamhelper: %s\n", stackview.OneLine(p.Error()))
		}
		return ErrRefused
	}
	origin := fmt.Sprintf("The policy of %s, with what it leaves out filled in.", stackview.OneLine(file.Name))
	if file.BuiltIn {
		origin = fmt.Sprintf("The built-in policy: there is no file %s.", policy.Location)
	}
	_, err = fmt.Fprintf(out, `# %s
# A field that is marked as default can be left out.
# "none" and "left out" stand for fields that have no value.

%s`, origin, policy.Text(file.Policy))
	return err
}
