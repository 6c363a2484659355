// Pamhelper is the root side of PAM logins.
//
// "pamhelper broker" is started by the administrator, as root. It starts an agent
// as a user without privileges, and a worker for each login that the agent asks
// for. It refuses an agent that would be root.
//
// "pamhelper worker" is started by a broker, by a socket unit of systemd, or by an
// agent that is root, one process for each login, with the agent's socket on
// descriptor 3. It refuses to run without
// that socket, and serves only what its policy allows.
//
// "pamhelper sweep" closes what workers that died left open, and "pamhelper
// sessions" lists what is open. Both refuse anybody but root.
//
// "pamhelper try" is for a person, root or not: it runs a stack step by step
// and shows what happens. It starts a worker of its own with the looser
// debugging table; no agent can reach that one. "pamhelper show", "pamhelper
// check" and "pamhelper predict" are for a person too: they only read files, and
// run no module. "pamhelper policy" checks and shows what agents may ask for, and
// reads files only. "pamhelper watch" shows what modules do in other programs, and
// refuses anybody but root.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/broker"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/check"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policytool"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/predict"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/show"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/sweep"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/try"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/watch"
)

// PAM's modules keep state that belongs to a thread (loginuid, keyrings,
// namespaces): every libpam call is made on the main one.
func init() { runtime.LockOSThread() }

func main() {
	err := root().Execute()
	if err == nil {
		return
	}
	if errors.Is(err, check.ErrFound) || errors.Is(err, policytool.ErrRefused) {
		os.Exit(1)
	}
	var agent broker.ExitError
	if errors.As(err, &agent) {
		os.Exit(agent.Status)
	}
	var failed try.ExitError
	if errors.As(err, &failed) {
		os.Exit(failed.Status)
	}
	if errors.Is(err, predict.ErrNotSuccess) {
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "pamhelper: %v\n", err)
	if errors.Is(err, sweep.ErrNotClosed) || errors.Is(err, broker.ErrAddress) {
		os.Exit(1)
	}
	os.Exit(try.ExitUsage)
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pamhelper",
		Short: "Log people in through PAM, apart from the program that talks to the network",
		Long: `pamhelper performs PAM transactions for a program that has no privileges and
does not link libpam. "pamhelper broker" starts such a program, an agent, which
gets one worker process per login and speaks a documented protocol with it.
"pamhelper policy" checks and shows what the administrator lets agents ask for.
"pamhelper sessions" lists the logins that are open, and "pamhelper sweep" closes
those whose worker has died.

For a person, "pamhelper try" runs a PAM stack by hand and shows what each step
returned; "pamhelper show" and "pamhelper predict" say what is in a stack and what
it would do, without running it, and "pamhelper check" what is wrong with it.
"pamhelper watch" shows the calls of modules in all programs as they happen.`,
		Version:           version(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	if len(os.Args) > 1 && os.Args[1] == "worker" { // one for each login: it pays for no other command
		cmd.AddCommand(workerCommand())
		return cmd
	}
	cmd.AddCommand(broker.Command(), broker.StageCommand(), workerCommand(), try.Command(), show.Command(), check.Command(),
		predict.Command(), policytool.Command(), watch.Command(), sweep.Command(), sweep.SessionsCommand())
	return cmd
}

// version is the one that the go command stamped.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
