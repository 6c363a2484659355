package show

import (
	"encoding/json"
	"io"
	"slices"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// The object of --json. Lists are never null.
type (
	stackJSON struct {
		Service    string         `json:"service"`
		File       string         `json:"file,omitempty"`       // none: other serves alone
		OtherFile  string         `json:"other_file,omitempty"` // none: there is no other
		Error      *errorJSON     `json:"error,omitempty"`      // pam_start fails
		Libpam     libpamJSON     `json:"libpam"`
		Facilities []facilityJSON `json:"facilities"`
		Problems   []problemJSON  `json:"problems"` // all of the service
	}
	errorJSON struct {
		Kind string `json:"kind"` // "abort" or "undefined"
		Text string `json:"text"`
	}
	libpamJSON struct {
		Path        string   `json:"path,omitempty"`
		Debian      bool     `json:"debian"`
		Modern      bool     `json:"modern"`
		ServiceDirs []string `json:"service_dirs"`
		ModuleDir   string   `json:"module_dir"`
	}
	facilityJSON struct {
		Facility string        `json:"facility"`
		From     string        `json:"from"` // "service", "other" or "none"
		Handlers []handlerJSON `json:"handlers"`
	}
	placeJSON struct {
		File string `json:"file"`
		Line int    `json:"line"`
	}
	handlerJSON struct {
		placeJSON
		Via       []placeJSON       `json:"via"`  // the includes that led there, the outermost first
		Kind      string            `json:"kind"` // "module", "must_fail" or "substack"
		Level     int               `json:"level"`
		Silent    bool              `json:"silent,omitempty"`
		Control   string            `json:"control"`
		Actions   map[string]string `json:"actions,omitempty"` // for each code
		Jumps     []jumpJSON        `json:"jumps,omitempty"`
		Module    string            `json:"module,omitempty"`      // as written
		File      string            `json:"module_file,omitempty"` // none: it cannot be loaded
		Error     string            `json:"module_error,omitempty"`
		Missing   []string          `json:"missing_functions,omitempty"`
		Arguments []string          `json:"arguments"`
	}
	jumpJSON struct {
		Codes []string `json:"codes"`
		Over  int      `json:"over"`
		// To is the index of the handler it goes on with; as many as there are
		// handlers for the end.
		To    int  `json:"to"`
		Short bool `json:"short,omitempty"` // too few to jump over: it fails
	}
	problemJSON struct {
		placeJSON
		Problem string `json:"problem"`
		Detail  string `json:"detail,omitempty"`
	}
)

func printJSON(out io.Writer, s *pamstack.Stack, shown []pamstack.Facility) error {
	o := stackJSON{
		Service: s.Service, File: s.File, OtherFile: s.OtherFile, Problems: []problemJSON{},
		Libpam: libpamJSON{s.Libpam.Path, s.Libpam.Debian, s.Libpam.Modern, s.Libpam.ServiceDirs, s.Libpam.ModuleDir},
	}
	if s.Err != nil {
		o.Error = &errorJSON{stackview.ErrorKind(s.Err), s.Err.Error()}
	}
	for _, f := range shown {
		o.Facilities = append(o.Facilities, facilityOf(s, f))
	}
	for _, note := range s.Notes {
		o.Problems = append(o.Problems, problemJSON{placeOf(note.Line), string(note.Problem), note.Detail})
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(o)
}

func facilityOf(s *pamstack.Stack, f pamstack.Facility) facilityJSON {
	chain := s.Chain(f)
	o := facilityJSON{Facility: f.String(), From: "service", Handlers: []handlerJSON{}}
	switch {
	case len(chain) == 0:
		o.From = "none"
	case chain[0].Other:
		o.From = "other"
	}
	for _, h := range chain {
		o.Handlers = append(o.Handlers, handlerOf(s, chain, h))
	}
	return o
}

func handlerOf(s *pamstack.Stack, chain []*pamstack.Handler, h *pamstack.Handler) handlerJSON {
	o := handlerJSON{
		placeJSON: placeOf(h.Line), Via: []placeJSON{}, Kind: kinds[h.Kind], Level: h.Level, Silent: h.Silent,
		Control: h.Control, Module: h.Path, Arguments: append([]string{}, h.Arguments...),
	}
	for via := h.Line.Via; via != nil; via = via.Via {
		o.Via = slices.Insert(o.Via, 0, placeOf(via))
	}
	if h.Kind == pamstack.KindSubstack {
		return o
	}
	o.Actions = map[string]string{}
	for code, action := range h.Table {
		o.Actions[pamstack.Code(code).String()] = action.String()
	}
	for _, g := range jumps(h) {
		o.Jumps = append(o.Jumps, jumpOf(s, chain, h, g))
	}
	if m := h.Module; m != nil {
		o.File = m.File
		if m.Err != nil {
			o.Error = m.Err.Error()
		}
		for _, call := range calls(h.Facility) {
			if m.Err == nil && !m.Has(call) {
				o.Missing = append(o.Missing, call.Function())
			}
		}
	}
	return o
}

func jumpOf(s *pamstack.Stack, chain []*pamstack.Handler, h *pamstack.Handler, g stackview.Group) jumpJSON {
	o := jumpJSON{Over: int(g.Action), To: len(chain)}
	for _, code := range g.Codes {
		o.Codes = append(o.Codes, code.String())
	}
	next, short := s.Onward(h, g.Action)
	if o.Short = short; next != nil {
		o.To = slices.Index(chain, next)
	}
	return o
}

var kinds = map[pamstack.Kind]string{
	pamstack.KindModule: "module", pamstack.KindMustFail: "must_fail", pamstack.KindSubstack: "substack",
}

func placeOf(line *pamstack.Line) placeJSON { return placeJSON{line.File, line.Number} }
