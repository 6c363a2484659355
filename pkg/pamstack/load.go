package pamstack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Config is how a service is read.
type Config struct {
	// Libpam is the build that is modelled; see Detect. Where it is the zero
	// value, the one in the usual directories below Root is detected.
	Libpam Libpam
	// Confdir, where not empty, is read instead of the service directories, as
	// pam_start_confdir(3) does. Debian's libpam takes includes from /etc/pam.d
	// all the same.
	Confdir string
	// Root is put before all paths of files and modules; empty for none.
	// Symbolic links are followed as they are, also out of it.
	Root string
	// Unresolved leaves modules alone: of none is known whether it is there, until
	// Bind says what a real libpam found.
	Unresolved bool
}

// otherService is read after each service, for facilities that it lacks.
const otherService = "other"

// pamConf is read where there is no directory of services.
const pamConf = "/etc/pam.conf"

// Load reads a service as pam_start(3) does for a process with the rights of
// this one, and resolves its modules. That pam_start would fail is no error
// here, see Stack.Err. The error is one of Find or Detect, or an *Error that
// wraps ErrTooLarge: more than 4 MiB or 65536 lines, all files together and each
// as often as it is read. Then the stack is there too, as far as it was read.
func Load(service string, config Config) (*Stack, error) {
	config, err := config.Detected()
	if err != nil {
		return nil, err
	}
	return newLoader(service, config).load()
}

// loader is one reading of a service.
type loader struct {
	Config
	files   tree
	lines   int // that may still be read
	modules map[string]*Module
	stack   *Stack
}

func newLoader(service string, config Config) *loader {
	service = lower(service[strings.LastIndexByte(service, '/')+1:])
	return &loader{
		Config: config, files: tree{root: config.Root, left: maxBytes}, lines: maxLines, modules: map[string]*Module{},
		stack: &Stack{Service: service, Places: config.Places(service), Libpam: config.Libpam},
	}
}

func (l *loader) load() (*Stack, error) {
	l.stack.Err = l.start()
	if errors.Is(l.stack.Err, ErrTooLarge) {
		return l.stack, l.stack.Err
	}
	return l.stack, nil
}

// source is one file as it is read.
type source struct {
	path    string
	data    []byte
	service string   // whose lines they are
	column  bool     // each line says it itself, as in pam.conf
	filter  Facility // lines of others are skipped
	level   int      // of substacks
	depth   int      // of includes
	via     *Line
}

// start reads what pam_start reads.
func (l *loader) start() error {
	if !l.directories() {
		return l.onePamConf()
	}
	found := false
	for _, service := range []string{l.stack.Service, otherService} {
		path, data, err := l.find(service)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return l.unreadable(path, nil, err)
		}
		found = true
		l.opened(service, path)
		if err := l.file(source{path: path, data: data, service: service}); err != nil {
			return err
		}
	}
	if !found {
		return l.stop(&Line{File: l.Places(l.stack.Service)[0]}, NoFile, ErrAbort, "and none for the service other")
	}
	return nil
}

// opened notes where a service is read from.
func (l *loader) opened(service, path string) {
	if service == l.stack.Service {
		l.stack.File = path
	}
	if service == otherService {
		l.stack.OtherFile = path
	}
}

// directories says that services have files of their own: pam.conf is read
// only where no directory is there.
func (l *loader) directories() bool {
	if l.Confdir != "" {
		return true
	}
	for _, dir := range l.Libpam.ServiceDirs {
		if l.files.isDir(dir) {
			return true
		}
	}
	return false
}

func (l *loader) onePamConf() error {
	data, err := l.files.read(pamConf)
	switch {
	case errors.Is(err, ErrTooLarge), errors.Is(err, errSpecial):
		return l.unreadable(pamConf, nil, err)
	case err != nil:
		return l.stop(&Line{File: pamConf}, NoFile, ErrAbort, "and no directory of services")
	}
	return l.file(source{path: pamConf, data: data, column: true})
}

// find reads the first of a service's places that opens. The error is
// fs.ErrNotExist where none does, errSpecial or ErrTooLarge.
func (l *loader) find(service string) (path string, data []byte, err error) {
	for _, path := range l.Places(service) {
		data, err := l.files.read(path)
		if err == nil || errors.Is(err, errSpecial) || errors.Is(err, ErrTooLarge) {
			return path, data, err
		}
		if _, missing := os.Lstat(l.Root + path); missing == nil {
			l.note(&Line{File: path}, FileSkipped, "%v", withoutRoot(err))
		}
	}
	return "", nil, fs.ErrNotExist
}

// note keeps a problem.
func (l *loader) note(line *Line, problem Problem, format string, args ...any) Note {
	note := Note{Line: line, Problem: problem, Detail: fmt.Sprintf(format, args...)}
	l.stack.Notes = append(l.stack.Notes, note)
	return note
}

// stop keeps a problem and returns it as an error.
func (l *loader) stop(line *Line, problem Problem, err error, format string, args ...any) error {
	return &Error{Note: l.note(line, problem, format, args...), Err: err}
}

// unreadable stops at a file that is not to be read here.
func (l *loader) unreadable(path string, via *Line, err error) error {
	line := &Line{File: path, Via: via}
	if errors.Is(err, errSpecial) {
		return l.stop(line, SpecialFile, ErrUndefined, "")
	}
	return l.stop(line, TooLarge, ErrTooLarge, "")
}
