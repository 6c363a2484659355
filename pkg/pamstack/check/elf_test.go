package check

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// sharedObject is a shared object as far as the tests need one: what it defines,
// what it wants, and no code. It can be loaded by nothing.
type sharedObject struct {
	machine  elf.Machine
	defines  []string
	wants    []string // symbols
	needs    []string // libraries
	runpath  string
	rpath    string
	versions []string          // that it defines
	asks     map[string]string // a version that it wants, by library
}

// elfSection is one section while it is put together.
type elfSection struct {
	elf.Section64
	data []byte
}

// bytes puts the file together: the header, the sections, the section headers.
func (o sharedObject) bytes() []byte {
	names := &stringTable{}
	strings := &stringTable{}
	sections := []elfSection{{}}
	add := func(kind elf.SectionType, data []byte, entry int, info int) {
		sections = append(sections, elfSection{elf.Section64{
			Name: names.add(kind.String()), Type: uint32(kind), Size: uint64(len(data)), Link: 1, Info: uint32(info), Entsize: uint64(entry), Addralign: 8,
		}, data})
	}
	add(elf.SHT_STRTAB, nil, 0, 0) // filled in at the end
	add(elf.SHT_DYNSYM, o.symbols(strings), elf.Sym64Size, 1)
	add(elf.SHT_DYNAMIC, o.dynamic(strings), 16, 0)
	add(elf.SHT_GNU_VERSYM, make([]byte, 2*(1+len(o.defines)+len(o.wants))), 2, 0)
	if len(o.versions) > 0 {
		add(elf.SHT_GNU_VERDEF, o.definedVersions(strings), 0, len(o.versions))
	}
	if len(o.asks) > 0 {
		add(elf.SHT_GNU_VERNEED, o.wantedVersions(strings), 0, len(o.asks))
	}
	add(elf.SHT_STRTAB, nil, 0, 0)
	sections[1].data, sections[len(sections)-1].data = strings.bytes(), names.bytes()
	return o.file(sections)
}

func (o sharedObject) file(sections []elfSection) []byte {
	var out bytes.Buffer
	header := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(o.machine), Version: 1, Ehsize: 64, Shentsize: 64,
		Shnum: uint16(len(sections)), Shstrndx: uint16(len(sections) - 1),
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	if header.Machine == 0 {
		header.Machine = uint16(elf.EM_X86_64)
	}
	at := uint64(64)
	for i := range sections {
		sections[i].Off, sections[i].Size = at, uint64(len(sections[i].data))
		at += uint64(len(sections[i].data)+7) &^ 7
	}
	header.Shoff = at
	write(&out, header)
	for _, section := range sections {
		out.Write(section.data)
		out.Write(make([]byte, -len(section.data)&7))
	}
	for _, section := range sections {
		write(&out, section.Section64)
	}
	return out.Bytes()
}

func (o sharedObject) symbols(strings *stringTable) []byte {
	var out bytes.Buffer
	write(&out, elf.Sym64{})
	symbol := func(name string, section elf.SectionIndex) {
		write(&out, elf.Sym64{Name: strings.add(name), Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_FUNC), Shndx: uint16(section)})
	}
	for _, name := range o.defines {
		symbol(name, 1)
	}
	for _, name := range o.wants {
		symbol(name, elf.SHN_UNDEF)
	}
	return out.Bytes()
}

func (o sharedObject) dynamic(strings *stringTable) []byte {
	var out bytes.Buffer
	for _, library := range o.needs {
		write(&out, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: uint64(strings.add(library))})
	}
	if o.runpath != "" {
		write(&out, elf.Dyn64{Tag: int64(elf.DT_RUNPATH), Val: uint64(strings.add(o.runpath))})
	}
	if o.rpath != "" {
		write(&out, elf.Dyn64{Tag: int64(elf.DT_RPATH), Val: uint64(strings.add(o.rpath))})
	}
	write(&out, elf.Dyn64{})
	return out.Bytes()
}

func (o sharedObject) definedVersions(strings *stringTable) []byte {
	var out bytes.Buffer
	for i, name := range o.versions {
		next := uint32(28)
		if i == len(o.versions)-1 {
			next = 0
		}
		write(&out, []uint16{1, 0, uint16(i + 2), 1})
		write(&out, []uint32{0, 20, next, strings.add(name), 0})
	}
	return out.Bytes()
}

func (o sharedObject) wantedVersions(strings *stringTable) []byte {
	var out bytes.Buffer
	left := len(o.asks)
	for library, version := range o.asks {
		next := uint32(32)
		if left--; left == 0 {
			next = 0
		}
		write(&out, []uint16{1, 1})
		write(&out, []uint32{strings.add(library), 16, next, 0})
		write(&out, []uint16{0, 2})
		write(&out, []uint32{strings.add(version), 0})
	}
	return out.Bytes()
}

func write(out *bytes.Buffer, data any) {
	if err := binary.Write(out, binary.LittleEndian, data); err != nil {
		panic(err)
	}
}

// stringTable is an ELF string table.
type stringTable struct{ data []byte }

func (t *stringTable) add(s string) uint32 {
	at := len(t.bytes())
	t.data = append(append(t.data, s...), 0)
	return uint32(at)
}

func (t *stringTable) bytes() []byte {
	if len(t.data) == 0 {
		t.data = []byte{0}
	}
	return t.data
}
