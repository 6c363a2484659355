package pamstack

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// Lookup is a function that a real libpam looked for in a module that it had
// loaded, when it read a service's files.
type Lookup struct {
	File  string // the module's
	Call  Call   // that the function serves
	Found bool
}

// Binding is the place of a lookup in the model: whose call of which handler the
// function serves.
type Binding struct {
	Handler *Handler
	Call    Call
}

// errNotLoaded is of a module that libpam did not load.
var errNotLoaded = errors.New("libpam could not load it")

// Bind takes over from a real libpam which modules it loaded and what it found in
// them: all lookups, in their order. It returns the binding of each. The error is
// the first one that the model does not expect in its place: the files that
// libpam read are others than the model's.
func (s *Stack) Bind(lookups []Lookup) ([]Binding, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	b := binder{stack: s, left: lookups, loaded: map[*Module]bool{}}
	for _, h := range s.handlers {
		if h.Kind != KindModule || !b.loads(h) {
			continue
		}
		for c := range callCount {
			if c.Facility() == h.Facility && !b.take(h, c) {
				return nil, fmt.Errorf("libpam looked for %s where %s:%d wants %s of %s",
					b.next(), h.Line.File, h.Line.Number, c.Function(), h.Path)
			}
		}
	}
	if len(b.left) > 0 {
		return nil, fmt.Errorf("libpam looked for %s where the files want nothing any more", b.next())
	}
	return b.bindings, nil
}

// binder is one Bind.
type binder struct {
	stack    *Stack
	left     []Lookup
	loaded   map[*Module]bool // what is known of modules so far
	bindings []Binding
}

// loads says whether libpam loaded a handler's module: then its first function is
// the next one that was looked for.
func (b *binder) loads(h *Handler) bool {
	m := h.Module
	loaded, known := b.loaded[m]
	if known {
		return loaded
	}
	loaded = len(b.left) > 0 && b.left[0].Call.Facility() == h.Facility && slices.ContainsFunc(b.stack.Libpam.Candidates(h.Path),
		func(path string) bool { return sameFile(b.left[0].File, path) })
	b.loaded[m], m.functions = loaded, [callCount]bool{}
	switch {
	case loaded:
		m.File, m.Err = b.left[0].File, nil
	case m.Err == nil:
		m.File, m.Err = "", errNotLoaded
	}
	return loaded
}

// take takes the next lookup, which has to be that of a handler's function.
func (b *binder) take(h *Handler, c Call) bool {
	if len(b.left) == 0 || b.left[0].Call != c || b.left[0].File != h.Module.File {
		return false
	}
	h.Module.functions[c] = b.left[0].Found
	b.left, b.bindings = b.left[1:], append(b.bindings, Binding{h, c})
	return true
}

func (b *binder) next() string {
	if len(b.left) == 0 {
		return "nothing any more"
	}
	return b.left[0].Call.Function() + " in " + b.left[0].File
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
