package pamstack

import (
	"errors"
	"io/fs"
	"strings"
)

// include reads the file that the next field names, for the facility of h. A
// failure leaves h in the chain, as a handler that fails.
func (l *loader) include(src source, h *Handler, fields *tokens, substack bool) error {
	file, named := fields.next()
	if substack {
		marker := *h
		marker.Kind, marker.Path = KindSubstack, file
		if !named {
			l.add(&marker)
		} else if err := l.addNamed(&marker); err != nil {
			return err
		}
		src.level++
	}
	if !named && l.Libpam.Debian {
		return l.stop(h.Line, IncludeUnnamed, ErrUndefined, "the process dies in pam_start")
	}
	src.filter, src.via, src.depth = h.Facility, h.Line, src.depth+1
	err := l.included(src, file, named)
	if !errors.Is(err, ErrAbort) {
		return err
	}
	return l.replace(h, err)
}

// included reads the file. The error is an *Error, ErrAbort if the service goes
// on without the file.
func (l *loader) included(src source, file string, named bool) error {
	line := src.via
	switch {
	case l.tooDeep(src):
		return l.stop(line, IncludeTooDeep, ErrAbort, "")
	case src.depth > maxIncludes:
		return l.stop(line, IncludeLoop, ErrUndefined, "libpam goes on to its limit of open files or the end of the process's stack")
	case !named:
		return l.stop(line, IncludeFailed, ErrAbort, "no file is named")
	}
	if l.Libpam.Debian && !strings.HasPrefix(file, "/") {
		if !l.files.isDir(etcDir) {
			return l.stop(line, IncludeFailed, ErrAbort, "there is no directory %s", etcDir)
		}
		file = etcDir + "/" + file
	}
	path, data, err := l.find(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l.stop(line, IncludeFailed, ErrAbort, "%.80q does not open", file)
	case err != nil:
		return l.unreadable(path, line, err)
	}
	src.path, src.data = path, data
	return l.file(src)
}

// maxLevels is PAM_SUBSTACK_MAX_LEVEL in Linux-PAM's libpam/pam_private.h.
const maxLevels = 16

// tooDeep says that libpam refuses to read the file: for its substacks before
// 1.6, for all includes since.
func (l *loader) tooDeep(src source) bool {
	if l.Libpam.Modern {
		return src.depth >= maxLevels
	}
	return src.level >= maxLevels
}

// replace puts h into the chain for the file that it did not include.
func (l *loader) replace(h *Handler, failure error) error {
	if h.Facility == anyFacility {
		return l.stop(h.Line, IncludeAnyFailed, ErrAbort, "libpam has no facility to fail for")
	}
	var broken *Error
	if errors.As(failure, &broken) && broken.Problem == NameEmpty {
		return l.stop(h.Line, UndefinedHandler, ErrUndefined, "after %s", broken.Note)
	}
	if h.Table == allOf(ActionUndefined) {
		l.note(h.Line, UndefinedActions, "what the failed @include does to %s is left to chance", h.Facility)
	}
	h.Kind = KindMustFail
	l.add(h)
	return nil
}
