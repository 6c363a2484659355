package pamstack

import "slices"

// Possible says which codes a module's function may return to a call. Nil
// stands for all named ones but incomplete.
type Possible func(h *Handler, call Call, prelim bool) []Code

// Exploration is all that a call can come to.
type Exploration struct {
	// Outcomes has one entry for each code and line that decides it, in the
	// order in which they were found, with one way that leads there. Codes that
	// act alike in a line are tried as one: a step's code stands for those of
	// the line's table with the same action.
	Outcomes []Outcome
	// Reached are the handlers whose turn can come, markers not among them.
	Reached map[*Handler]bool
	// Complete is false where there were more positions to try than the limit.
	Complete bool
}

// Explore finds what a call can come to on a new handle, when each module
// returns any of its possible codes; possible may be nil. It tries at most
// limit positions in the chain, a position being a handler together with the
// verdicts so far. The error is Stack.Err.
func (s *Stack) Explore(call Call, possible Possible, limit int) (Exploration, error) {
	if s.Err != nil {
		return Exploration{}, s.Err
	}
	e := explorer{
		stack: s, call: call, chain: s.Chain(call.Facility()), possible: possible, left: limit,
		seen: map[place]bool{}, found: map[ending]bool{},
		result: Exploration{Reached: map[*Handler]bool{}, Complete: true},
	}
	e.explore()
	return e.result, nil
}

type explorer struct {
	stack    *Stack
	call     Call
	chain    []*Handler
	possible Possible
	left     int
	seen     map[place]bool
	found    map[ending]bool
	result   Exploration
}

// place is a position in one of the passes.
type place struct {
	prelim bool
	at     position
}

// ending is what distinguishes outcomes.
type ending struct {
	code      Code
	decided   *Handler
	undefined *Handler
}

// trail is a place and the way that led to it, the last step first.
type trail struct {
	place
	last *taken
}

type taken struct {
	Step
	before *taken
}

// explore tries all places that can be reached, those found first first.
func (e *explorer) explore() {
	queue := []trail{{place: place{e.call == Chauthtok, begin()}}}
	for len(queue) > 0 {
		t := queue[0]
		queue = queue[1:]
		if e.seen[t.place] {
			continue
		}
		if e.left--; e.left < 0 {
			e.result.Complete = false
			return
		}
		e.seen[t.place] = true
		queue = append(queue, e.onward(t)...)
	}
}

// onward returns where a place leads, or notes that it is an end.
func (e *explorer) onward(t trail) (next []trail) {
	for t.at.next < len(e.chain) && e.chain[t.at.next].Kind == KindSubstack {
		t.at.enter(e.chain[t.at.next])
		t.at.next++
	}
	if t.at.next == len(e.chain) {
		if t.prelim && t.at.end() == Success {
			return []trail{{place{false, begin()}, t.last}}
		}
		e.end(ending{code: t.at.end(), decided: t.at.by}, t.last)
		return nil
	}
	h := e.chain[t.at.next]
	e.result.Reached[h] = true
	t.at.enter(h)
	for _, step := range e.steps(h, t.prelim) {
		at := t.at
		step.Action = at.take(e.chain, step.Code, step.Key, e.stack.frozenJump(e.call))
		way := &taken{step, t.last}
		if step.Action == ActionUndefined {
			e.end(ending{undefined: h}, way)
			continue
		}
		next = append(next, trail{place{t.prelim, at}, way})
	}
	return next
}

// steps returns the turns that a handler can have.
func (e *explorer) steps(h *Handler, prelim bool) (steps []Step) {
	step := Step{Handler: h, Prelim: prelim, Code: ModuleUnknown, Key: ModuleUnknown}
	if h.Kind == KindMustFail {
		step.Code, step.Key = PermDenied, PermDenied
	}
	if !h.loaded(e.call) {
		return []Step{step}
	}
	step.Called = true
	for _, code := range e.codes(h, prelim) {
		step.Code, step.Key = code, code
		steps = append(steps, step)
	}
	return steps
}

// codes returns the possible codes of a module, one of those that act alike.
func (e *explorer) codes(h *Handler, prelim bool) (codes []Code) {
	all := preferred
	if e.possible != nil {
		if given := e.possible(h, e.call, prelim); given != nil {
			all = given
		}
	}
	for _, code := range all {
		alike := func(other Code) bool { return actsAlike(h, code, other) }
		if code != Incomplete && !slices.ContainsFunc(codes, alike) {
			codes = append(codes, code)
		}
	}
	return codes
}

// preferred are all codes, those first that stand best for others.
var preferred = func() (list []Code) {
	list = []Code{Success, AuthErr, PermDenied, UserUnknown, NewAuthtokReqd, Ignore}
	for code := range Code(codeCount) {
		if !slices.Contains(list, code) {
			list = append(list, code)
		}
	}
	return list
}()

// actsAlike says that two codes of a handler lead to the same places, but for
// the code itself. Success and ignore are special to libpam.
func actsAlike(h *Handler, a, b Code) bool {
	if a == b {
		return true
	}
	special := func(c Code) bool { return c == Success || c == Ignore }
	if special(a) || special(b) || !a.named() || !b.named() {
		return false
	}
	return h.Table[a] == h.Table[b]
}

// end notes an outcome, if it is a new one.
func (e *explorer) end(as ending, last *taken) {
	if e.found[as] {
		return
	}
	e.found[as] = true
	o := Outcome{Call: e.call, Code: as.code, Decided: as.decided, Undefined: as.undefined}
	for ; last != nil; last = last.before {
		o.Steps = append(o.Steps, last.Step)
	}
	slices.Reverse(o.Steps)
	e.result.Outcomes = append(e.result.Outcomes, o)
}
