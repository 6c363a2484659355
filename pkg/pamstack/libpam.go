package pamstack

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Libpam is one build of libpam, as far as it matters for service files.
type Libpam struct {
	// Path is the library's file, without Config.Root; empty if it was not detected.
	Path string
	// Debian says that it has Debian's patches: @include, includes from
	// /etc/pam.d only, modules from ISA too, and jumps that setcred and
	// close_session ignore.
	Debian bool
	// Modern says that it is 1.6 or later: lines of any length, which blank
	// lines and comments end, and a limit for includes.
	Modern bool
	// Confdir says that it has pam_start_confdir(3): 1.4 or later.
	Confdir bool
	// ServiceDirs are searched for a service in order, without a slash at the
	// end: "/etc/pam.d" first.
	ServiceDirs []string
	// ModuleDir stands before relative module paths, with a slash at the end.
	ModuleDir string
	// ISA replaces $ISA in module paths.
	ISA string
	// Class and Machine are those of the library, which modules must share.
	Class   elf.Class
	Machine elf.Machine
}

// etcDir is in every libpam.
const etcDir = "/etc/pam.d"

// Detect reads from a libpam.so.0 which build it is. The file is not run.
func Detect(path string) (Libpam, error) {
	object, err := elf.Open(path)
	if err != nil {
		return Libpam{}, err
	}
	defer object.Close()
	symbols, err := object.DynamicSymbols()
	if err != nil {
		return Libpam{}, fmt.Errorf("%s: %w", path, err)
	}
	defined := func(name string) bool {
		return slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == name && s.Section != elf.SHN_UNDEF })
	}
	if !defined("pam_start") {
		return Libpam{}, fmt.Errorf("%s: no pam_start in it: not a libpam", path)
	}
	l := Libpam{
		Path: path, Confdir: defined("pam_start_confdir"), ISA: ".",
		Class: object.Class, Machine: object.Machine,
	}
	constants, err := constantsOf(object)
	if err != nil {
		return Libpam{}, fmt.Errorf("%s: %w", path, err)
	}
	if l.recognise(constants); l.ModuleDir == "" {
		return Libpam{}, fmt.Errorf("%s: no module directory in it: a libpam that is not known here", path)
	}
	return l, nil
}

// telling are parts of the constants that say which build it is.
var telling = [][]byte{[]byte("@include"), []byte("inclusions reached"), []byte("pam.d/%s"), []byte("/security")}

// constantsOf returns those string constants that tell something, in the order of
// the file.
func constantsOf(object *elf.File) (constants []string, err error) {
	for _, section := range object.Sections {
		const kind = elf.SHF_ALLOC | elf.SHF_EXECINSTR | elf.SHF_WRITE
		if section.Type != elf.SHT_PROGBITS || section.Flags&kind != elf.SHF_ALLOC || section.Size > maxModule {
			continue
		}
		data, err := section.Data()
		if err != nil {
			return nil, err
		}
		for constant := range bytes.SplitSeq(data, []byte{0}) {
			if slices.ContainsFunc(telling, func(part []byte) bool { return bytes.Contains(constant, part) }) {
				constants = append(constants, string(constant))
			}
		}
	}
	return constants, nil
}

// recognise sets what the library's own constants tell.
func (l *Libpam) recognise(constants []string) {
	dirs := []string{etcDir}
	for _, constant := range constants {
		dir, isDir := strings.CutSuffix(constant, "/%s")
		switch {
		case constant == "@include":
			l.Debian = true
		case constant == "maximum level of inclusions reached":
			l.Modern = true
		case isDir && strings.HasSuffix(dir, "pam.d") && !slices.Contains(dirs, dir):
			dirs = append(dirs, dir)
		case l.ModuleDir == "" && strings.HasSuffix(constant, "/security/"):
			l.ModuleDir = constant
		case strings.HasSuffix(constant, "/security") && l.ISA == ".":
			l.ISA = constant
		}
	}
	// The linker leaves out a constant that another one ends with.
	slices.SortStableFunc(dirs[1:], func(a, b string) int { return usrLibFirst(a) - usrLibFirst(b) })
	l.ServiceDirs = dirs
}

func usrLibFirst(dir string) int {
	if dir == "/usr/lib/pam.d" {
		return 0
	}
	return 1
}

// Find returns the libpam.so.0 in the usual directories that is for the
// machine this program is for. A process that has libpam loaded knows better.
// The error is fs.ErrNotExist where there is none.
func Find() (path string, err error) {
	return find("", sameMachine)
}

// find returns the first libpam.so.0 below a root that is fit, without the root.
func find(root string, fit func(path string) bool) (path string, err error) {
	for _, pattern := range []string{"/lib/*-linux-*", "/usr/lib/*-linux-*", "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		found, _ := filepath.Glob(root + pattern + "/libpam.so.0")
		for _, path := range found {
			if fit(path) {
				return strings.TrimPrefix(path, root), nil
			}
		}
	}
	return "", fmt.Errorf("libpam.so.0 in the usual directories of %s/: %w", root, fs.ErrNotExist)
}

// sameMachine says that a libpam is for the machine of this program.
func sameMachine(path string) bool {
	self, err := elf.Open("/proc/self/exe")
	if err != nil {
		return false
	}
	defer self.Close()
	object, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer object.Close()
	return object.Class == self.Class && object.Machine == self.Machine
}

// isLibpam says that a file is a libpam, for whatever machine.
func isLibpam(path string) bool {
	_, err := Detect(path)
	return err == nil
}
