package watch

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// stamp tells whether a file is still the one that is probed.
type stamp struct {
	device, inode uint64
	size          int64
	changed       syscall.Timespec
}

func stampOf(path string) (stamp, error) {
	var s syscall.Stat_t
	if err := syscall.Stat(path, &s); err != nil {
		return stamp{}, err
	}
	return stamp{device: s.Dev, inode: s.Ino, size: s.Size, changed: s.Mtim}, nil
}

// sameFile says that b is a itself, though perhaps with other content.
func (a stamp) sameFile(b stamp) bool { return a.device == b.device && a.inode == b.inode }

// functions is a set of a module's functions, a bit for each call. It is more than
// one where the compiler has made one of several.
type functions uint32

func (f functions) list() (calls []pamstack.Call) {
	for c := pamstack.Authenticate; c <= pamstack.CloseSession; c++ {
		if f&(1<<c) != 0 {
			calls = append(calls, c)
		}
	}
	return calls
}

// module is a file with functions for libpam.
type module struct {
	path      string
	stamp     stamp
	functions map[uint64]functions // by offset in the file
	gone      bool                 // the file is not there any more, and that was told
}

// errNoModule: the file is no module that a process of this machine could load.
var errNoModule = errors.New("no PAM module for this machine")

// readModule finds the functions of a file.
func readModule(path string, library pamstack.Libpam) (*module, error) {
	if strings.ContainsAny(path, " \t\n") {
		return nil, fmt.Errorf("%s: the kernel takes no blanks in the path of a probe", path)
	}
	stamp, err := stampOf(path)
	if err != nil {
		return nil, err
	}
	object, err := elf.Open(path)
	if err != nil {
		return nil, errNoModule
	}
	defer object.Close()
	if object.Class != library.Class || object.Machine != library.Machine {
		return nil, errNoModule
	}
	symbols, err := object.DynamicSymbols()
	if err != nil {
		return nil, errNoModule
	}
	m := &module{path: path, stamp: stamp, functions: map[uint64]functions{}}
	for _, symbol := range symbols {
		m.add(object, symbol)
	}
	if len(m.functions) == 0 {
		return nil, errNoModule
	}
	return m, nil
}

func (m *module) add(object *elf.File, symbol elf.Symbol) {
	if symbol.Section == elf.SHN_UNDEF || elf.ST_TYPE(symbol.Info) != elf.STT_FUNC {
		return
	}
	for c := pamstack.Authenticate; c <= pamstack.CloseSession; c++ {
		if symbol.Name != c.Function() {
			continue
		}
		if offset, ok := offsetIn(object, symbol.Value); ok {
			m.functions[offset] |= 1 << c
		}
	}
}

// offsetIn returns where in the file the code at a virtual address is.
func offsetIn(object *elf.File, address uint64) (offset uint64, ok bool) {
	for _, p := range object.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && p.Vaddr <= address && address < p.Vaddr+p.Filesz {
			return address - p.Vaddr + p.Off, true
		}
	}
	return 0, false
}

// moduleFiles are the files in the directory that libpam takes modules from.
func moduleFiles(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".so") {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	return paths
}
