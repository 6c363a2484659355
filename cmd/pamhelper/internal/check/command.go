// Package check is "pamhelper check": it shows what is wrong with PAM services.
package check

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack/check"
)

// ErrFound: there are findings as bad as was asked for. They have been printed.
var ErrFound = errors.New("there are findings")

// options are the command line.
type options struct {
	source   stackview.Source
	severity string
	json     bool
	sarif    bool
	explain  string
}

// Command is "pamhelper check".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "check [flags] [SERVICE...]",
		Short: "Show what is wrong with PAM services",
		Long: `Read PAM services as libpam does and show what is wrong with them: lines that do
not mean what they seem to, modules that do not load, files that others can
change, and stacks that let in who should stay out, or nobody. Nothing is run and
nothing is changed. Without a SERVICE all are checked.

It needs no privileges but to read the files; as root it reads what programs of
root read.

Exit status: 0 nothing found, 1 findings at or above --severity, 2 it could not be
checked.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, services []string) error { return o.run(cmd, services) },
	}
	o.source.AddFlags(cmd.Flags())
	cmd.Flags().StringVar(&o.severity, "severity", "warning", "exit with 1 if a finding is at least `LEVEL`: info, warning, error; others are printed all the same")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object per line")
	cmd.Flags().BoolVar(&o.sarif, "sarif", false, "print SARIF 2.1.0")
	cmd.Flags().StringVar(&o.explain, "explain", "", "print what there is to know about the finding `ID`, and nothing else")
	cmd.MarkFlagsMutuallyExclusive("json", "sarif", "explain")
	return cmd
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	out := cmd.OutOrStdout()
	if o.explain != "" {
		text, err := check.Explain(o.explain)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, text)
		return err
	}
	least, err := check.ParseSeverity(o.severity)
	if err != nil {
		return err
	}
	for _, service := range services {
		if err := stackview.IsName(service); err != nil {
			return err
		}
	}
	config, err := o.source.Resolve()
	if err != nil {
		return err
	}
	found, err := check.Run(services, config)
	if err != nil {
		return err
	}
	if err := o.print(out, found); err != nil {
		return err
	}
	for _, f := range found {
		if f.Severity >= least {
			return ErrFound
		}
	}
	return nil
}

func (o *options) print(out io.Writer, found []check.Finding) error {
	switch {
	case o.json:
		return printJSON(out, found)
	case o.sarif:
		return printSARIF(out, found)
	}
	return printPlain(out, found, stackview.PaintFor(out))
}

// count shows how many findings there are of each severity.
func count(found []check.Finding) string {
	var n [check.Error + 1]int
	for _, f := range found {
		n[f.Severity]++
	}
	return fmt.Sprintf("%s, %s, %s", stackview.Count(n[check.Error], "error"), stackview.Count(n[check.Warning], "warning"), stackview.Count(n[check.Info], "info"))
}
