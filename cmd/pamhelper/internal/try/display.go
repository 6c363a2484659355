package try

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// display shows a run as it happens.
type display interface {
	message(style string, text []byte)
	prompt(style string, text []byte)
	answered()
	result(ipc.Result)
	trace(ipc.Trace)
	environment([]ipc.Variable)
	failed(error)
}

// shownTo is a writer that keeps its first error.
type shownTo struct {
	io.Writer
	err error
}

func (s *shownTo) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if s.err == nil {
		s.err = err
	}
	return n, err
}

// plain is the display for a person. What modules say is made harmless.
type plain struct{ out io.Writer }

var _ display = (*plain)(nil)

func (t *plain) message(style string, text []byte) {
	for line := range strings.SplitSeq(strings.TrimSuffix(ipc.Printable(text), "\n"), "\n") {
		fmt.Fprintf(t.out, "[%s] %s\n", style, line)
	}
}

func (t *plain) prompt(_ string, text []byte) { fmt.Fprint(t.out, ipc.Printable(text)) }

func (t *plain) answered() { fmt.Fprintln(t.out) }

func (t *plain) result(r ipc.Result) {
	fmt.Fprintf(t.out, "%-16s %s (%d) %s, %s\n", r.Step, r.Code, int(r.Code), r.Text, r.Duration.Round(100*time.Microsecond))
	if r.Code != ipc.Success && r.Decision != nil {
		fmt.Fprintf(t.out, "    decided by %s\n", strings.ReplaceAll(r.Decision.String(), "; behind ", "\n        behind "))
	}
	if r.EnvironmentOmitted > 0 {
		fmt.Fprintf(t.out, "    %d variables more than can be shown\n", r.EnvironmentOmitted)
	}
}

func (t *plain) environment(variables []ipc.Variable) {
	if len(variables) == 0 {
		fmt.Fprintln(t.out, "environment      (empty)")
		return
	}
	fmt.Fprintln(t.out, "environment")
	for _, v := range variables {
		fmt.Fprintf(t.out, "    %s=%s\n", oneLine(v.Name), oneLine(v.Value))
	}
}

func (t *plain) failed(err error) {
	fmt.Fprintf(t.out, "failed: %s\n", ipc.Printable([]byte(err.Error())))
}

func oneLine(s string) string { return strings.ReplaceAll(ipc.Printable([]byte(s)), "\n", `\n`) }

// jsonLines is the display for programs: one object per line. Text that is not
// UTF-8 has U+FFFD in the place of what is not.
type jsonLines struct{ encoder *json.Encoder }

var _ display = (*jsonLines)(nil)

func newJSON(out io.Writer) *jsonLines {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return &jsonLines{encoder}
}

func (j *jsonLines) said(event, style string, text []byte) {
	j.encoder.Encode(struct {
		Event string `json:"event"`
		Style string `json:"style"`
		Text  string `json:"text"`
	}{event, style, string(text)})
}

func (j *jsonLines) message(style string, text []byte) { j.said("message", style, text) }

func (j *jsonLines) prompt(style string, text []byte) { j.said("prompt", style, text) }

func (j *jsonLines) answered() {}

func (j *jsonLines) result(r ipc.Result) {
	j.encoder.Encode(struct {
		Event    string `json:"event"`
		Step     string `json:"step"`
		Code     string `json:"code"`
		Number   int    `json:"number"`
		Text     string `json:"text"`
		User     string `json:"user"`
		Duration int64  `json:"duration_us"`
		Omitted  int    `json:"environment_omitted,omitempty"`

		Decision *jsonDecision `json:"decision,omitempty"`
	}{"result", r.Step.String(), r.Code.String(), int(r.Code), r.Text, r.User, r.Duration.Microseconds(), r.EnvironmentOmitted, decisionJSON(r.Decision)})
}

func (j *jsonLines) environment(variables []ipc.Variable) {
	values := map[string]string{}
	for _, v := range variables {
		values[v.Name] = v.Value
	}
	j.encoder.Encode(struct {
		Event     string            `json:"event"`
		Variables map[string]string `json:"variables"`
	}{"environment", values})
}

func (j *jsonLines) failed(err error) {
	j.encoder.Encode(struct {
		Event string `json:"event"`
		Text  string `json:"text"`
	}{"failed", err.Error()})
}
