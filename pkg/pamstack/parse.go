package pamstack

import (
	"errors"
	"io"
)

// file reads a file's lines. The error is an *Error.
func (l *loader) file(src source) error {
	reader := lineReader{
		data: src.data, number: 1, modern: l.Libpam.Modern, left: &l.lines,
		problem: func(number int, problem Problem) {
			l.note(&Line{File: src.path, Number: number, Via: src.via}, problem, "")
		},
	}
	for {
		number, text, err := reader.next()
		if err == io.EOF {
			return nil
		}
		line := &Line{File: src.path, Number: number, Text: text, Via: src.via}
		if err != nil {
			return l.atLine(line, err)
		}
		l.stack.Lines = append(l.stack.Lines, line)
		if err := l.line(src, line); err != nil {
			return err
		}
	}
}

// atLine says why reading stopped in a line.
func (l *loader) atLine(line *Line, err error) error {
	switch {
	case errors.Is(err, errUnfinished):
		return l.stop(line, FileUnfinished, ErrAbort, "%v", err)
	case errors.Is(err, errEndless):
		return l.stop(line, LineEndless, ErrUndefined, "%v", err)
	}
	return l.stop(line, TooLarge, err, "")
}

// line adds the handler of one line, or those of what it includes.
func (l *loader) line(src source, line *Line) error {
	fields := tokens{line.Text}
	if src.column {
		service, _ := fields.next()
		if src.service = lower(service); src.service != l.stack.Service && src.service != otherService {
			return nil
		}
		l.opened(src.service, src.path)
		src.column = false
	}
	h := &Handler{Line: line, Level: src.level, Other: src.service == otherService}
	if l.facility(h, src.filter, &fields) {
		h.Table = allOf(ActionUndefined)
		return l.include(src, h, &fields, false)
	}
	if src.filter != anyFacility && h.Facility != src.filter {
		return nil
	}
	switch l.control(h, &fields); lower(h.Control) {
	case "include":
		return l.include(src, h, &fields, false)
	case "substack":
		return l.include(src, h, &fields, true)
	}
	path, named := fields.next()
	if !named {
		l.note(line, ModuleMissing, "")
		h.Kind = KindMustFail
		l.add(h)
		return nil
	}
	h.Path, h.Arguments = path, fields.all()
	if h.Kind == KindModule {
		h.Module = l.module(h)
	}
	return l.addNamed(h)
}

// facility reads the type. It returns true for Debian's @include, which is of
// the facility that is read, whatever that is.
func (l *loader) facility(h *Handler, filter Facility, fields *tokens) (include bool) {
	word, ok := fields.next()
	problem := TypeMissing
	if ok {
		if h.Silent = len(word) > 0 && word[0] == '-'; h.Silent {
			word = word[1:]
		}
		for f := Auth; f < facilityCount; f++ {
			if lower(word) == f.String() {
				h.Facility = f
				return false
			}
		}
		if l.Libpam.Debian && lower(word) == "@include" {
			h.Facility = filter
			return true
		}
		problem = IllegalType
	}
	h.Kind = KindMustFail
	if h.Facility = filter; filter == anyFacility {
		h.Facility = Auth // the one that hurts least to fail
	}
	l.note(h.Line, problem, "%.40q is taken for %s", word, h.Facility)
	return false
}

// control reads the control field. For include and substack nothing is set but
// what the handler of a failure has.
func (l *loader) control(h *Handler, fields *tokens) {
	word, ok := fields.next()
	h.Control, h.Table = word, allOf(ActionBad)
	if !ok {
		l.note(h.Line, ControlMissing, "")
		h.Kind = KindMustFail
		return
	}
	switch word = lower(word); word {
	case "required", "requisite", "sufficient", "optional":
		h.Table = words[word]
		return
	case "include", "substack":
		return
	}
	var err error
	h.Table, err = parseControl(h.Control, l.Libpam.Modern)
	switch {
	case h.Table == allOf(ActionUndefined):
		l.note(h.Line, JumpOverflow, "%v", err)
	case err != nil:
		l.note(h.Line, ControlIllegal, "%v", err)
	}
}

// module finds a handler's module; the same path is looked for once.
func (l *loader) module(h *Handler) *Module {
	m, known := l.modules[h.Path]
	if !known {
		m = &Module{}
		if !l.Unresolved {
			m = l.Libpam.module(l.Root, h.Path)
		}
		l.modules[h.Path] = m
	}
	if l.Unresolved {
		return m
	}
	if m.Err != nil {
		l.note(h.Line, ModuleFaulty, "%v", m.Err)
		return m
	}
	for c := range callCount {
		if c.Facility() == h.Facility && !m.Has(c) {
			l.note(h.Line, FunctionMissing, "%s has no %s", m.File, c.Function())
		}
	}
	return m
}

// add appends a handler to its chain.
func (l *loader) add(h *Handler) {
	chains := &l.stack.own
	if h.Other {
		chains = &l.stack.other
	}
	chains[h.Facility] = append(chains[h.Facility], h)
	l.stack.handlers = append(l.stack.handlers, h)
}

// addNamed adds a handler with a path, whose name libpam has to find in it.
func (l *loader) addNamed(h *Handler) error {
	if nameEmpty(h.Path) {
		return l.stop(h.Line, NameEmpty, ErrAbort, "%.40q", h.Path)
	}
	l.add(h)
	return nil
}
