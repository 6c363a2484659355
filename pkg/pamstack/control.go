package pamstack

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Action is what libpam does with a handler's return code. A number above 0 is
// a jump over so many handlers.
type Action int

// The actions that are not jumps, numbered as in libpam.
const (
	ActionIgnore Action = -iota
	ActionOK
	ActionDone
	ActionBad
	ActionDie
	ActionReset

	unset
	// ActionUndefined is in place of what libpam did not write or computed by
	// an overflow: nobody can tell what it does.
	ActionUndefined
)

var actionNames = []string{"ignore", "ok", "done", "bad", "die", "reset", "unset", "undefined"}

// String returns the word in a control field, such as "ok", or a jump's number.
func (a Action) String() string {
	if a > 0 {
		return strconv.Itoa(int(a))
	}
	return actionNames[-a]
}

// Table is a control field as libpam uses it: the action for each code from 0
// to 31.
type Table [codeCount]Action

// The tables of the four words.
var words = map[string]Table{
	"required":   wordTable(ActionOK, ActionIgnore, ActionBad),
	"requisite":  wordTable(ActionOK, ActionIgnore, ActionDie),
	"sufficient": wordTable(ActionDone, ActionIgnore, ActionIgnore),
	"optional":   wordTable(ActionOK, ActionIgnore, ActionIgnore),
}

func wordTable(success, ignore, other Action) Table {
	t := allOf(other)
	t[Success], t[NewAuthtokReqd], t[Ignore] = success, success, ignore
	return t
}

func allOf(a Action) (t Table) {
	for code := range t {
		t[code] = a
	}
	return t
}

// setUnset fills what is not set yet, as default= does.
func (t *Table) setUnset(a Action) {
	for code, action := range t {
		if action == unset {
			t[code] = a
		}
	}
}

// errOverflow is a jump beyond an int, which libpam before 1.6 computes anyway.
var errOverflow = errors.New("the jump is larger than an int")

// parseControl reads a control field that is none of the words: value=action
// pairs. On an error libpam takes all of it for bad, and the table says so.
func parseControl(field string, modern bool) (Table, error) {
	t := allOf(unset)
	for rest := skipSpace(field); rest != ""; rest = skipSpace(rest) {
		var err error
		if rest, err = t.pair(rest); errors.Is(err, errOverflow) && !modern {
			return allOf(ActionUndefined), err
		}
		if err != nil {
			return allOf(ActionBad), err
		}
	}
	t.setUnset(ActionBad)
	return t, nil
}

// pair reads one value=action and returns what follows it. Words are matched
// as prefixes: nothing need separate them from what follows.
func (t *Table) pair(field string) (rest string, err error) {
	code, rest := returnValue(field)
	if code < 0 || rest == "" {
		return "", fmt.Errorf("return value expected at %.40q", field)
	}
	value, found := strings.CutPrefix(skipSpace(rest), "=")
	if !found {
		return "", fmt.Errorf("= expected at %.40q", rest)
	}
	action, rest, err := parseAction(skipSpace(value))
	if err != nil {
		return "", err
	}
	if code == codeCount {
		t.setUnset(action)
		return rest, nil
	}
	t[code] = action
	return rest, nil
}

// returnValue returns codeCount for the word default, -1 for none.
func returnValue(field string) (code int, rest string) {
	for i, name := range codeNames {
		if rest, found := strings.CutPrefix(field, name); found {
			return i, rest
		}
	}
	if rest, found := strings.CutPrefix(field, "default"); found {
		return codeCount, rest
	}
	return -1, field
}

func parseAction(field string) (action Action, rest string, err error) {
	for i := ActionIgnore; i > unset; i-- {
		if rest, found := strings.CutPrefix(field, i.String()); found {
			return i, rest, nil
		}
	}
	digits := 0
	for digits < len(field) && field[digits] >= '0' && field[digits] <= '9' {
		digits++
	}
	if digits == 0 {
		return 0, "", fmt.Errorf("action expected at %.40q", field)
	}
	jump, err := strconv.ParseInt(field[:digits], 10, 64)
	if err != nil || jump > math.MaxInt32 {
		return 0, "", fmt.Errorf("%w at %.40q", errOverflow, field)
	}
	if jump == 0 {
		return 0, "", fmt.Errorf("a jump over nothing at %.40q", field)
	}
	return Action(jump), field[digits:], nil
}

// skipSpace skips what C's isspace takes for space.
func skipSpace(s string) string { return strings.TrimLeft(s, " \t\n\v\f\r") }
