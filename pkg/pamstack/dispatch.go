package pamstack

// impression is what the codes so far amount to.
type impression int8

const (
	undecided impression = iota
	positive
	negative
)

// verdict is what a chain would return if it ended here.
type verdict struct {
	impression impression
	code       Code
	by         *Handler // that set it, nil for none
}

// position is where a walk through a chain is, and what it has come to. It is
// comparable: equal positions go on equally.
type position struct {
	verdict
	next     int // index of the handler whose turn it is
	previous int // level of the one before
	// saved are the verdicts with which each level was entered.
	saved [maxLevels]verdict
}

// begin is where every call begins.
func begin() position {
	p := position{verdict: verdict{code: PermDenied}}
	p.saved[0] = p.verdict
	return p
}

// enter begins the turn of h.
func (p *position) enter(h *Handler) {
	if h.Level > p.previous {
		p.saved[h.Level] = p.verdict
	}
	p.previous = h.Level
}

// take ends the turn of the handler at next, which returned code. The code that
// picks the action is key: in a frozen chain it is an earlier code than the one
// that counts. It returns the action.
func (p *position) take(chain []*Handler, code, key Code, frozenJump bool) Action {
	h := chain[p.next]
	p.next++
	if !key.named() {
		p.bad(PermDenied, h)
		return ActionBad
	}
	action := h.Table[key]
	switch action {
	case ActionReset:
		p.verdict = p.saved[h.Level]
	case ActionOK:
		p.ok(code, key, h)
	case ActionDone:
		if p.ok(code, key, h); p.impression == positive {
			p.leave(chain, h.Level)
		}
	case ActionBad:
		p.bad(code, h)
	case ActionDie:
		p.bad(code, h)
		p.leave(chain, h.Level)
	case ActionIgnore, ActionUndefined:
	default:
		if frozenJump {
			p.ok(code, key, h)
		}
		p.jump(chain, h, int(action))
	}
	return action
}

// ok takes code as the verdict, unless there is one that is not success. That
// a frozen chain now says ignore does not count.
func (p *position) ok(code, key Code, h *Handler) {
	open := p.impression == undecided || p.impression == positive && p.code == Success
	if open && (code != Ignore || code == key) {
		p.verdict = verdict{positive, code, h}
	}
}

func (p *position) bad(code Code, h *Handler) {
	if p.impression == negative {
		return
	}
	if code == Ignore {
		code = PermDenied
	}
	p.verdict = verdict{negative, code, h}
}

// leave skips the rest of the substack, or of the chain at level 0.
func (p *position) leave(chain []*Handler, level int) {
	for p.next < len(chain) && chain[p.next].Level >= level {
		p.next++
	}
}

// jump skips n handlers. A substack counts as one; it cannot be left.
func (p *position) jump(chain []*Handler, h *Handler, n int) {
	for ; n > 0 && p.next < len(chain) && chain[p.next].Level >= h.Level; n-- {
		for p.next++; p.next < len(chain) && chain[p.next].Level > h.Level; p.next++ {
		}
	}
	if n > 0 {
		p.verdict = verdict{negative, PermDenied, h}
	}
}

// end returns what the chain returns.
func (p *position) end() Code {
	if p.code == Success && p.impression != positive {
		return PermDenied
	}
	return p.code
}
