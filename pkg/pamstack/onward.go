package pamstack

import "slices"

// Onward returns whose turn comes after h where its code leads to the action:
// the handler after it, or where a jump, done or die goes on. It is nil at the
// end of the chain. A substack is its marker. That done changes nothing after a
// failure is not regarded. Short says that there are too few handlers to jump
// over: libpam takes that for a failure, and goes on behind the last of them.
func (s *Stack) Onward(h *Handler, action Action) (next *Handler, short bool) {
	chain := s.Chain(h.Facility)
	at := slices.Index(chain, h)
	if at < 0 {
		return nil, false
	}
	p := begin()
	p.next = at + 1
	switch {
	case action > 0:
		p.jump(chain, h, int(action))
		short = p.impression == negative
	case action == ActionDone, action == ActionDie:
		p.leave(chain, h.Level)
	}
	if p.next == len(chain) {
		return nil, short
	}
	return chain[p.next], short
}
