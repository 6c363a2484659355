package try

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

// trace shows what one call of libpam did. A call without anything to tell is
// left out.
func (t *plain) trace(trace ipc.Trace) {
	if silent(trace) {
		return
	}
	fmt.Fprintf(t.out, "  %s\n", oneLine(trace.Function))
	for _, turn := range trace.Turns {
		t.turn(turn)
	}
	if trace.TurnsOmitted > 0 {
		fmt.Fprintf(t.out, "    %d lines more than can be shown\n", trace.TurnsOmitted)
	}
	for _, n := range trace.Notes {
		fmt.Fprintf(t.out, "    libpam %s\n", noteText(n))
	}
	if trace.NotesOmitted > 0 {
		fmt.Fprintf(t.out, "    modules did %d things more than can be shown\n", trace.NotesOmitted)
	}
	if trace.Disagreement != "" {
		fmt.Fprintf(t.out, "    DISAGREEMENT: libpam did not do what its files say: %s\n", oneLine(trace.Disagreement))
	}
	if trace.Unknown != "" {
		fmt.Fprintf(t.out, "    what libpam made of these codes is not known: %s\n", oneLine(trace.Unknown))
	}
	fmt.Fprintf(t.out, "    = %s", trace.Code)
	if trace.Decision != nil {
		own := *trace.Decision
		own.Behind = nil // it stands above
		fmt.Fprintf(t.out, ", decided by: %s", &own)
	}
	fmt.Fprintln(t.out)
}

// silent says that there is nothing in a trace: pam_start and pam_end, mostly.
func silent(t ipc.Trace) bool {
	return len(t.Turns) == 0 && len(t.Notes) == 0 && t.Disagreement == "" && t.Unknown == "" && t.Decision == nil
}

func (t *plain) turn(turn ipc.Turn) {
	place := fmt.Sprintf("%s:%d", turn.File, turn.Line)
	if turn.File == "" {
		place = "(line not known) " + turn.Called
	}
	indent := strings.Repeat("  ", turn.Level)
	line := strings.TrimSpace(strings.Join([]string{turn.Control, turn.Module, turn.Arguments}, " "))
	if !turn.Reached {
		fmt.Fprintf(t.out, "    %s%s  %s: not reached\n", indent, oneLine(place), oneLine(line))
		return
	}
	fmt.Fprintf(t.out, "    %s%s  %s\n", indent, oneLine(place), oneLine(line))
	fmt.Fprintf(t.out, "        %s%s\n", indent, outcome(turn))
	for _, n := range turn.Notes {
		fmt.Fprintf(t.out, "        %s%s\n", indent, noteText(n))
	}
}

// outcome is what a turn came to, such as "auth_err -> die, 3ms".
func outcome(turn ipc.Turn) string {
	text := codeWord(turn.Code)
	if turn.Key != turn.Code {
		text += ", taken for " + codeWord(turn.Key) + " as in the call before"
	}
	switch {
	case turn.Code == ipc.Code(pamstack.Incomplete):
		text += " -> stops here: the application has to call again"
	case turn.Action != "":
		text += " -> " + actionWords(turn.Action)
	}
	if turn.Prelim {
		text += ", first pass"
	}
	if turn.Called == "" {
		text += ", no module was called"
		if turn.Problem != "" {
			text += ": " + oneLine(turn.Problem)
		}
		return text
	}
	return text + ", " + turn.Duration.Round(time.Microsecond).String()
}

// actionWords says that a number is a jump.
func actionWords(action string) string {
	if _, err := strconv.Atoi(action); err == nil {
		return "jump over " + action
	}
	return action
}

// codeWord is a code as a control field has it.
func codeWord(c ipc.Code) string { return pamstack.Code(c).String() }

var levels = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// noteText is what a module did, for a person.
func noteText(n ipc.Note) string {
	text := oneLine(string(n.Text))
	if n.Omitted > 0 {
		text += fmt.Sprintf(" (and %d bytes more)", n.Omitted)
	}
	switch n.Kind {
	case ipc.NoteLogged:
		return "logged (" + levels[n.Number&7] + "): " + text
	case ipc.NoteItemSet:
		return "set " + libpam.ItemName(n.Number)
	case ipc.NoteItemUnset:
		return "unset " + libpam.ItemName(n.Number)
	case ipc.NoteVariableSet:
		return "set the variable " + text
	case ipc.NoteVariableUnset:
		return "unset the variable " + text
	case ipc.NoteDelay:
		return "asked for a delay of " + (time.Duration(n.Number) * time.Microsecond).String() + " after a failure"
	case ipc.NoteSaid:
		return "said (" + styleWord(n.Number) + "): " + text
	}
	return text
}

func styleWord(style int) string {
	switch libpam.Style(style) {
	case libpam.PromptEchoOff:
		return "echo_off"
	case libpam.PromptEchoOn:
		return "echo_on"
	case libpam.ErrorMsg:
		return "error"
	case libpam.TextInfo:
		return "info"
	}
	return "binary"
}
