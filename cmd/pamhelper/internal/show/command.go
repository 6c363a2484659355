// Package show is "pamhelper show": a service's stack as libpam sees it. It
// calls no module, and needs no more than to read the files.
package show

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// options are the command line's.
type options struct {
	source  stackview.Source
	json    bool
	verbose bool
	paint   stackview.Paint
}

// facilities in the order in which they are shown.
var facilities = []pamstack.Facility{pamstack.Auth, pamstack.Account, pamstack.Password, pamstack.Session}

// Command returns "pamhelper show".
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "show [flags] [SERVICE [FACILITY]]",
		Short: "Show a PAM stack as libpam sees it",
		Long: `Show the lines that libpam takes for SERVICE, each with the file it is from:
includes are resolved, arrows show where jumps go on, and what libpam makes of
missing files, missing modules and mistakes stands at the line. FACILITY is auth,
account, password or session. Without SERVICE, list the services there are.

Files in the directory of the service's own are called by their name, all others
by their path. No module is run, and nothing is changed.

Exit status: 0 the stack has been shown, whatever is wrong with it; 2 usage, or it
cannot be read.`,
		Example: `  pamhelper show
  pamhelper show login
  pamhelper show -v sshd auth
  pamhelper show --confdir ./pam.d --json mystack`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paint = stackview.PaintFor(cmd.OutOrStdout())
			return o.run(cmd.OutOrStdout(), args)
		},
	}
	f := cmd.Flags()
	o.source.AddFlags(f)
	f.BoolVar(&o.json, "json", false, "print one JSON object (without SERVICE one for each service)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say what each control field means, and where the modules are")
	return cmd
}

func (o options) run(out io.Writer, args []string) error {
	if len(args) == 0 {
		return o.services(out)
	}
	shown := facilities
	if len(args) == 2 {
		at := slices.IndexFunc(facilities, func(f pamstack.Facility) bool { return f.String() == args[1] })
		if at < 0 {
			return fmt.Errorf("unknown facility %q; facilities are auth, account, password, session", args[1])
		}
		shown = facilities[at : at+1]
	}
	stack, err := o.source.Load(args[0])
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, stack, shown)
	}
	d := newDrawing(o, stack, shown)
	d.title(args[0])
	for _, v := range d.views {
		d.facility(v)
	}
	d.leftOver()
	_, err = io.WriteString(out, d.text.String())
	return err
}
