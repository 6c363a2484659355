package pamstack

import (
	"errors"
	"strings"
	"testing"
)

// table is a table by the actions that differ from the rest.
func table(rest Action, pairs map[Code]Action) Table {
	t := allOf(rest)
	for code, action := range pairs {
		t[code] = action
	}
	return t
}

func TestControlTables(t *testing.T) {
	ok, bad, ignore := ActionOK, ActionBad, ActionIgnore
	for field, want := range map[string]Table{
		"success=ok ignore=ignore default=bad": table(bad, map[Code]Action{Success: ok, Ignore: ignore}),
		"success=okdefault=ignore":             table(ignore, map[Code]Action{Success: ok}),
		"success=1 default=2 default=die":      table(2, map[Code]Action{Success: 1}),
		"default=ignore auth_err=die":          table(ignore, map[Code]Action{AuthErr: ActionDie}),
		"default=done success = \v reset":      table(ActionDone, map[Code]Action{Success: ActionReset}),
		"user_unknown=2147483647":              table(bad, map[Code]Action{UserUnknown: 2147483647}),
		"":                                     allOf(bad),
	} {
		if got, err := parseControl(field, true); got != want || err != nil {
			t.Errorf("[%s] = %v, %v, want %v", field, got, err, want)
		}
	}
}

func TestWrongControlIsBadAltogether(t *testing.T) {
	for _, field := range []string{
		"requird", "success=okay", "success", "success ok", "success=", "success=0", "success=-1", "Success=ok",
		"success=ok nosuch=bad", "success=ok,default=bad", "success=2147483648",
	} {
		if got, err := parseControl(field, true); got != allOf(ActionBad) || err == nil {
			t.Errorf("[%s] = %v, %v, want all bad and an error", field, got, err)
		}
	}
}

func TestJumpBeyondAnIntIsUndefinedBefore16(t *testing.T) {
	got, err := parseControl("success="+strings.Repeat("9", 30), false)
	if got != allOf(ActionUndefined) || !errors.Is(err, errOverflow) {
		t.Errorf("got %v, %v, want all undefined and %v", got, err, errOverflow)
	}
}
