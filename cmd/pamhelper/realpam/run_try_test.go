package realpam_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// ran is how a program ended.
type ran struct {
	stdout, stderr string
	status         int
}

// run starts a program with an input and waits for it.
func run(t *testing.T, input, name string, args ...string) ran {
	t.Helper()
	ready(t)
	cmd := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// event is one line of "pamhelper try --json".
type event struct {
	Event, Style, Text string
	Step, Code, User   string
	Number             int
	Variables          map[string]string
}

// tried is a run of "pamhelper try --json".
type tried struct {
	ran
	events []event
}

// try runs "pamhelper try --json", with answers as lines of standard input.
func try(t *testing.T, answers []string, args ...string) tried {
	t.Helper()
	input := strings.Join(append(answers, ""), "\n")
	r := tried{ran: run(t, input, pamhelper, append([]string{"try", "--json", "--answers", "-"}, args...)...)}
	for line := range strings.Lines(r.stdout) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("a line of --json: %v: %q", err, line)
		}
		r.events = append(r.events, e)
	}
	return r
}

// codes lists the results as "step=CODE", with blanks between them.
func (r tried) codes() string {
	var codes []string
	for _, e := range r.events {
		if e.Event == "result" {
			codes = append(codes, e.Step+"="+e.Code)
		}
	}
	return strings.Join(codes, " ")
}

// said lists the texts of messages and prompts as "style: text".
func (r tried) said() []string {
	var said []string
	for _, e := range r.events {
		if e.Event == "message" || e.Event == "prompt" {
			said = append(said, e.Style+": "+e.Text)
		}
	}
	return said
}

func (r tried) variables() map[string]string {
	for _, e := range r.events {
		if e.Event == "environment" {
			return e.Variables
		}
	}
	return nil
}

// expect fails unless the results and the exit status are those.
func (r tried) expect(t *testing.T, codes string, status int) {
	t.Helper()
	if r.codes() != codes || r.status != status {
		t.Errorf("got %q, status %d; want %q, status %d\nstdout:\n%s\nstderr:\n%s",
			r.codes(), r.status, codes, status, r.stdout, r.stderr)
	}
}

// expectSaid fails unless a message or prompt holds the text.
func (r tried) expectSaid(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(strings.Join(r.said(), "\n"), text) {
		t.Errorf("got messages %q, want one with %q", r.said(), text)
	}
}
