package pamstack

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Module is a module as dlopen(3) would find it. That its libraries are there
// and define what it needs is not looked at.
type Module struct {
	// File is where it is, without Config.Root; empty if Err is not nil.
	File string
	// Tried are the paths libpam opens in turn, up to the one that is it.
	Tried []string
	// Err is why the last of Tried is not it; nil if it is.
	Err error

	functions [callCount]bool
}

// Has says whether the module has the function for a call.
func (m *Module) Has(c Call) bool { return m.functions[c] }

// Candidates are the paths that libpam tries for a module, in order.
func (l Libpam) Candidates(module string) (list []string) {
	whole := module
	if !strings.HasPrefix(module, "/") {
		whole = l.ModuleDir + module
	}
	list = append(list, whole)
	if l.Debian {
		if whole != module {
			list = append(list, l.ISA+"/"+module)
		}
		whole = module // in which Debian's libpam replaces $ISA
	}
	if strings.Contains(whole, "$ISA") {
		list = append(list, strings.Replace(whole, "$ISA", l.ISA, 1))
	}
	return list
}

// module finds a module under root.
func (l Libpam) module(root, module string) *Module {
	m := &Module{}
	for _, file := range l.Candidates(module) {
		m.Tried = append(m.Tried, file)
		if m.functions, m.Err = l.open(root, file); m.Err == nil {
			m.File = file
			return m
		}
	}
	return m
}

// maxModule is the largest module that is looked into, in bytes.
const maxModule = 64 << 20

// open looks into a shared object for the functions that libpam calls.
func (l Libpam) open(root, file string) (functions [callCount]bool, err error) {
	if !path.IsAbs(file) {
		return functions, fmt.Errorf("%s depends on the working directory", file)
	}
	info, err := os.Stat(root + file)
	if err != nil {
		return functions, fmt.Errorf("%s: %w", file, withoutRoot(err))
	}
	if !info.Mode().IsRegular() || info.Size() > maxModule {
		return functions, fmt.Errorf("%s is no regular file of at most %d bytes", file, maxModule)
	}
	object, err := elf.Open(root + file)
	if err != nil {
		return functions, fmt.Errorf("%s is no shared object: %w", file, withoutRoot(err))
	}
	defer object.Close()
	if object.Type != elf.ET_DYN || object.Class != l.Class || object.Machine != l.Machine {
		return functions, fmt.Errorf("%s is %v for %v %v, and libpam for %v %v",
			file, object.Type, object.Class, object.Machine, l.Class, l.Machine)
	}
	symbols, err := object.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return functions, fmt.Errorf("%s: %w", file, err)
	}
	return functionsAmong(symbols), nil
}

func functionsAmong(symbols []elf.Symbol) (functions [callCount]bool) {
	for _, symbol := range symbols {
		for c := range callCount {
			if symbol.Name == c.Function() && symbol.Section != elf.SHN_UNDEF {
				functions[c] = true
			}
		}
	}
	return functions
}

// withoutRoot keeps Config.Root out of messages.
func withoutRoot(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// nameEmpty says that libpam has no name for what path ends in, and gives up:
// the base name up to its last dot is empty or a question mark.
func nameEmpty(path string) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[:dot]
	}
	return name == "" || name == "?"
}
