package libpam

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// model follows the real libpam with the model of its files: it is given what
// the modules returned, and must predict each next call of a module and what
// libpam returns.
type model struct {
	stack  *pamstack.Stack // nil where it could not be read
	handle *pamstack.Handle
	bound  map[int]pamstack.Binding // by slot
	// unknown is why it cannot follow; empty where it does.
	unknown string
	// lost are the facilities whose chain it cannot follow any more, and why.
	lost map[pamstack.Facility]string
	real *replay // of the call that runs
}

// library is the build of libpam that this process has loaded.
var library = sync.OnceValues(func() (pamstack.Libpam, error) { return pamstack.Detect(libraryPath()) })

// loadModel reads a service. What goes wrong with that is no reason not to run it.
func loadModel(service, confdir string) (m *model) {
	defer func() {
		if r := recover(); r != nil {
			m = &model{unknown: fmt.Sprintf("reading its files failed: %v", r)}
		}
	}()
	library, err := library()
	if err != nil {
		return &model{unknown: err.Error()}
	}
	stack, err := pamstack.Load(service, pamstack.Config{Libpam: library, Confdir: confdir, Unresolved: true})
	if err != nil {
		return &model{unknown: err.Error()}
	}
	return &model{stack: stack}
}

// started compares what pam_start returned, and binds what it found in modules.
func (m *model) started(status Status, log []Note) (disagreement string) {
	if m.stack == nil {
		return ""
	}
	if errors.Is(m.stack.Err, pamstack.ErrUndefined) {
		m.unknown = m.stack.Err.Error()
		return ""
	}
	if (m.stack.Err != nil) != (status == Abort) || status != Success && status != Abort {
		m.unknown = "the model of its files does not agree with libpam"
		return fmt.Sprintf("pam_start returned %d, and the model says %s", status, m.says())
	}
	if m.stack.Err != nil {
		m.unknown = m.stack.Err.Error()
		return ""
	}
	return m.bind(log)
}

// reread is started for a service that a module has changed to: what the call
// returned is all that is known of how reading it went.
func (m *model) reread(status Status, log []Note) (disagreement string) {
	if m.stack == nil || m.stack.Err == nil || status != Abort {
		status = Success
	}
	return m.started(status, log)
}

func (m *model) says() string {
	if m.stack.Err != nil {
		return m.stack.Err.Error()
	}
	return "that it succeeds"
}

// bind finds the line of each function.
func (m *model) bind(log []Note) (disagreement string) {
	list, slots, lost := lookups()
	if lost > 0 {
		m.unknown = fmt.Sprintf("%d functions of modules are more than the hooks have room for", len(list)+lost)
		return ""
	}
	bindings, err := m.stack.Bind(list)
	if err != nil {
		m.unknown = "the model of its files does not agree with libpam"
		return err.Error()
	}
	m.bound, m.lost = map[int]pamstack.Binding{}, map[pamstack.Facility]string{}
	for i, slot := range slots {
		m.bound[slot] = bindings[i]
		place(slot, bindings[i].Handler.Line)
	}
	m.handle, _ = m.stack.Open(m.code)
	m.explainUnloaded(log)
	return ""
}

// explainUnloaded gives modules that libpam could not load the reason it logged.
func (m *model) explainUnloaded(log []Note) {
	for _, h := range m.stack.Handlers() {
		if h.Module == nil || h.Module.Err == nil {
			continue
		}
		for _, note := range log {
			if _, reason, found := strings.Cut(note.Text, "unable to dlopen("+h.Path+"): "); found {
				h.Module.Err = errors.New(reason)
			}
		}
		// Debian's libpam tries a second directory, and logs only how that failed.
		file := m.stack.Libpam.ModuleDir + h.Path
		if _, err := os.Stat(file); err == nil && !strings.HasPrefix(h.Path, "/") {
			h.Module.Err = fmt.Errorf("%s is there and does not load: a library or symbol that it needs is missing (ldd -r says which)", file)
		}
	}
}

// start describes pam_start.
func (m *model) start(t *Trace) {
	t.Unknown = m.unknown
	var broken *pamstack.Error
	if m.stack != nil && t.Disagreement == "" && errors.As(m.stack.Err, &broken) && t.Status != Success {
		t.Unknown, t.Decision = "", &Decision{File: broken.Line.File, Line: broken.Line.Number, Problem: problemOf(broken.Note)}
	}
}

func problemOf(n pamstack.Note) string {
	if n.Detail == "" {
		return string(n.Problem)
	}
	return string(n.Problem) + ": " + n.Detail
}

// replay hands the model the codes of real calls, one after the other.
type replay struct {
	calls []realCall
	next  int
	bad   string // the first disagreement
}

func (r *replay) disagree(format string, args ...any) {
	if r.bad == "" {
		r.bad = fmt.Sprintf(format, args...)
	}
}

// code is what a handler's module really returned.
func (m *model) code(h *pamstack.Handler, call pamstack.Call, prelim bool) pamstack.Code {
	r := m.real
	if r.next == len(r.calls) {
		r.disagree("libpam called no module any more, and the model expects %s of %s:%d", call.Function(), h.Line.File, h.Line.Number)
		return pamstack.Ignore
	}
	real := r.calls[r.next]
	r.next++
	b, known := m.bound[real.slot]
	if !known || b.Handler != h || b.Call != call || real.prelim != prelim {
		r.disagree("libpam called %s, and the model expects %s of %s:%d", m.named(real), call.Function(), h.Line.File, h.Line.Number)
	}
	return real.code
}

func (m *model) named(real realCall) string {
	b, known := m.bound[real.slot]
	if !known {
		return "a function of " + moduleOf(real.slot) + " that belongs to no line"
	}
	return fmt.Sprintf("%s of %s:%d", b.Call.Function(), b.Handler.Line.File, b.Handler.Line.Number)
}

// follow makes the same call on the model, and describes it.
func (m *model) follow(t *Trace, call pamstack.Call, r record) {
	if t.Unknown = m.cannotFollow(call.Facility(), r); t.Unknown != "" {
		t.Turns = m.bareTurns(r.calls)
		return
	}
	m.real = &replay{calls: r.calls}
	outcome := m.handle.Call(call)
	if t.Disagreement = m.compare(outcome, t.Status); t.Disagreement != "" {
		m.lost[call.Facility()] = "model and libpam did not agree before"
		t.Turns = m.bareTurns(r.calls)
		return
	}
	if outcome.Undefined != nil {
		line := outcome.Undefined.Line
		t.Unknown = fmt.Sprintf("what %s:%d does is undefined in libpam", line.File, line.Number)
		m.lost[call.Facility()] = t.Unknown
		t.Turns = m.bareTurns(r.calls)
		return
	}
	t.Turns = m.turns(outcome, r.calls)
	t.Decision = decisionOf(outcome)
}

func (m *model) cannotFollow(f pamstack.Facility, r record) string {
	switch {
	case m.handle == nil:
		return m.unknown
	case r.callsLost > 0:
		m.lost[f] = "there were more calls of modules than can be kept"
	}
	return m.lost[f]
}

// compare says how the model's outcome is not what libpam did; what follows an
// undefined handler cannot be compared.
func (m *model) compare(o pamstack.Outcome, status Status) (disagreement string) {
	r := m.real
	switch {
	case o.Undefined != nil:
	case r.next < len(r.calls):
		r.disagree("libpam called %s, and the model expects no call any more", m.named(r.calls[r.next]))
	case o.Code != pamstack.Code(status):
		r.disagree("libpam returned %d, and the model says %d (%s)", status, o.Code, o.Code)
	}
	return r.bad
}

// turns joins the model's steps and the real calls, which agree. A handler that
// had no turn in any pass stands in the last one.
func (m *model) turns(o pamstack.Outcome, calls []realCall) (turns []Turn) {
	had := map[*pamstack.Handler]bool{}
	for _, step := range o.Steps {
		had[step.Handler] = true
	}
	chain := m.stack.Chain(o.Call.Facility())
	skipped := func(until *pamstack.Handler) {
		for ; len(chain) > 0 && chain[0] != until; chain = chain[1:] {
			if !had[chain[0]] && chain[0].Kind != pamstack.KindSubstack {
				turns = append(turns, Turn{Handler: chain[0]})
			}
		}
	}
	last := len(o.Steps) > 0 && o.Steps[len(o.Steps)-1].Prelim
	for _, step := range o.Steps {
		if step.Prelim == last {
			skipped(step.Handler)
		}
		turn := Turn{Handler: step.Handler, Reached: true, Prelim: step.Prelim, Code: step.Code, Key: step.Key,
			Action: step.Action, Known: step.Code != pamstack.Incomplete}
		if step.Called {
			turn.took(calls[0])
			calls = calls[1:]
		}
		turns = append(turns, turn)
	}
	skipped(nil)
	return turns
}

// took adds what the hooks saw.
func (t *Turn) took(real realCall) {
	t.Module, t.Time, t.Notes = moduleOf(real.slot), real.time, real.notes
}

// bareTurns are the calls, with their lines where those are known.
func (m *model) bareTurns(calls []realCall) (turns []Turn) {
	for _, real := range calls {
		turn := Turn{Handler: m.bound[real.slot].Handler, Reached: true, Prelim: real.prelim, Code: real.code, Key: real.code}
		turn.took(real)
		turns = append(turns, turn)
	}
	return turns
}

// decisionOf names the line that set the code. Where none did it is the last one
// that had a turn, if that jumped.
func decisionOf(o pamstack.Outcome) *Decision {
	at := len(o.Steps) - 1
	for at >= 0 && o.Decided != nil && o.Steps[at].Handler != o.Decided {
		at--
	}
	decided := at >= 0 && (o.Decided != nil || o.Steps[at].Action > 0)
	if !decided {
		return &Decision{Code: o.Code, Behind: failedBefore(o, len(o.Steps))}
	}
	d := stepDecision(o.Steps[at])
	if o.Decided == nil {
		return d
	}
	if fixed(o.Decided, o.Call, o.Steps[at].Prelim) {
		d.Behind = failedBefore(o, at)
	}
	return d
}

// failedBefore names the last line before a step whose module failed, of those
// that do not fail whatever happens; nil where the call succeeded.
func failedBefore(o pamstack.Outcome, at int) *Decision {
	for at--; at >= 0 && o.Code != pamstack.Success; at-- {
		step := o.Steps[at]
		failed := step.Handler.Kind == pamstack.KindModule && step.Code != pamstack.Success && step.Code != pamstack.Ignore
		if failed && !fixed(step.Handler, o.Call, step.Prelim) {
			return stepDecision(step)
		}
	}
	return nil
}

// fixed says that a module returns the same whatever happens.
func fixed(h *pamstack.Handler, call pamstack.Call, prelim bool) bool {
	return len(pamstack.Returns(h, call, prelim)) == 1
}

func stepDecision(step pamstack.Step) *Decision {
	h := step.Handler
	return &Decision{File: h.Line.File, Line: h.Line.Number, Module: h.Path, Control: h.ControlField(), Code: step.Code, Action: step.Action}
}

// Bound is a function of a module that libpam has bound.
type Bound struct {
	Module string // its file's name
	File   string // of the line; empty where it is not known
	Line   int
}

// authenticators are the modules that pam_authenticate can call: those of the
// service's own lines or, where it has none, of the service other's. Where the
// model does not know which these are, all are.
func (m *model) authenticators() (list []Bound) {
	found, slots, _ := lookups()
	for i, lookup := range found {
		if lookup.Call != pamstack.Authenticate {
			continue
		}
		b := Bound{Module: filepath.Base(lookup.File)}
		if binding, known := m.bound[slots[i]]; known {
			if !slices.Contains(m.stack.Chain(pamstack.Auth), binding.Handler) {
				continue
			}
			b.File, b.Line = binding.Handler.Line.File, binding.Handler.Line.Number
		}
		list = append(list, b)
	}
	return list
}
