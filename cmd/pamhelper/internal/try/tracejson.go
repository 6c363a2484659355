package try

import (
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
)

type jsonTrace struct {
	Event        string        `json:"event"`
	Function     string        `json:"function"`
	Code         string        `json:"code"`
	Number       int           `json:"number"`
	Turns        []jsonTurn    `json:"turns"`
	Omitted      int           `json:"omitted,omitempty"`
	Notes        []jsonNote    `json:"notes,omitempty"` // libpam's own
	NotesOmitted int           `json:"notes_omitted,omitempty"`
	Decision     *jsonDecision `json:"decision,omitempty"`
	Disagreement string        `json:"disagreement,omitempty"`
	Unknown      string        `json:"unknown,omitempty"`
}

type jsonTurn struct {
	File      string     `json:"file,omitempty"`
	Line      int        `json:"line,omitempty"`
	Control   string     `json:"control,omitempty"`
	Module    string     `json:"module,omitempty"`
	Arguments string     `json:"arguments,omitempty"`
	Level     int        `json:"level,omitempty"`
	Reached   bool       `json:"reached"`
	Called    string     `json:"called,omitempty"`
	Pass      string     `json:"pass,omitempty"`
	Code      string     `json:"code,omitempty"`
	Key       string     `json:"key,omitempty"` // where it is not the code
	Action    string     `json:"action,omitempty"`
	Duration  int64      `json:"duration_ns,omitempty"`
	Notes     []jsonNote `json:"notes,omitempty"`
	Problem   string     `json:"problem,omitempty"`
}

type jsonNote struct {
	Kind    string `json:"kind"`
	Level   string `json:"level,omitempty"`
	Style   string `json:"style,omitempty"`
	Name    string `json:"name,omitempty"` // of an item or variable
	Text    string `json:"text,omitempty"`
	Delay   int    `json:"delay_us,omitempty"`
	Omitted int    `json:"omitted_bytes,omitempty"`
}

type jsonDecision struct {
	File    string `json:"file,omitempty"` // empty: no line decided
	Line    int    `json:"line,omitempty"`
	Module  string `json:"module,omitempty"`
	Control string `json:"control,omitempty"`
	Code    string `json:"code,omitempty"`
	Action  string `json:"action,omitempty"`
	Problem string `json:"problem,omitempty"`
	// Behind is the line that failed before one that fails whatever happens.
	Behind *jsonDecision `json:"behind,omitempty"`
}

// trace leaves out a call without anything to tell, as plain.trace does.
func (j *jsonLines) trace(t ipc.Trace) {
	if silent(t) {
		return
	}
	out := jsonTrace{
		Event: "trace", Function: t.Function, Code: t.Code.String(), Number: int(t.Code), Turns: []jsonTurn{},
		Omitted: t.TurnsOmitted, Notes: jsonNotes(t.Notes), NotesOmitted: t.NotesOmitted,
		Decision: decisionJSON(t.Decision), Disagreement: t.Disagreement, Unknown: t.Unknown,
	}
	for _, turn := range t.Turns {
		out.Turns = append(out.Turns, turnJSON(turn))
	}
	j.encoder.Encode(out)
}

func turnJSON(t ipc.Turn) jsonTurn {
	out := jsonTurn{
		File: t.File, Line: t.Line, Control: t.Control, Module: t.Module, Arguments: t.Arguments, Level: t.Level,
		Reached: t.Reached, Called: t.Called, Action: t.Action, Duration: t.Duration.Nanoseconds(), Notes: jsonNotes(t.Notes), Problem: t.Problem,
	}
	if !t.Reached {
		return out
	}
	out.Code = codeWord(t.Code)
	if t.Key != t.Code {
		out.Key = codeWord(t.Key)
	}
	if t.Prelim {
		out.Pass = "prelim"
	}
	return out
}

func decisionJSON(d *ipc.Decision) *jsonDecision {
	if d == nil {
		return nil
	}
	out := &jsonDecision{File: d.File, Line: d.Line, Module: d.Module, Control: d.Control, Action: d.Action, Problem: d.Problem,
		Behind: decisionJSON(d.Behind)}
	if d.File != "" && d.Problem == "" {
		out.Code = codeWord(d.Code)
	}
	return out
}

func jsonNotes(notes []ipc.Note) (list []jsonNote) {
	for _, n := range notes {
		list = append(list, noteJSON(n))
	}
	return list
}

func noteJSON(n ipc.Note) jsonNote {
	switch n.Kind {
	case ipc.NoteLogged:
		return jsonNote{Kind: "logged", Level: levels[n.Number&7], Text: string(n.Text), Omitted: n.Omitted}
	case ipc.NoteItemSet:
		return jsonNote{Kind: "item_set", Name: libpam.ItemName(n.Number)}
	case ipc.NoteItemUnset:
		return jsonNote{Kind: "item_unset", Name: libpam.ItemName(n.Number)}
	case ipc.NoteVariableSet:
		return jsonNote{Kind: "variable_set", Name: string(n.Text), Omitted: n.Omitted}
	case ipc.NoteVariableUnset:
		return jsonNote{Kind: "variable_unset", Name: string(n.Text), Omitted: n.Omitted}
	case ipc.NoteDelay:
		return jsonNote{Kind: "delay", Delay: n.Number}
	}
	return jsonNote{Kind: "said", Style: styleWord(n.Number), Text: string(n.Text), Omitted: n.Omitted}
}
