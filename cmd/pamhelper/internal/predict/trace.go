package predict

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// trace shows the way of the calls through the stack.
func (o options) trace(out io.Writer, s scene) error {
	outcomes, err := s.Predict(func(h *pamstack.Handler, call pamstack.Call, prelim bool) pamstack.Code {
		code, _ := s.code(h, call, prelim)
		return code
	}, s.calls...)
	if err != nil {
		return err
	}
	if o.json {
		err = traceJSON(out, s, outcomes)
	} else {
		o.traceText(out, s, outcomes)
	}
	last := outcomes[len(outcomes)-1]
	if err == nil && (last.Code != pamstack.Success || last.Undefined != nil) {
		err = ErrNotSuccess
	}
	return err
}

func (o options) traceText(out io.Writer, s scene, outcomes []pamstack.Outcome) {
	t := &columns{}
	for _, outcome := range outcomes {
		for _, step := range outcome.Steps {
			t.measure(o.cells(s, outcome, step))
		}
	}
	o.title(out, s)
	for i, outcome := range outcomes {
		o.outcome(out, s, t, outcome)
		if i < len(outcomes)-1 && outcome.Code != pamstack.Success {
			fmt.Fprintln(out, o.paint.In(stackview.Yellow, fmt.Sprintf("  An application does not go on to %v after that.", outcomes[i+1].Call)))
		}
	}
	for _, text := range s.idle(outcomes) {
		fmt.Fprintln(out, o.paint.In(stackview.Yellow, text))
	}
}

// title says which service and chain are predicted.
func (o options) title(out io.Writer, s scene) {
	fmt.Fprintf(out, "%s", o.paint.In(stackview.Bold, stackview.OneLine(s.Service)))
	if s.File != "" {
		fmt.Fprintf(out, "  %s", stackview.OneLine(s.File))
	}
	switch chain := s.chain(); {
	case s.File == "":
		fmt.Fprintf(out, "  %s", o.paint.In(stackview.Yellow, "there is no such service: libpam uses the service other instead, "+stackview.OneLine(s.OtherFile)))
	case len(chain) > 0 && chain[0].Other:
		fmt.Fprintf(out, "  %s", o.paint.In(stackview.Yellow, fmt.Sprintf("no line for %v: from the service other, %s", s.call().Facility(), stackview.OneLine(s.OtherFile))))
	}
	fmt.Fprintln(out)
}

// outcome shows one call.
func (o options) outcome(out io.Writer, s scene, t *columns, outcome pamstack.Outcome) {
	pass := ""
	for i, step := range outcome.Steps {
		if name := passOf(outcome.Call, step); name != pass || i == 0 {
			fmt.Fprintf(out, "\n%s\n", o.paint.In(stackview.Bold, name))
			pass = name
		}
		fmt.Fprintln(out, "  "+t.line(o.paint, o.cells(s, outcome, step)))
	}
	if len(outcome.Steps) == 0 {
		fmt.Fprintf(out, "\n%s\n", o.paint.In(stackview.Bold, outcome.Call.String()))
	}
	look := stackview.Red
	if outcome.Code == pamstack.Success && outcome.Undefined == nil {
		look = stackview.Green
	}
	fmt.Fprintf(out, "  %s %s\n", o.paint.In(look, o.paint.Draw("→ ")+result(outcome)), s.reason(outcome))
}

func passOf(call pamstack.Call, step pamstack.Step) string {
	switch {
	case call != pamstack.Chauthtok:
		return call.String()
	case step.Prelim:
		return "chauthtok, first pass (PAM_PRELIM_CHECK)"
	}
	return "chauthtok, second pass (PAM_UPDATE_AUTHTOK)"
}

// result names what a call returns.
func result(outcome pamstack.Outcome) string {
	if outcome.Undefined != nil {
		return "undefined"
	}
	name := stackview.PAMName(outcome.Code)
	return fmt.Sprintf("%s (%d)", name, int(outcome.Code))
}

// reason says which line is the reason for a result.
func (s scene) reason(outcome pamstack.Outcome) string {
	switch {
	case outcome.Undefined != nil:
		return "at " + s.called(outcome.Undefined) + ": libpam uses memory that nobody wrote"
	case outcome.Decided != nil:
		return "decided by " + s.called(outcome.Decided)
	case len(outcome.Steps) == 0:
		return "because there are no lines, also in other"
	}
	return "because no line counted: all were ignored or jumped over"
}

// called names a handler by its line and what it calls.
func (s scene) called(h *pamstack.Handler) string {
	parts := []string{s.names.Place(h.Line)}
	for _, part := range []string{control(h), stackview.Label(h)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// control is a handler's control field, or what includes it.
func control(h *pamstack.Handler) string {
	if how, _, include := stackview.Included(h.Line); include {
		return how
	}
	return stackview.Control(h)
}

// shortControl is a control field that fits into a column.
func shortControl(h *pamstack.Handler) string {
	field := []rune(control(h))
	if len(field) <= mostWidth {
		return string(field)
	}
	return string(field[:mostWidth-2]) + "…]"
}

// cells are what is shown of a step.
func (o options) cells(s scene, outcome pamstack.Outcome, step pamstack.Step) []cell {
	_, why := s.code(step.Handler, outcome.Call, step.Prelim)
	switch {
	case !step.Called && step.Handler.Kind == pamstack.KindMustFail:
		why = "not called"
	case !step.Called:
		why = "cannot be called"
	}
	code := cell{step.Code.String(), stackview.Bold}
	if why == assumed {
		code.look = stackview.Dim
	}
	return []cell{
		{s.names.Place(step.Handler.Line), stackview.Dim}, {shortControl(step.Handler), ""}, {stackview.Label(step.Handler), stackview.Cyan},
		code, {why, stackview.Dim}, o.actionCell(s, outcome, step),
	}
}

// actionCell says what libpam does because of a code.
func (o options) actionCell(s scene, outcome pamstack.Outcome, step pamstack.Step) cell {
	if step.Code == pamstack.Incomplete {
		return cell{"stops here: the application has to call again", stackview.Yellow}
	}
	text, look := step.Action.String(), ""
	switch {
	case step.Action > 0:
		text = "→ " + s.names.Onward(s.Stack, step.Handler, step.Action)
		look = stackview.Yellow
	case step.Action == pamstack.ActionBad, step.Action == pamstack.ActionDie:
		look = stackview.Red
	case step.Action == pamstack.ActionOK, step.Action == pamstack.ActionDone:
		look = stackview.Green
	}
	if table := step.Handler.Table; step.Key != step.Code && s.action(table, step.Code) != step.Action {
		before, _ := callBefore(outcome.Call)
		text += fmt.Sprintf("  as for %v of %v", step.Key, before)
	}
	return cell{text, look}
}

// action returns what a code would lead to by itself, ActionBad for one without
// a name.
func (s scene) action(table pamstack.Table, code pamstack.Code) pamstack.Action {
	if code < 0 || int(code) >= len(table) {
		return pamstack.ActionBad
	}
	return table[code]
}

// idle says which pairs change nothing, because what they are about does not
// run.
func (s scene) idle(outcomes []pamstack.Outcome) (texts []string) {
	for _, p := range s.pairs {
		if !s.used(p, outcomes) {
			texts = append(texts, fmt.Sprintf("%s changes nothing: %s", stackview.OneLine(p.text), s.whyIdle(p, outcomes)))
		}
	}
	return texts
}

func (s scene) used(p pair, outcomes []pamstack.Outcome) bool {
	for _, outcome := range outcomes {
		for _, step := range outcome.Steps {
			best, found := s.given(step.Handler, outcome.Call, step.Prelim)
			if step.Called && found && best == p {
				return true
			}
		}
	}
	return false
}

func (s scene) whyIdle(p pair, outcomes []pamstack.Outcome) string {
	var places []string
	for _, h := range s.chain() {
		if !s.isAbout(p, h) {
			continue
		}
		if slices.ContainsFunc(outcomes, func(o pamstack.Outcome) bool { return turnOf(h, o.Steps) }) {
			return "no module is called for it, or another argument says more"
		}
		places = append(places, s.names.Place(h.Line))
	}
	return "the way does not lead to " + strings.Join(places, ", ")
}

// turnOf says whether a handler has a turn.
func turnOf(h *pamstack.Handler, steps []pamstack.Step) bool {
	return slices.ContainsFunc(steps, func(step pamstack.Step) bool { return step.Handler == h })
}
