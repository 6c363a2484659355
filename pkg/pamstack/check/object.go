package check

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// objects are the shared objects of a system, as the dynamic linker finds them.
type objects struct {
	config pamstack.Config
	cache  map[string][]string // paths in ld.so.cache by name
	opened map[string]*object
	lacks  map[string][]unresolved // by path
}

// object is what the dynamic linker has to know of a shared object.
type object struct {
	path     string
	needed   []string
	runpath  []string // where its own needed libraries are looked for first
	rpath    []string // the same, and for the libraries of its libraries
	defined  map[string]bool
	missing  []symbol // that others have to define
	versions map[string]bool
	wants    []version
}

type symbol struct{ name, version string }

type version struct{ library, name string }

// maxObject is the largest object that is looked into, in bytes.
const maxObject = 256 << 20

func newObjects(config pamstack.Config) *objects {
	o := &objects{config: config, opened: map[string]*object{}, lacks: map[string][]unresolved{}}
	c := checker{config: config}
	o.cache = parseCache(c.read("/etc/ld.so.cache"))
	return o
}

// The two forms of ld.so.cache (glibc, sysdeps/generic/dl-cache.h). The new one
// can stand behind an old one; offsets of strings count from its beginning.
const (
	cacheMagic  = "glibc-ld.so.cache1.1"
	cacheHeader = 48
	cacheEntry  = 24
)

// parseCache reads ld.so.cache: paths by library name.
func parseCache(data []byte) map[string][]string {
	start := bytes.Index(data, []byte(cacheMagic))
	if start < 0 || len(data) < start+cacheHeader {
		return nil
	}
	data = data[start:]
	var order binary.ByteOrder = binary.LittleEndian
	if data[28]&3 == 3 { // the two lowest of the flags: 2 is little, 3 is big
		order = binary.BigEndian
	}
	text := func(offset uint32) string {
		if int64(offset) >= int64(len(data)) {
			return ""
		}
		s, _, _ := bytes.Cut(data[offset:], []byte{0})
		return string(s)
	}
	libraries := map[string][]string{}
	for i := range int(order.Uint32(data[len(cacheMagic):])) {
		at := cacheHeader + i*cacheEntry
		if at+cacheEntry > len(data) {
			break
		}
		name, path := text(order.Uint32(data[at+4:])), text(order.Uint32(data[at+8:]))
		libraries[name] = append(libraries[name], path)
	}
	return libraries
}

// open reads an object, nil if it is none for libpam's machine.
func (o *objects) open(path string) *object {
	if known, opened := o.opened[path]; opened {
		return known
	}
	o.opened[path] = nil
	c := checker{config: o.config}
	if info, err := c.stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxObject {
		return nil
	}
	file, err := elf.Open(o.config.Root + path)
	if err != nil {
		return nil
	}
	defer file.Close()
	libpam := o.config.Libpam
	if file.Type != elf.ET_DYN || file.Class != libpam.Class || file.Machine != libpam.Machine {
		return nil
	}
	o.opened[path] = readObject(path, file)
	return o.opened[path]
}

func readObject(path string, file *elf.File) *object {
	object := &object{path: path, defined: map[string]bool{}, versions: map[string]bool{}}
	object.needed, _ = file.ImportedLibraries()
	if object.runpath = searchPath(file, elf.DT_RUNPATH, path); object.runpath == nil {
		object.rpath = searchPath(file, elf.DT_RPATH, path)
	}
	symbols, _ := file.DynamicSymbols()
	for _, s := range symbols {
		switch {
		case s.Section != elf.SHN_UNDEF:
			object.defined[s.Name] = true
		case elf.ST_BIND(s.Info) == elf.STB_GLOBAL:
			object.missing = append(object.missing, symbol{s.Name, s.Version})
		}
	}
	defined, _ := file.DynamicVersions()
	for _, v := range defined {
		object.versions[v.Name] = true
	}
	wants, _ := file.DynamicVersionNeeds()
	for _, library := range wants {
		for _, v := range library.Needs {
			if v.Flags&elf.VER_FLG_WEAK == 0 {
				object.wants = append(object.wants, version{library.Name, v.Dep})
			}
		}
	}
	return object
}

// searchPath reads a list of directories from the dynamic section.
func searchPath(file *elf.File, tag elf.DynTag, path string) (dirs []string) {
	lists, _ := file.DynString(tag)
	origin := strings.NewReplacer("$ORIGIN", filepath.Dir(path), "${ORIGIN}", filepath.Dir(path))
	for _, list := range lists {
		dirs = append(dirs, strings.Split(origin.Replace(list), ":")...)
	}
	return dirs
}

// standardDirs are searched by every dynamic linker, and those of the usual
// distributions by theirs.
var standardDirs = []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"}

// find returns the object that a needed library is, nil where there is none.
func (o *objects) find(name string, by, first *object) *object {
	if strings.Contains(name, "/") {
		return o.open(name)
	}
	dirs := by.runpath
	if dirs == nil {
		dirs = slices.Concat(by.rpath, first.rpath)
	}
	for _, dir := range dirs {
		if found := o.open(filepath.Join(dir, name)); found != nil {
			return found
		}
	}
	for _, path := range o.cache[name] {
		if found := o.open(path); found != nil {
			return found
		}
	}
	dirs = standardDirs
	if o.config.Libpam.Path != "" {
		dirs = append([]string{filepath.Dir(o.config.Libpam.Path)}, dirs...)
	}
	if o.config.Libpam.ModuleDir != "" {
		dirs = append([]string{filepath.Dir(filepath.Clean(o.config.Libpam.ModuleDir))}, dirs...)
	}
	for _, dir := range dirs {
		if found := o.open(filepath.Join(dir, name)); found != nil {
			return found
		}
	}
	return nil
}

// unresolved is what keeps dlopen(3) from loading an object.
type unresolved struct {
	Library string // that is missing
	By      string // the object that needs it
	Version string // that the library does not have; Library is there then
	Symbol  string // that no library defines
}

// resolve returns what an object lacks. A symbol is looked for in the object's
// libraries and in libpam's: a program has loaded that, too.
func (o *objects) resolve(path string) []unresolved {
	lacks, known := o.lacks[path]
	if !known {
		lacks = o.resolved(path)
		o.lacks[path] = lacks
	}
	return lacks
}

func (o *objects) resolved(path string) (lacks []unresolved) {
	first := o.open(path)
	if first == nil {
		return nil
	}
	all := []*object{first}
	if libpam := o.open(o.config.Libpam.Path); libpam != nil {
		all = append(all, libpam)
	}
	whole := true
	for i := 0; i < len(all); i++ {
		by := all[i]
		for _, name := range by.needed {
			library := o.find(name, by, first)
			if library == nil {
				lacks, whole = append(lacks, unresolved{Library: name, By: by.path}), false
				continue
			}
			if !slices.Contains(all, library) {
				all = append(all, library)
			}
			lacks = append(lacks, library.without(name, by)...)
		}
	}
	if !whole {
		return lacks
	}
	for _, s := range first.missing {
		if !slices.ContainsFunc(all, func(o *object) bool { return o.defined[s.name] }) {
			lacks = append(lacks, unresolved{Symbol: s.name, By: path})
		}
	}
	return lacks
}

// without returns the versions that by wants of a library, and it does not have.
func (o *object) without(name string, by *object) (lacks []unresolved) {
	for _, want := range by.wants {
		if want.library == name && len(o.versions) > 0 && !o.versions[want.name] {
			lacks = append(lacks, unresolved{Library: o.path, By: by.path, Version: want.name})
		}
	}
	return lacks
}
