package check

import (
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Bounds of what is tried for one service: positions in a chain for one question,
// those for all questions, and handlers in a chain. Chains of distributions have
// some tens of handlers and hundreds of positions.
const (
	limit       = 20000
	limitOfAll  = 100000
	mostInChain = 1000
)

// explore finds what a call can come to, nil where that is too much to try.
func (s *service) explore(call pamstack.Call, possible pamstack.Possible) *pamstack.Exploration {
	if e := s.explored(call, possible); e.Complete {
		return &e
	}
	return nil
}

// canSucceed finds a way in which a call returns success.
func (s *service) canSucceed(call pamstack.Call, possible pamstack.Possible) (pamstack.Outcome, bool) {
	for _, o := range s.explored(call, possible).Outcomes {
		if o.Code == pamstack.Success && o.Undefined == nil {
			return o, true
		}
	}
	return pamstack.Outcome{}, false
}

// explored is as much as can be tried. A stack that is too much once is not
// tried again.
func (s *service) explored(call pamstack.Call, possible pamstack.Possible) pamstack.Exploration {
	if s.tooLarge(call.Facility()) {
		return pamstack.Exploration{}
	}
	e, err := s.stack.Explore(call, possible, min(limit, limitOfAll-s.tried))
	if s.tried += e.Tried; err == nil && !e.Complete {
		s.isTooLarge(call.Facility())
	}
	return e
}

// tooLarge says that a facility's stack is too much to be tried.
func (s *service) tooLarge(f pamstack.Facility) bool {
	chain := s.stack.Chain(f)
	if len(chain) > mostInChain {
		s.isTooLarge(f)
	}
	return len(chain) > 0 && s.told[told{"stack-too-large", chain[0]}]
}

func (s *service) isTooLarge(f pamstack.Facility) {
	chain := s.stack.Chain(f)
	if len(chain) == 0 {
		return // all has been tried that there is
	}
	s.at(chain[0], "stack-too-large", Warning, "the %s stack has more ways through it than can be tried", f)
}

// callsOf are the calls that walk a facility's chain by codes of their own.
var callsOf = map[pamstack.Facility][]pamstack.Call{
	pamstack.Auth: {pamstack.Authenticate, pamstack.Setcred}, pamstack.Account: {pamstack.AcctMgmt},
	pamstack.Password: {pamstack.Chauthtok}, pamstack.Session: {pamstack.OpenSession},
}

// jump is where a jump leads.
type jump struct {
	to       *pamstack.Handler // that is next; nil for the end
	short    bool              // there are too few to step over
	skipped  []*pamstack.Handler
	at       *pamstack.Handler
	distance int
}

// jumpFrom follows a jump over n handlers. Of a substack, which counts as one,
// the marker is skipped.
func (s *service) jumpFrom(chain []*pamstack.Handler, i, n int) jump {
	j := jump{at: chain[i], distance: n}
	j.to, j.short = s.stack.Onward(chain[i], pamstack.Action(n))
	for _, h := range chain[i+1:] {
		if h == j.to {
			break
		}
		if h.Level == j.at.Level {
			j.skipped = append(j.skipped, h)
		}
	}
	return j
}

// jumps checks where the jumps of a chain lead.
func (s *service) jumps(f pamstack.Facility) {
	chain := s.own(f)
	for i, h := range chain {
		seen := map[pamstack.Action]bool{}
		for _, code := range s.codes(h, callsOf[f][0]) {
			action := h.Table[code]
			if action <= 0 || seen[action] {
				continue
			}
			seen[action] = true
			s.jump(f, s.jumpFrom(chain, i, int(action)), code)
		}
	}
}

// codes are what the turn of a handler can return.
func (s *service) codes(h *pamstack.Handler, call pamstack.Call) []pamstack.Code {
	switch {
	case h.Kind == pamstack.KindMustFail:
		return []pamstack.Code{pamstack.PermDenied}
	case h.Kind == pamstack.KindSubstack:
		return nil
	case !h.Module.Has(call):
		return []pamstack.Code{pamstack.ModuleUnknown}
	}
	return codesOf(h, call)
}

func (s *service) jump(f pamstack.Facility, j jump, code pamstack.Code) {
	switch {
	case j.short:
		s.at(j.at, "jump-past-end", Error, "%s jumps over %d, and %d follow", code, j.distance, len(j.skipped))
	case j.to == nil:
		if code == pamstack.Success && s.endsUndecided(f, j) {
			severity, when := Warning, " where no line before has succeeded"
			if outcomes, err := s.stack.Predict(pamstack.Best, callsOf[f][0]); err == nil && outcomes[0].Code != pamstack.Success {
				severity, when = Error, ""
			}
			s.at(j.at, "jump-onto-end", severity, "success jumps over %d, which is onto the end: permission denied%s", j.distance, when)
		}
	default:
		s.across(j, code)
	}
}

// endsUndecided says that a jump onto the end can be the last step of a call
// that no handler has decided.
func (s *service) endsUndecided(f pamstack.Facility, j jump) bool {
	call := callsOf[f][0]
	e := s.explore(call, func(h *pamstack.Handler, call pamstack.Call, _ bool) []pamstack.Code {
		if h == j.at {
			return []pamstack.Code{pamstack.Success}
		}
		undecided := []pamstack.Code{} // none is not nil: the way ends here
		for _, code := range codesOf(h, call) {
			if action := h.Table[code]; action == pamstack.ActionIgnore || action > 0 {
				undecided = append(undecided, code)
			}
		}
		return undecided
	})
	if e == nil {
		return false
	}
	for _, o := range e.Outcomes {
		if o.Decided == nil && len(o.Steps) > 0 && o.Steps[len(o.Steps)-1].Handler == j.at {
			return true
		}
	}
	return false
}

// across checks a jump that crosses from one file into another: it counts the
// lines of both.
func (s *service) across(j jump, code pamstack.Code) {
	home, target := j.at.Line.Via, j.to
	whole := false
	for _, h := range j.skipped {
		switch {
		case inside(target.Line, h.Line.Via) && h.Line.Via != home && !inside(j.at.Line, h.Line.Via):
			s.at(j.at, "jump-across-include", Warning, "%s jumps into the middle of %s, to its line %d", code, target.Line.File, target.Line.Number)
			return
		case !inside(h.Line, home):
			s.at(j.at, "jump-across-include", Warning, "%s jumps out of the file, over line %d of %s", code, h.Line.Number, h.Line.File)
			return
		case h.Line.Via != home:
			whole = true
		}
	}
	if whole {
		s.at(j.at, "jump-across-include", Info, "%s jumps over %d, all lines of an included file among them", code, j.distance)
	}
}

// inside says that a line is in the file that via includes, or in one that this
// file includes. Every line is inside of nil.
func inside(line, via *pamstack.Line) bool {
	if via == nil {
		return true
	}
	for ; line != nil; line = line.Via {
		if line.Via == via {
			return true
		}
	}
	return false
}

// unreached reports lines whose turn never comes. Denials that are only there
// in case the lines before them change are none of them.
func (s *service) unreached(f pamstack.Facility) {
	reached := map[*pamstack.Handler]bool{}
	for _, call := range callsOf[f] {
		e := s.explore(call, realistic)
		if e == nil {
			return
		}
		for h := range e.Reached {
			reached[h] = true
		}
	}
	for _, h := range s.own(f) {
		if h.Kind != pamstack.KindSubstack && !reached[h] && !isModule(h, "pam_deny") {
			s.at(h, "line-unreached", Warning, "no way through the %s stack leads here", f)
		}
	}
}
