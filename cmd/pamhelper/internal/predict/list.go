package predict

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// list shows all that a call can come to.
func (o options) list(out io.Writer, s scene) error {
	e, err := s.explored(o.limit)
	if err != nil {
		return err
	}
	if o.json {
		return listJSON(out, s, e)
	}
	o.title(out, s)
	fmt.Fprintf(out, "\n%s%s can return\n", o.paint.In(stackview.Bold, s.call().String()), s.after())
	t := &columns{}
	for _, outcome := range e.Outcomes {
		t.measure(o.outcomeCells(s, outcome))
	}
	for _, outcome := range e.Outcomes {
		fmt.Fprintln(out, "  "+t.line(o.paint, o.outcomeCells(s, outcome)))
	}
	if !e.Complete {
		fmt.Fprintln(out, o.paint.In(stackview.Yellow, fmt.Sprintf("  and what else there may be: this is what %d positions have led to", o.limit)))
	}
	return nil
}

func (s scene) after() string {
	switch before, frozen := callBefore(s.call()); {
	case !frozen:
		return ""
	case len(s.calls) == 1:
		return " on a handle of its own"
	default:
		return fmt.Sprintf(" after %v has succeeded", before)
	}
}

// explored returns the outcomes, success first, then as the lines that decide
// them.
func (s scene) explored(limit int) (pamstack.Exploration, error) {
	explore := s.Explore
	if len(s.calls) == 2 {
		explore = s.ExploreFrozen
	}
	e, err := explore(s.call(), possible, limit)
	slices.SortStableFunc(e.Outcomes, func(a, b pamstack.Outcome) int {
		return cmp.Or(cmp.Compare(failed(a), failed(b)), cmp.Compare(s.at(a.Decided), s.at(b.Decided)))
	})
	return e, err
}

func failed(outcome pamstack.Outcome) int {
	if outcome.Code == pamstack.Success && outcome.Undefined == nil {
		return 0
	}
	return 1
}

// possible are the codes that are tried: all but those that a module never
// returns. New_authtok_reqd is for account; elsewhere it is left out where it
// would do what success does, and only hide the other outcomes among many.
func possible(h *pamstack.Handler, call pamstack.Call, prelim bool) (codes []pamstack.Code) {
	can := pamstack.Returns(h, call, prelim)
	const reqd = pamstack.NewAuthtokReqd
	if len(can) == 1 || call == pamstack.AcctMgmt || h.Table[reqd] != h.Table[pamstack.Success] {
		return can
	}
	if can == nil {
		can = pamstack.Preferred()
	}
	for _, code := range can {
		if code != reqd {
			codes = append(codes, code)
		}
	}
	return codes
}

// at is a handler's position, behind all others for none.
func (s scene) at(h *pamstack.Handler) int {
	if h == nil {
		return len(s.chain())
	}
	return slices.Index(s.chain(), h)
}

func (o options) outcomeCells(s scene, outcome pamstack.Outcome) []cell {
	code := cell{outcome.Code.String(), stackview.Red}
	if failed(outcome) == 0 {
		code.look = stackview.Green
	}
	if outcome.Undefined != nil {
		code.text = "undefined"
	}
	example := s.exampleText(outcome)
	h := cmp.Or(outcome.Undefined, outcome.Decided)
	if h == nil {
		return []cell{code, {"no line counted", stackview.Dim}, {"", ""}, {"", ""}, {example, ""}}
	}
	return []cell{code, {s.names.Place(h.Line), stackview.Dim}, {shortControl(h), ""}, {stackview.Label(h), stackview.Cyan}, {example, ""}}
}

// exampleText is the arguments of an example, or what stands for none.
func (s scene) exampleText(outcome pamstack.Outcome) string {
	if args := s.example(outcome); len(args) > 0 {
		return strings.Join(args, " ")
	}
	text := ""
	for _, step := range slices.Concat(outcome.Before, outcome.Steps) {
		switch {
		case step.Called && step.Code != pamstack.Success:
			return "all others return success"
		case step.Called:
			text = "all return success"
		}
	}
	return text
}

// asked is one step of an outcome with the call that it belongs to.
type asked struct {
	pamstack.Step
	call pamstack.Call
}

// example returns the arguments with which this command predicts the outcome:
// as few as possible.
func (s scene) example(outcome pamstack.Outcome) (args []string) {
	var steps []asked
	for _, step := range outcome.Before {
		steps = append(steps, asked{step, s.calls[0]})
	}
	for _, step := range outcome.Steps {
		steps = append(steps, asked{step, s.call()})
	}
	for _, step := range steps {
		assumed, _ := scene{}.code(step.Handler, step.call, step.Prelim)
		if !step.Called || step.Code == assumed {
			continue
		}
		if arg := s.argument(step, steps); !slices.Contains(args, arg) {
			args = append(args, arg)
		}
	}
	return args
}

// argument is the shortest one that leads to a step and changes no other one.
func (s scene) argument(step asked, steps []asked) string {
	code := "=" + step.Code.String()
	module, place, turn := bare(step.Handler.Path), s.names.Place(step.Handler.Line), step.turn()
	for _, p := range []pair{
		{name: module}, {turn: turn, name: module}, {name: place, line: true},
	} {
		if s.fits(p, step, steps) {
			return p.argument() + code
		}
	}
	return pair{turn: turn, name: place}.argument() + code
}

func (p pair) argument() string {
	if p.turn == "" {
		return p.name
	}
	return p.turn + ":" + p.name
}

// fits says that all steps a pair is about have the code of step.
func (s scene) fits(p pair, step asked, steps []asked) bool {
	return !slices.ContainsFunc(steps, func(other asked) bool {
		return other.Called && s.isAbout(p, other.Handler) && p.meansTurn(other.call, other.Prelim) && other.Code != step.Code
	})
}

// turn names the call of a step, or its pass.
func (a asked) turn() string {
	switch {
	case a.Prelim:
		return prelimTurn
	case a.call == pamstack.Chauthtok:
		return updateTurn
	}
	return a.call.String()
}
