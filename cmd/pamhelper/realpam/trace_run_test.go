package realpam_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stripped is the helper as a position-independent executable without symbols.
const stripped = base + "/pamhelper-pie"

// debianSSHD is Debian's own service for sshd, whose file the machine replaces.
const debianSSHD = "debian-sshd"

func buildStripped(dir string) error {
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-buildmode=pie", "-o", filepath.Join(dir, filepath.Base(stripped)),
		"github.com/pamhelper/pamhelper/cmd/pamhelper")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", stripped, err, out)
	}
	return nil
}

// keepDebiansSSHD gives the file that is to be replaced another name.
func keepDebiansSSHD() error { return command("cp", "/etc/pam.d/sshd", "/etc/pam.d/"+debianSSHD) }

// traced is one "trace" of "pamhelper try --trace --json".
type traced struct {
	Event, Function, Code, Disagreement, Unknown string
	Turns                                        []turn
	Notes                                        []note
	Decision                                     *turn
}

type turn struct {
	File, Control, Module, Arguments, Called, Code, Key, Action, Problem string
	Line                                                                 int
	Reached                                                              bool
	Notes                                                                []note
}

// String is short enough to be compared.
func (t turn) String() string {
	if !t.Reached && t.Code == "" {
		return fmt.Sprintf("%d: not reached", t.Line)
	}
	return fmt.Sprintf("%d: %s -> %s", t.Line, t.Code, t.Action)
}

type note struct {
	Kind, Level, Style, Name, Text string
	Delay                          int `json:"delay_us"`
}

// tryTraced runs "pamhelper try --trace --json".
func tryTraced(t *testing.T, answers []string, args ...string) (tried, []traced) {
	t.Helper()
	r := try(t, answers, append([]string{"--trace"}, args...)...)
	return r, tracesIn(t, r.stdout)
}

func tracesIn(t *testing.T, output string) (traces []traced) {
	t.Helper()
	for line := range strings.Lines(output) {
		var trace traced
		if err := json.Unmarshal([]byte(line), &trace); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if trace.Event != "trace" {
			continue
		}
		if trace.Disagreement != "" || trace.Unknown != "" {
			t.Errorf("%s: disagreement %q, unknown %q; want neither", trace.Function, trace.Disagreement, trace.Unknown)
		}
		traces = append(traces, trace)
	}
	return traces
}

// traceOf returns the first trace of a function.
func traceOf(t *testing.T, traces []traced, function string) traced {
	t.Helper()
	for _, trace := range traces {
		if trace.Function == function {
			return trace
		}
	}
	t.Fatalf("no trace of %s in %+v", function, traces)
	return traced{}
}

// turnsOf lists the turns of a trace.
func turnsOf(trace traced) string {
	var list []string
	for _, turn := range trace.Turns {
		list = append(list, turn.String())
	}
	return strings.Join(list, "; ")
}
