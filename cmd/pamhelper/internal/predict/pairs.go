package predict

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// pair is one argument: what some modules return.
type pair struct {
	text string
	turn string // a call's name, prelim or update; empty for all
	name string // of a module, or a line's place
	code pamstack.Code
	line bool // name is a place
}

// The passes of chauthtok, in the place of a call.
const (
	prelimTurn = "prelim"
	updateTurn = "update"
)

// parsePairs reads the arguments. Each has to name a line of the chain.
func (s *scene) parsePairs(args []string) error {
	for _, arg := range args {
		p, err := parsePair(arg)
		if err != nil {
			return err
		}
		if p.turn != "" && !s.hasTurn(p.turn) {
			return fmt.Errorf("%s: %s is not predicted here; the calls are %s", arg, p.turn, strings.Join(s.turns(), ", "))
		}
		p.line = slices.ContainsFunc(s.chain(), func(h *pamstack.Handler) bool { return s.names.IsPlace(p.name, h.Line) })
		if !slices.ContainsFunc(s.chain(), func(h *pamstack.Handler) bool { return s.isAbout(p, h) }) {
			return s.noLine(p)
		}
		s.pairs = append(s.pairs, p)
	}
	return nil
}

func parsePair(arg string) (p pair, err error) {
	at := strings.LastIndexByte(arg, '=')
	if at <= 0 {
		return p, fmt.Errorf("%q is not MODULE=CODE, such as pam_unix=auth_err", arg)
	}
	p = pair{text: arg, name: arg[:at]}
	if p.code, err = parseCode(arg[at+1:]); err != nil {
		return p, fmt.Errorf("%s: %w", arg, err)
	}
	if turn, name, found := strings.Cut(p.name, ":"); found && isTurn(turn) {
		if _, err := strconv.Atoi(name); err != nil { // else a file named like a call
			p.turn, p.name = turn, name
		}
	}
	return p, nil
}

func parseCode(word string) (pamstack.Code, error) {
	lower := strings.ToLower(word)
	if code, ok := pamstack.CodeNamed(strings.TrimPrefix(lower, "pam_")); ok {
		return code, nil
	}
	if number, err := strconv.ParseInt(word, 10, 32); err == nil {
		return pamstack.Code(number), nil
	}
	return 0, fmt.Errorf("%q is no return code; they are %s", word, strings.Join(codeNames(), ", "))
}

func codeNames() (names []string) {
	for code := range len(pamstack.Table{}) {
		names = append(names, pamstack.Code(code).String())
	}
	return names
}

func isTurn(word string) bool {
	for call := pamstack.Authenticate; call <= pamstack.CloseSession; call++ {
		if word == call.String() {
			return true
		}
	}
	return word == prelimTurn || word == updateTurn
}

// turns are the calls, or passes of one, that pairs can be for.
func (s scene) turns() (names []string) {
	for _, call := range s.calls {
		names = append(names, call.String())
		if call == pamstack.Chauthtok {
			names = append(names, prelimTurn, updateTurn)
		}
	}
	return names
}

func (s scene) hasTurn(turn string) bool { return slices.Contains(s.turns(), turn) }

// isAbout says whether a pair is about a handler.
func (s scene) isAbout(p pair, h *pamstack.Handler) bool {
	if p.line {
		return s.names.IsPlace(p.name, h.Line)
	}
	return h.Kind == pamstack.KindModule && (p.name == h.Path || bare(p.name) == bare(h.Path))
}

// bare is a module's name without path and suffix.
func bare(module string) string { return strings.TrimSuffix(path.Base(module), ".so") }

func (s scene) noLine(p pair) error {
	facility := s.call().Facility()
	if len(s.chain()) == 0 {
		return fmt.Errorf("%s: %s has no line for %v, nor has other", stackview.OneLine(p.text), s.Service, facility)
	}
	var lines [][]cell
	t, there := &columns{}, ""
	for _, h := range s.chain() {
		if h.Kind == pamstack.KindModule {
			lines = append(lines, []cell{{s.names.Place(h.Line), ""}, {stackview.Label(h), ""}})
			t.measure(lines[len(lines)-1])
		}
	}
	for _, cells := range lines {
		there += "\n  " + t.line(stackview.Paint{}, cells)
	}
	return fmt.Errorf("%s: no line of %s for %v is %s; there are%s", stackview.OneLine(p.text), s.Service, facility, stackview.OneLine(p.name), there)
}

// given returns the pair that says what a handler returns, if one does.
func (s scene) given(h *pamstack.Handler, call pamstack.Call, prelim bool) (best pair, found bool) {
	for _, p := range s.pairs {
		if s.isAbout(p, h) && p.meansTurn(call, prelim) && (!found || p.rank() >= best.rank()) {
			best, found = p, true
		}
	}
	return best, found
}

func (p pair) meansTurn(call pamstack.Call, prelim bool) bool {
	switch p.turn {
	case "", call.String():
		return true
	case prelimTurn:
		return prelim
	case updateTurn:
		return call == pamstack.Chauthtok && !prelim
	}
	return false
}

// rank is higher for what says more.
func (p pair) rank() (rank int) {
	if p.line {
		rank += 2
	}
	if p.turn != "" {
		rank++
	}
	return rank
}

// Why a module returns what it does.
const (
	given   = "given"
	always  = "always"
	assumed = ""
)

// code returns what a handler returns, and why.
func (s scene) code(h *pamstack.Handler, call pamstack.Call, prelim bool) (code pamstack.Code, why string) {
	if p, found := s.given(h, call, prelim); found {
		return p.code, given
	}
	if codes := pamstack.Returns(h, call, prelim); len(codes) == 1 {
		return codes[0], always
	}
	return pamstack.Best(h, call, prelim), assumed
}
