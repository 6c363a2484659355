package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/preflight"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// exitFound is that of check where something is wrong.
const exitFound = 1

// check is one run of agent check.
type check struct {
	file    string
	confdir string
	policy  string
	json    bool
}

func checkCommand() *cobra.Command {
	var c check
	cmd := &cobra.Command{
		Use:   "check [flags]",
		Short: "Say what is wrong with a configuration, and what the helper's policy needs",
		Long: `Read the configuration of the SSH service and look at what it names: keys, PAM
services and their modules, variables, the helper and its policy. Nothing is
changed, and everything that is wrong is told in one run. Then the policy is printed
that the helper needs for this configuration, ready for
/etc/pamhelper/policy.textproto.

Run it as the agent's user: then it can read what the agent can. Files of PAM that
only root may read are told; run it as root too where there are some. A broker is
asked where it has started this program, as it starts the agent.

Exit status: 0 nothing is wrong, 1 something is, 2 usage or the configuration
cannot be read.`,
		Example: `  agent check --config /etc/pamhelper/agent.yaml
  pamhelper broker --user pamhelper-agent -- agent check`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVar(&c.file, "config", config.DefaultFile, "the configuration `FILE`")
	cmd.Flags().StringVar(&c.confdir, "confdir", "", "read PAM services from `DIR` instead of /etc/pam.d")
	cmd.Flags().StringVar(&c.policy, "policy", preflight.DefaultPolicy, "compare with the policy in `FILE`, the one that the helper reads")
	cmd.Flags().BoolVar(&c.json, "json", false, "print one JSON object")
	return cmd
}

func (c check) run(out io.Writer) error {
	report, err := c.report()
	if err != nil {
		return err
	}
	print := printReport
	if c.json {
		print = func(out io.Writer, report *preflight.Report) error { return json.NewEncoder(out).Encode(report) }
	}
	if err := print(out, report); err != nil {
		return err
	}
	if report.Failed() {
		return &exitError{exitFound, nil}
	}
	return nil
}

// report is that of the configuration, or of what is wrong with its file.
func (c check) report() (*preflight.Report, error) {
	conf, err := config.Load(c.file)
	var problems config.Problems
	if errors.As(err, &problems) {
		return preflight.OfProblems(problems), nil
	}
	if err != nil {
		return nil, err
	}
	return preflight.Run(conf, pamstack.Config{Confdir: c.confdir}, c.policy), nil
}

// printReport prints a line for each item, and the policy.
func printReport(out io.Writer, report *preflight.Report) error {
	count := map[preflight.Level]int{}
	for _, item := range report.Items {
		count[item.Level]++
		line := ipc.Printable([]byte(item.About + ": " + item.Text))
		if _, err := fmt.Fprintf(out, "%-8s %s\n", item.Level, line); err != nil {
			return err
		}
	}
	if report.Policy != "" {
		if _, err := fmt.Fprintf(out, "\n# /etc/pamhelper/policy.textproto, what this configuration needs; look at it with\n# pamhelper policy check:\n%s\n", report.Policy); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%s, %s\n", preflight.Count(count[preflight.Error], "error"), preflight.Count(count[preflight.Warning], "warning"))
	return err
}
