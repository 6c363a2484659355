package pamstack

import "slices"

// Possible says which codes a module's function may return to a call. Nil
// stands for all named ones but incomplete.
type Possible func(h *Handler, call Call, prelim bool) []Code

// Exploration is what a call can come to.
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
	// Tried is how many were.
	Tried int
}

// Explore finds what a call can come to on a new handle, when each module
// returns any of its possible codes; possible may be nil. It tries at most
// limit positions in the chain, a position being a handler together with the
// verdicts so far. The error is Stack.Err.
func (s *Stack) Explore(call Call, possible Possible, limit int) (Exploration, error) {
	if call == Chauthtok {
		return s.explore([]pass{{call, true}, {call, false}}, possible, limit)
	}
	return s.explore([]pass{{call, false}}, possible, limit)
}

// ExploreFrozen is Explore for setcred after each authenticate that succeeds,
// and for close_session after open_session. A position is one together with all
// codes of the call before, so that they soon are many.
func (s *Stack) ExploreFrozen(call Call, possible Possible, limit int) (Exploration, error) {
	first := Authenticate
	if call == CloseSession {
		first = OpenSession
	}
	return s.explore([]pass{{first, false}, {call, false}}, possible, limit)
}

// pass is one walk through a chain.
type pass struct {
	call   Call
	prelim bool
}

func (s *Stack) explore(passes []pass, possible Possible, limit int) (Exploration, error) {
	if s.Err != nil {
		return Exploration{}, s.Err
	}
	call := passes[0].call
	e := explorer{
		stack: s, passes: passes, chain: s.Chain(call.Facility()), possible: possible, left: limit,
		frozen: passes[len(passes)-1].call != call,
		seen:   map[place]bool{}, found: map[ending]bool{},
		result: Exploration{Reached: map[*Handler]bool{}, Complete: true},
	}
	e.explore()
	e.result.Tried = len(e.seen)
	return e.result, nil
}

type explorer struct {
	stack    *Stack
	passes   []pass
	frozen   bool // the last pass takes the way of the first
	chain    []*Handler
	possible Possible
	left     int
	seen     map[place]bool
	found    map[ending]bool
	result   Exploration
}

// place is a position in one of the passes.
type place struct {
	pass int
	at   position
	// keys are the codes of the first pass that a frozen one depends on: one
	// byte for each handler of the chain, 0 for one that had no turn.
	keys string
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
	pass   int
	before *taken
}

// explore tries all places that can be reached, those found first first. With a
// frozen chain it goes to the end of each way before it tries the next one:
// otherwise it could run out of places before it comes to an end at all.
func (e *explorer) explore() {
	queue := []trail{{place: place{at: begin()}}}
	for len(queue) > 0 {
		var t trail
		if last := len(queue) - 1; e.frozen {
			t, queue = queue[last], queue[:last]
		} else {
			t, queue = queue[0], queue[1:]
		}
		if e.seen[t.place] {
			continue
		}
		if e.left--; e.left < 0 {
			e.result.Complete = false
			return
		}
		e.seen[t.place] = true
		next := e.onward(t)
		if e.frozen {
			slices.Reverse(next)
		}
		queue = append(queue, next...)
	}
}

// onward returns where a place leads, or notes that it is an end.
func (e *explorer) onward(t trail) (next []trail) {
	for t.at.next < len(e.chain) && e.chain[t.at.next].Kind == KindSubstack {
		t.at.enter(e.chain[t.at.next])
		t.at.next++
	}
	if t.at.next == len(e.chain) {
		return e.passed(t)
	}
	h := e.chain[t.at.next]
	if t.pass == len(e.passes)-1 || !e.frozen {
		e.result.Reached[h] = true
	}
	t.at.enter(h)
	call := e.passes[t.pass].call
	for _, step := range e.steps(h, t) {
		to := t.place
		to.keys = e.keysAfter(t, step.Code)
		step.Action = to.at.take(e.chain, step.Code, step.Key, e.stack.frozenJump(call))
		way := &taken{step, t.pass, t.last}
		if step.Action == ActionUndefined {
			e.end(ending{undefined: h}, way)
			continue
		}
		next = append(next, trail{to, way})
	}
	return next
}

// passed goes on where a pass is through: to the next one after success, else
// to an outcome. That the call before a frozen one fails is none of its.
func (e *explorer) passed(t trail) []trail {
	last := t.pass == len(e.passes)-1
	switch {
	case !last && t.at.end() == Success:
		return []trail{{place{pass: t.pass + 1, at: begin(), keys: t.keys}, t.last}}
	case last || !e.frozen:
		e.end(ending{code: t.at.end(), decided: t.at.by}, t.last)
	}
	return nil
}

// keysAfter notes a code of the first pass for the frozen one.
func (e *explorer) keysAfter(t trail, code Code) string {
	if !e.frozen || t.pass > 0 {
		return t.keys
	}
	keys := make([]byte, len(e.chain))
	copy(keys, t.keys)
	if keys[t.at.next] = byte(code) + 1; !code.named() {
		keys[t.at.next] = outOfRange
	}
	if code == noCode {
		keys[t.at.next] = 0
	}
	return string(keys)
}

// outOfRange stands in keys for all codes without a name: they act alike.
const outOfRange = 0xff

// key returns the code of the first pass that the handler whose turn it is
// goes by, if there is one.
func (e *explorer) key(t trail) (key Code, frozen bool) {
	if !e.frozen || t.pass == 0 || t.keys == "" || t.keys[t.at.next] == 0 {
		return 0, false
	}
	return Code(t.keys[t.at.next] - 1), true
}

// steps returns the turns that a handler can have.
func (e *explorer) steps(h *Handler, t trail) (steps []Step) {
	now := e.passes[t.pass]
	key, frozen := e.key(t)
	step := Step{Handler: h, Prelim: now.prelim, Called: h.loaded(now.call)}
	codes := []Code{ModuleUnknown}
	switch {
	case h.Kind == KindMustFail:
		codes = []Code{PermDenied}
	case step.Called && frozen:
		codes = e.codes(h, now, sameToFrozen)
	case step.Called:
		codes = e.codes(h, now, h.actsAlike)
	}
	for _, code := range codes {
		step.Code, step.Key = code, code
		if frozen {
			step.Key = key
		}
		steps = append(steps, step)
	}
	return steps
}

// codes returns the possible codes of a module, one of those that act alike.
func (e *explorer) codes(h *Handler, now pass, alike func(a, b Code) bool) (codes []Code) {
	all := preferred
	if e.possible != nil {
		if given := e.possible(h, now.call, now.prelim); given != nil {
			all = given
		}
	}
	for _, code := range all {
		isAlike := func(other Code) bool { return alike(code, other) }
		if code != Incomplete && !slices.ContainsFunc(codes, isAlike) {
			codes = append(codes, code)
		}
	}
	return codes
}

// Preferred returns what is possible where nothing else is said, in the order
// in which it is tried.
func Preferred() []Code { return slices.Clone(preferred) }

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
// the code itself.
func (h *Handler) actsAlike(a, b Code) bool {
	return a == b || sameToFrozen(a, b) && a.named() && b.named() && h.Table[a] == h.Table[b]
}

// sameToFrozen says the same where an earlier code picks the action. Success and
// ignore are special to libpam.
func sameToFrozen(a, b Code) bool {
	special := func(c Code) bool { return c == Success || c == Ignore }
	return a == b || !special(a) && !special(b)
}

// end notes an outcome, if it is a new one.
func (e *explorer) end(as ending, last *taken) {
	if e.found[as] {
		return
	}
	e.found[as] = true
	call := e.passes[len(e.passes)-1].call
	o := Outcome{Call: call, Code: as.code, Decided: as.decided, Undefined: as.undefined}
	for ; last != nil; last = last.before {
		steps := &o.Steps
		if e.frozen && last.pass == 0 {
			steps = &o.Before
		}
		*steps = append(*steps, last.Step)
	}
	slices.Reverse(o.Before)
	slices.Reverse(o.Steps)
	e.result.Outcomes = append(e.result.Outcomes, o)
}
