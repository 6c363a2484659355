// Agent is the unprivileged side of PAM logins: it talks to people, and asks a
// pamhelper worker for everything that needs libpam or root. It links neither
// libpam nor C, and anybody may run it; what it may ask for is decided by the
// helper's policy.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// Exit statuses, the same as those of "pamhelper try".
const (
	exitRefused = 1
	exitUsage   = 2
	exitHelper  = 3
)

// exitError is an outcome with its exit status; its text is shown.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

func main() {
	cmd := &cobra.Command{
		Use:               "agent",
		Short:             "Log people in through pamhelper, without privileges and without libpam",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	cmd.AddCommand(loginCommand())
	err := cmd.Execute()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "agent: %v\n", err)
	var failed *exitError
	if errors.As(err, &failed) {
		os.Exit(failed.status)
	}
	os.Exit(exitUsage)
}
