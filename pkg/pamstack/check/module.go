package check

import (
	"debug/elf"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// module checks the module of a handler: that libpam can load it, that it has
// the functions, and that nobody else can change it.
func (s *service) module(h *pamstack.Handler) {
	s.writable(h)
	if h.Module.Err != nil {
		s.faulty(h)
		return
	}
	for call := pamstack.Authenticate; call <= pamstack.CloseSession; call++ {
		if call.Facility() == h.Facility && !h.Module.Has(call) {
			s.about(h, call.Function(), "function-missing", failing(h), "%s has no %s", h.Module.File, call.Function())
		}
	}
	for _, lack := range s.objects.resolve(h.Module.File) {
		switch {
		case lack.Symbol != "":
			s.about(h, lack.Symbol, "module-symbol-missing", failing(h), "%s needs the symbol %s, which none of its libraries has", lack.By, lack.Symbol)
		case lack.Version != "":
			s.about(h, lack.Library+lack.Version, "module-library-missing", failing(h), "%s needs the version %s of %s, which is not in that library", lack.By, lack.Version, lack.Library)
		default:
			s.about(h, lack.Library, "module-library-missing", failing(h), "%s needs the library %s, which is not there", lack.By, lack.Library)
		}
	}
}

// writable reports that somebody else can change what libpam loads, or make it:
// a file that is not there too, if libpam tries it.
func (s *service) writable(h *pamstack.Handler) {
	for _, path := range h.Module.Tried {
		if who := s.changeable(path); filepath.IsAbs(path) && who != "" {
			s.at(h, "module-writable", Error, "libpam looks for %s, and %s", path, who)
			return
		}
	}
}

// failing is how bad it is that a module does not load: libpam goes on with
// module_unknown, which the control field can ignore.
func failing(h *pamstack.Handler) Severity {
	switch {
	case h.Table[pamstack.ModuleUnknown] != pamstack.ActionIgnore:
		return Error
	case h.Silent, strings.Contains(h.Control, pamstack.ModuleUnknown.String()):
		return Info // whoever wrote the line has thought of it
	}
	return Warning
}

// faulty says why a module cannot be loaded.
func (s *service) faulty(h *pamstack.Handler) {
	there := slices.IndexFunc(h.Module.Tried, func(path string) bool {
		_, err := s.stat(path)
		return err == nil && filepath.IsAbs(path)
	})
	advice, gone := removed[moduleName(h)]
	switch {
	case there >= 0:
		s.unloadable(h, h.Module.Tried[there])
	case gone:
		s.at(h, "module-removed", failing(h), "there is no %s: %s", strings.Join(h.Module.Tried, ", and no "), advice)
	default:
		s.at(h, "module-not-found", failing(h), "there is no %s", strings.Join(h.Module.Tried, ", and no "))
	}
}

// unloadable says what is wrong with a file that is there.
func (s *service) unloadable(h *pamstack.Handler, path string) {
	info, err := s.stat(path)
	if err != nil || !info.Mode().IsRegular() {
		s.at(h, "module-not-elf", failing(h), "%s is no file", path)
		return
	}
	object, err := elf.Open(s.config.Root + path)
	if err != nil {
		s.at(h, "module-not-elf", failing(h), "%s is no shared object", path)
		return
	}
	defer object.Close()
	libpam := s.config.Libpam
	if object.Class != libpam.Class || object.Machine != libpam.Machine {
		s.at(h, "module-wrong-machine", failing(h), "%s is for %s, libpam for %s", path, machine(object.Class, object.Machine), machine(libpam.Class, libpam.Machine))
		return
	}
	s.at(h, "module-not-elf", failing(h), "%v", h.Module.Err)
}

func machine(class elf.Class, machine elf.Machine) string {
	return fmt.Sprintf("%s %s", strings.TrimPrefix(machine.String(), "EM_"), strings.TrimPrefix(class.String(), "ELFCLASS")+" bit")
}
