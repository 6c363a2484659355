package show

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// drawing is the display for a person.
type drawing struct {
	options
	stack *pamstack.Stack
	names stackview.Names
	views []*view
	notes noteboard
	text  strings.Builder
	// The widths of the columns: what is before the control field, control, module.
	place, control, module int
}

// Longer fields do not move the columns of all other lines.
const (
	mostControl = 30
	mostModule  = 24
)

func newDrawing(o options, s *pamstack.Stack, shown []pamstack.Facility) *drawing {
	d := &drawing{options: o, stack: s, names: stackview.NamesIn(s), notes: newNoteboard(s)}
	for _, f := range shown {
		v := viewOf(s, f)
		d.views = append(d.views, v)
		for _, e := range v.entries {
			control, module := d.fields(e.row)
			d.place = max(d.place, v.gutter.width()+stackview.Width(e.branch+d.names.Place(e.line)))
			d.control = wider(d.control, control, mostControl)
			d.module = wider(d.module, module, mostModule)
		}
	}
	return d
}

// wider returns the width of a column with a text in it, if it is to count.
func wider(width int, text string, most int) int {
	if w := stackview.Width(text); w <= most {
		return max(width, w)
	}
	return width
}

// fields returns a row's control field and what follows it.
func (d *drawing) fields(r *row) (control, module string) {
	how, file, include := stackview.Included(r.line)
	switch {
	case include && !r.rest:
		return how, file
	case include:
		return how, "(the rest of " + file + ")"
	}
	return stackview.Control(r.handler), stackview.Label(r.handler)
}

func (d *drawing) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	d.text.WriteString(strings.TrimRight(text, " ") + "\n")
}

// title says what is shown, and what pam_start makes of it.
func (d *drawing) title(asked string) {
	name := stackview.OneLine(d.stack.Service)
	switch {
	case d.stack.File != "":
		d.say("%s  %s", d.paint.In(stackview.Bold, name), stackview.OneLine(d.stack.File))
	case d.stack.OtherFile != "":
		what, where := "there is no such service", "not there:"
		if d.skipped() {
			what, where = "there is no file of the service that opens", "not open: "
		}
		d.say("%s  %s", d.paint.In(stackview.Bold, name), d.paint.In(stackview.Yellow, what+": libpam uses the service other instead, without a word"))
		d.say("  %s %s", where, stackview.OneLine(strings.Join(d.stack.Places, ", ")))
		d.say("  used:      %s", stackview.OneLine(d.stack.OtherFile))
	default:
		d.say("%s", d.paint.In(stackview.Bold, name))
	}
	if d.stack.Service != asked {
		d.say("  libpam reads %s as %s: it lowers the names of services", stackview.OneLine(asked), name)
	}
	if d.verbose {
		d.say("  %s", describe(d.stack.Libpam))
	}
	if text := d.names.StartError(d.stack); text != "" {
		d.say("%s", d.paint.In(stackview.Red, "! "+text))
		d.say("  No call is answered. What follows is what libpam had read before.")
	}
}

// skipped says that a file of the service is there, but does not open.
func (d *drawing) skipped() bool {
	return slices.ContainsFunc(d.stack.Notes, func(note pamstack.Note) bool {
		return note.Problem == pamstack.FileSkipped && slices.Contains(d.stack.Places, note.Line.File)
	})
}

func describe(l pamstack.Libpam) string {
	kind, version := "upstream", "before 1.6"
	if l.Debian {
		kind = "Debian"
	}
	if l.Modern {
		version = "1.6 or later"
	}
	return strings.TrimSpace(fmt.Sprintf("%s libpam, %s, modules in %s  %s", kind, version, l.ModuleDir, l.Path))
}

// facility shows one facility.
func (d *drawing) facility(v *view) {
	heading := d.paint.In(stackview.Bold, v.facility.String())
	if len(v.chain) == 0 && d.stack.Err != nil {
		return
	}
	if len(v.chain) == 0 {
		d.say("\n%s  %s", heading, d.paint.In(stackview.Yellow, "no lines here nor in other: every call returns perm_denied"))
		return
	}
	if v.chain[0].Other && d.stack.File != "" {
		heading += "  " + d.paint.In(stackview.Yellow, "not in "+d.names.File(d.stack.File)+": from the service other")
	}
	d.say("\n%s", heading)
	for i, e := range v.entries {
		d.row(v, i, e)
	}
	if v.toEnd {
		d.say("  %s%s", d.arrows(v.gutter.at(len(v.entries))), d.paint.In(stackview.Dim, "the end"))
	}
}

// row shows one row, and what is to be said about it below.
func (d *drawing) row(v *view, i int, e entry) {
	control, module := d.fields(e.row)
	place := d.names.Place(e.line)
	gap := strings.Repeat(" ", max(0, d.place-v.gutter.width()-stackview.Width(e.branch+place)))
	var rest []string
	if e.handler != nil && e.handler.Kind != pamstack.KindSubstack {
		if _, _, include := stackview.Included(e.line); !include {
			rest = append(rest, stackview.Arguments(e.handler))
		}
		rest = append(rest, d.fate(e)...)
	}
	about := d.about(v, e)
	if e.handler == nil && len(e.children) == 0 && len(about) == 0 && d.stack.Err == nil {
		rest = append(rest, d.paint.In(stackview.Dim, "(no "+v.facility.String()+" lines in it)"))
	}
	look := ""
	if e.handler == nil || e.handler.Kind == pamstack.KindSubstack {
		look = stackview.Dim
	}
	d.say("  %s%s%s  %s  %s  %s", d.arrows(v.gutter.at(i)), d.paint.In(stackview.Dim, d.paint.Draw(e.branch)+place), gap,
		d.paint.In(look, stackview.Pad(control, d.control)), d.paint.In(orCyan(look), stackview.Pad(module, d.module)), joined(rest))
	for _, text := range about {
		below := stackview.Pad(e.below, d.place-v.gutter.width())
		d.say("  %s%s  %s", d.arrows(v.gutter.below(i)), d.paint.In(stackview.Dim, d.paint.Draw(below)), text)
	}
}

func orCyan(look string) string {
	if look == "" {
		return stackview.Cyan
	}
	return look
}

func (d *drawing) arrows(drawn string) string {
	return d.paint.In(stackview.Yellow, d.paint.Draw(drawn))
}

func joined(parts []string) string {
	var kept []string
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "  ")
}

// fate says in the row itself where its jumps lead.
func (d *drawing) fate(e entry) (texts []string) {
	for _, g := range jumps(e.handler) {
		texts = append(texts, d.paint.In(stackview.Yellow, fmt.Sprintf("%v %s %s", g, d.paint.Draw("→"), d.names.Onward(d.stack, e.handler, g.Action))))
	}
	return texts
}

// about is what is to be said below a row.
func (d *drawing) about(v *view, e entry) (texts []string) {
	for _, note := range d.notes.take(e) {
		texts = append(texts, "! "+stackview.Problem(note))
	}
	if e.handler == nil {
		return d.red(texts)
	}
	if failing := stackview.Failing(e.handler, calls(v.facility)); failing != "" {
		if len(texts) == 0 {
			texts = []string{"! " + failing}
		} else {
			texts[len(texts)-1] += ": " + failing
		}
	}
	texts = d.red(texts)
	if d.verbose && e.handler.Kind != pamstack.KindSubstack {
		texts = append(texts, d.meaning(e.handler)...)
	}
	return texts
}

func (d *drawing) red(texts []string) (painted []string) {
	for _, text := range texts {
		painted = append(painted, d.paint.In(stackview.Red, text))
	}
	return painted
}

func calls(f pamstack.Facility) (list []pamstack.Call) {
	for call := pamstack.Authenticate; call <= pamstack.CloseSession; call++ {
		if call.Facility() == f {
			list = append(list, call)
		}
	}
	return list
}

// meaning is a control field in words.
func (d *drawing) meaning(h *pamstack.Handler) (texts []string) {
	width := 0
	groups := stackview.Groups(h.Table)
	for _, g := range groups {
		width = max(width, stackview.Width(g.String()))
	}
	for _, g := range groups {
		texts = append(texts, d.paint.In(stackview.Dim, fmt.Sprintf("  %s  %s", stackview.Pad(g.String(), width), d.names.Meaning(d.stack, h, g.Action))))
	}
	if h.Module != nil && h.Module.File != "" {
		texts = append(texts, d.paint.In(stackview.Dim, "  "+stackview.OneLine(h.Module.File)))
	}
	if h.Silent {
		texts = append(texts, d.paint.In(stackview.Dim, "  -: that the module is missing is not logged"))
	}
	return texts
}

// leftOver shows the problems of no line that has been shown.
func (d *drawing) leftOver() {
	notes := d.notes.left()
	if len(notes) == 0 || len(d.views) < len(facilities) {
		return
	}
	d.say("\n%s", d.paint.In(stackview.Bold, "elsewhere"))
	for _, note := range notes {
		d.say("  %s  %s", d.names.Place(note.Line), d.paint.In(stackview.Red, "! "+stackview.Problem(note)))
	}
}
