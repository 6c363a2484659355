package ipc_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
)

// TestWhatAHelperWouldNotTakeIsNotSent and the session goes on.
func TestWhatAHelperWouldNotTakeIsNotSent(t *testing.T) {
	t.Parallel()
	client := inSession(t, func(*ipctest.Process) ipc.Exit { return ipc.Exit{Status: 7} })
	long := func(size int) string { return strings.Repeat("x", size) }
	for name, c := range map[string]struct {
		command ipc.Command
		said    string // "": it is started
	}{
		"the longest":         {ipc.Command{Line: long(128<<10 - 1)}, ""},
		"longer":              {ipc.Command{Line: long(128 << 10)}, "the command has 131072 bytes; at most 131071"},
		"NUL":                 {ipc.Command{Line: "a\x00b"}, "the command holds a NUL byte"},
		"bytes for a type":    {ipc.Command{Terminal: &ipc.Terminal{Type: "x\xff"}}, "the terminal's type is none"},
		"long type":           {ipc.Command{Terminal: &ipc.Terminal{Type: long(257)}}, "the terminal's type is none"},
		"as many variables":   {ipc.Command{Variables: slices.Repeat([]ipc.Variable{{Name: "A", Value: "b"}}, 256)}, ""},
		"more variables":      {ipc.Command{Variables: slices.Repeat([]ipc.Variable{{Name: "A", Value: "b"}}, 257)}, "257 variables of 514 bytes; at most 256 of 65536 bytes"},
		"a variable too long": {ipc.Command{Variables: []ipc.Variable{{Name: "A", Value: long(64 << 10)}}}, "1 variables of 65537 bytes"},
	} {
		process, err := client.Start(t.Context(), c.command)
		var refused *ipc.NotStartedError
		switch {
		case c.said == "" && err != nil:
			t.Errorf("%s: got %v, want it started", name, err)
		case c.said != "" && (!errors.As(err, &refused) || !strings.Contains(refused.Text, c.said)):
			t.Errorf("%s: got %v, want %q", name, err, c.said)
		}
		if err == nil {
			process.Wait(t.Context())
		}
	}
}
