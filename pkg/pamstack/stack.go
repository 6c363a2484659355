package pamstack

// Stack is a service as one libpam reads it.
type Stack struct {
	// Service is the name as libpam uses it: what follows the last slash, in
	// lower case.
	Service string
	// File and OtherFile are where the service and the service other are read
	// from, also where they are empty. An empty path is one that is not there:
	// without File it is other that serves the service.
	File, OtherFile string
	Places          []string // where File is looked for
	Libpam          Libpam
	// Lines are the logical lines in the order of reading, those of included
	// files after the line that includes them, and once for each time a file is
	// read. Lines of another facility than the included one are among them.
	Lines []*Line
	// Notes are the problems met, in the order of reading.
	Notes []Note
	// Err is why pam_start fails (ErrAbort), why nobody can tell what it does
	// (ErrUndefined), or that not all was read (ErrTooLarge): an *Error. Nil where it succeeds. With an error the
	// stack is as far as libpam came.
	Err error

	own, other [facilityCount][]*Handler
	handlers   []*Handler // of both, in the order of reading
}

// Chain returns the handlers that calls of the facility run, in order: the
// service's own if there are any, else those of other. It can be empty.
func (s *Stack) Chain(f Facility) []*Handler {
	if len(s.own[f]) > 0 {
		return s.own[f]
	}
	return s.other[f]
}

// Kind is what a handler does when its turn comes.
type Kind int

// The kinds of handlers.
const (
	// KindModule calls the module, or returns module_unknown where there is none.
	KindModule Kind = iota
	// KindMustFail returns perm_denied and calls nothing.
	KindMustFail
	// KindSubstack does nothing: it marks where a substack begins, and counts as
	// one together with it when a jump goes over it.
	KindSubstack
)

// Handler is one entry of a chain. Auth and session lines have two in libpam,
// one for each call; here they are one.
type Handler struct {
	Line     *Line
	Facility Facility
	// Other says that it comes from the service other.
	Other bool
	Kind  Kind
	// Silent is the - before the type: libpam does not log that the module is
	// missing. It fails all the same.
	Silent bool
	// Control is the second field as written, without brackets.
	Control string
	Table   Table
	// Path is the third field: of a module, or the file of a substack. Empty
	// where there is none, and where a failed include left the handler.
	Path string
	// Module is what Path led to, shared by handlers with the same Path. Nil
	// unless Kind is KindModule.
	Module    *Module
	Arguments []string
	// Level counts the substacks around, from 0 to 15.
	Level int
}

// loaded says whether a module's function is there to be called.
func (h *Handler) loaded(c Call) bool {
	return h.Kind == KindModule && h.Module.Has(c)
}
