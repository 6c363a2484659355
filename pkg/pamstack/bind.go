package pamstack

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// Function is a function that a real libpam found in a module when it read a
// service's files.
type Function struct {
	File string // the module's
	Call Call   // that it serves
}

// Binding is a function as the model knows it: whose call of which handler it
// serves.
type Binding struct {
	Handler *Handler
	Call    Call
}

// errNotLoaded is of a module that is there, and that libpam could not load.
var errNotLoaded = errors.New("libpam could not load it")

// Bind takes over what a real libpam found in modules, in the order in which it
// looked, and returns the binding of each function. A module of which nothing
// was found could not be loaded: its Err is set, if it was not before. The error
// is the first function that the model does not expect in its place; the files
// that libpam read are then others than the model's.
func (s *Stack) Bind(found []Function) ([]Binding, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	s.withoutUnloaded(found)
	expected := s.bindings()
	for i := range min(len(found), len(expected)) {
		if e := expected[i]; found[i].Call != e.Call || !sameFile(found[i].File, e.Handler.Module.File) {
			return nil, fmt.Errorf("libpam found %s in %s where %s:%d asks for %s in %s", found[i].Call.Function(), found[i].File,
				e.Handler.Line.File, e.Handler.Line.Number, e.Call.Function(), e.Handler.Module.File)
		}
	}
	if len(found) != len(expected) {
		return nil, fmt.Errorf("libpam found %d functions in modules, and the files ask for %d", len(found), len(expected))
	}
	return expected, nil
}

// bindings are the functions that libpam finds in modules, in order.
func (s *Stack) bindings() (list []Binding) {
	for _, h := range s.handlers {
		for c := range callCount {
			if c.Facility() == h.Facility && h.loaded(c) {
				list = append(list, Binding{h, c})
			}
		}
	}
	return list
}

// withoutUnloaded marks the modules that are asked for and not among those found.
func (s *Stack) withoutUnloaded(found []Function) {
	loaded := map[string]bool{}
	for _, f := range found {
		loaded[f.File] = true
	}
	for _, b := range s.bindings() {
		m := b.Handler.Module
		known := m.Err != nil || loaded[m.File]
		if known || slices.ContainsFunc(found, func(f Function) bool { return sameFile(f.File, m.File) }) {
			continue
		}
		m.Err, m.functions = fmt.Errorf("%s: %w", m.File, errNotLoaded), [callCount]bool{}
	}
}

// sameFile compares paths of modules: the dynamic linker keeps the first name by
// which it met a file.
func sameFile(x, y string) bool {
	if x == y {
		return true
	}
	infoX, errX := os.Stat(x)
	infoY, errY := os.Stat(y)
	return errX == nil && errY == nil && os.SameFile(infoX, infoY)
}

// ControlField returns the second field as a line has it: a word, or pairs in
// brackets.
func (h *Handler) ControlField() string {
	switch lower(h.Control) {
	case "required", "requisite", "sufficient", "optional", "include", "substack", "":
		return h.Control
	}
	return "[" + h.Control + "]"
}

// Handlers returns those of all chains, in the order in which they were read.
func (s *Stack) Handlers() []*Handler { return s.handlers }
