// Agent is the unprivileged side of PAM logins: it talks to people, and asks a
// pamhelper worker for everything that needs libpam or root. It links neither
// libpam nor C, and anybody may run it; what it may ask for is decided by the
// helper's policy.
package main

import (
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func main() {
	cmd := &cobra.Command{
		Use:               "agent",
		Short:             "Log people in through pamhelper, without privileges and without libpam",
		Version:           version(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	cmd.AddCommand(loginCommand(), runCommand(), checkCommand())
	err := cmd.Execute()
	report(os.Stderr, err)
	os.Exit(statusOf(err))
}

// version is the one that the go command stamped.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
