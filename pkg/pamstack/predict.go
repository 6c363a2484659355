package pamstack

// Codes says what a module's function returns when a call runs it. Chauthtok
// runs it with prelim first (PAM_PRELIM_CHECK), and again without
// (PAM_UPDATE_AUTHTOK). It is asked in the order in which libpam calls modules.
type Codes func(h *Handler, call Call, prelim bool) Code

// Outcome is what a call does and returns.
type Outcome struct {
	Call  Call
	Code  Code
	Steps []Step // in order; empty chains and refused calls have none
	// Before are the steps of the call before a frozen one, where ExploreFrozen
	// found the outcome.
	Before []Step
	// Decided is the handler that set Code. Nil where none did: the chain is
	// empty, all handlers were ignored, or the call was refused.
	Decided *Handler
	// Undefined is the handler that nobody can tell the effect of. Code and
	// Decided mean nothing then, and Steps end with it. Nil for none.
	Undefined *Handler
}

// Step is the turn of one handler. Handlers that were jumped over have none,
// nor have the markers of substacks.
type Step struct {
	Handler *Handler
	Prelim  bool // the first pass of chauthtok
	// Called says that the module ran. Else Code is libpam's own: perm_denied
	// for a handler that must fail, module_unknown where there is no module.
	Called bool
	Code   Code
	// Key is the code that picked Action: Code itself, but in setcred and
	// close_session what the handler returned to the call before. Incomplete
	// picks none: the call stops there, and Action means nothing.
	Key    Code
	Action Action
}

// Predict says what the calls do that are made in this order on one new handle.
// Setcred and close_session depend on authenticate and open_session before
// them. A call whose module returns incomplete is to be made again, and goes on
// from there. The error is Stack.Err.
func (s *Stack) Predict(codes Codes, calls ...Call) ([]Outcome, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	t := transaction{stack: s, codes: codes, cached: map[*Handler]Code{}}
	var outcomes []Outcome
	for _, call := range calls {
		outcomes = append(outcomes, t.call(call))
	}
	return outcomes, nil
}

// transaction is what libpam keeps in a handle between calls.
type transaction struct {
	stack  *Stack
	codes  Codes
	cached map[*Handler]Code // what authenticate and open_session got
	paused *pause
}

// pause is where a call stopped because a module returned incomplete.
type pause struct {
	call   Call
	prelim bool
	at     position
}

// call makes one call.
func (t *transaction) call(call Call) Outcome {
	o := Outcome{Call: call}
	prelim, from := call == Chauthtok, begin()
	if p := t.paused; p != nil {
		if p.call != call {
			o.Code = Abort
			return o
		}
		prelim, from, t.paused = p.prelim, p.at, nil
	}
	t.pass(&o, prelim, from)
	if prelim && o.Code == Success && o.Undefined == nil {
		t.pass(&o, false, begin())
	}
	return o
}

// pass runs the call's chain once.
func (t *transaction) pass(o *Outcome, prelim bool, p position) {
	chain := t.stack.Chain(o.Call.Facility())
	for p.next < len(chain) {
		h := chain[p.next]
		p.enter(h)
		if h.Kind == KindSubstack {
			p.next++
			continue
		}
		step := t.ask(h, o.Call, prelim)
		if step.Code == Incomplete {
			step.Key = Incomplete
			t.paused = &pause{o.Call, prelim, p}
			o.Steps, o.Code, o.Decided = append(o.Steps, step), Incomplete, h
			return
		}
		step.Key = t.key(step, o.Call)
		step.Action = p.take(chain, step.Code, step.Key, t.stack.frozenJump(o.Call))
		o.Steps = append(o.Steps, step)
		if step.Action == ActionUndefined {
			o.Undefined = h
			return
		}
	}
	o.Code, o.Decided = p.end(), p.by
}

// ask gets a handler's code.
func (t *transaction) ask(h *Handler, call Call, prelim bool) Step {
	step := Step{Handler: h, Prelim: prelim, Code: ModuleUnknown}
	switch {
	case h.Kind == KindMustFail:
		step.Code = PermDenied
	case h.loaded(call):
		step.Called, step.Code = true, t.codes(h, call, prelim)
	}
	return step
}

// noCode is libpam's mark for a code that is not there, which a module may have
// returned all the same.
const noCode Code = -1

// key returns the code that picks the action.
func (t *transaction) key(step Step, call Call) Code {
	if !call.frozen() {
		t.cached[step.Handler] = step.Code
		return step.Code
	}
	if key, ran := t.cached[step.Handler]; ran && key != noCode {
		return key
	}
	return step.Code
}

// frozenJump says that a jump in setcred and close_session counts as ok too,
// which Debian's libpam does not do.
func (s *Stack) frozenJump(call Call) bool { return call.frozen() && !s.Libpam.Debian }
