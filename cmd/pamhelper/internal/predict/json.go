package predict

import (
	"encoding/json"
	"io"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// The objects of --json. Lists are never null.
type (
	traceObject struct {
		Service string        `json:"service"`
		File    string        `json:"file,omitempty"` // none: other serves alone
		Calls   []outcomeJSON `json:"calls"`          // in order; the last is the one that was asked for
	}
	listObject struct {
		Service  string        `json:"service"`
		File     string        `json:"file,omitempty"`
		Call     string        `json:"call"`
		After    string        `json:"after,omitempty"` // the call before it on the same handle
		Complete bool          `json:"complete"`
		Outcomes []outcomeJSON `json:"outcomes"`
	}
	outcomeJSON struct {
		Call      string    `json:"call"`
		Code      string    `json:"code"` // such as PAM_AUTH_ERR; undefined where nobody can tell
		Number    int       `json:"number"`
		Decided   *lineJSON `json:"decided,omitempty"` // none: no line counted
		Undefined *lineJSON `json:"undefined,omitempty"`
		// Example are the arguments that lead there, in a list of outcomes; Steps
		// are the way, where codes were given.
		Example []string   `json:"example,omitempty"`
		Steps   []stepJSON `json:"steps,omitempty"`
	}
	lineJSON struct {
		File    string `json:"file"`
		Line    int    `json:"line"`
		Control string `json:"control"`
		Module  string `json:"module"`
	}
	stepJSON struct {
		lineJSON
		Prelim bool   `json:"prelim,omitempty"`
		Called bool   `json:"called"`
		Code   string `json:"code"`
		Why    string `json:"why"`    // "given", "always", "assumed", or "libpam" where nothing is called
		Key    string `json:"key"`    // the code that picks the action
		Action string `json:"action"` // empty after incomplete: the call stops
	}
)

func traceJSON(out io.Writer, s scene, outcomes []pamstack.Outcome) error {
	o := traceObject{Service: s.Service, File: s.File}
	for _, outcome := range outcomes {
		shown := outcomeOf(outcome)
		for _, step := range outcome.Steps {
			shown.Steps = append(shown.Steps, s.stepOf(outcome.Call, step))
		}
		o.Calls = append(o.Calls, shown)
	}
	return encode(out, o)
}

func listJSON(out io.Writer, s scene, e pamstack.Exploration) error {
	o := listObject{Service: s.Service, File: s.File, Call: s.call().String(), Complete: e.Complete, Outcomes: []outcomeJSON{}}
	if len(s.calls) == 2 {
		o.After = s.calls[0].String()
	}
	for _, outcome := range e.Outcomes {
		shown := outcomeOf(outcome)
		shown.Example = s.example(outcome)
		o.Outcomes = append(o.Outcomes, shown)
	}
	return encode(out, o)
}

func outcomeOf(outcome pamstack.Outcome) outcomeJSON {
	o := outcomeJSON{Call: outcome.Call.String(), Code: stackview.PAMName(outcome.Code), Number: int(outcome.Code), Decided: lineOf(outcome.Decided)}
	if outcome.Undefined != nil {
		o.Code, o.Number, o.Decided, o.Undefined = "undefined", -1, nil, lineOf(outcome.Undefined)
	}
	return o
}

func (s scene) stepOf(call pamstack.Call, step pamstack.Step) stepJSON {
	_, why := s.code(step.Handler, call, step.Prelim)
	switch {
	case !step.Called:
		why = "libpam"
	case why == assumed:
		why = "assumed"
	}
	action := step.Action.String()
	if step.Code == pamstack.Incomplete {
		action = ""
	}
	return stepJSON{
		lineJSON: *lineOf(step.Handler), Prelim: step.Prelim, Called: step.Called,
		Code: step.Code.String(), Why: why, Key: step.Key.String(), Action: action,
	}
}

func lineOf(h *pamstack.Handler) *lineJSON {
	if h == nil {
		return nil
	}
	return &lineJSON{h.Line.File, h.Line.Number, h.Control, h.Path}
}

func encode(out io.Writer, object any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(object)
}
