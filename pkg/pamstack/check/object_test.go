package check

import (
	"bytes"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// linkerCache makes an ld.so.cache: paths by library name.
func linkerCache(libraries map[string]string) []byte {
	var entries, strings bytes.Buffer
	end := uint32(cacheHeader + len(libraries)*cacheEntry)
	text := func(s string) uint32 {
		at := end + uint32(strings.Len())
		strings.WriteString(s + "\x00")
		return at
	}
	for name, path := range libraries {
		write(&entries, []uint32{0x303, text(name), text(path), 0, 0, 0})
	}
	var out bytes.Buffer
	out.WriteString(cacheMagic)
	write(&out, []uint32{uint32(len(libraries)), uint32(strings.Len()), 2, 0, 0, 0, 0})
	out.Write(entries.Bytes())
	out.Write(strings.Bytes())
	return out.Bytes()
}

func FuzzLinkerCacheIsReadWithoutPanic(f *testing.F) {
	f.Add(linkerCache(map[string]string{"libc.so.6": "/lib/libc.so.6"}))
	f.Add([]byte(cacheMagic))
	f.Fuzz(func(t *testing.T, data []byte) { parseCache(data) })
}

// The modules of this machine load: what is said against one is wrong, as far as
// Debian's own are concerned.
func TestModulesOfThisMachineLackNothing(t *testing.T) {
	path, err := pamstack.Find()
	if err != nil {
		t.Skip("no libpam: ", err)
	}
	libpam, err := pamstack.Detect(path)
	if err != nil {
		t.Fatal(err)
	}
	o := newObjects(pamstack.Config{Libpam: libpam})
	if o.cache["libc.so.6"] == nil {
		t.Errorf("ld.so.cache: got %d libraries, none of them libc.so.6", len(o.cache))
	}
	for _, name := range []string{"pam_unix.so", "pam_permit.so", "pam_limits.so", "pam_namespace.so", "pam_userdb.so", "pam_selinux.so", "pam_exec.so"} {
		if module := o.open(libpam.ModuleDir + name); module == nil || len(module.missing) == 0 {
			t.Errorf("%s: got %+v, want a module that needs symbols", name, module)
		}
		if lacks := o.resolve(libpam.ModuleDir + name); len(lacks) > 0 {
			t.Errorf("%s: got %+v, want nothing missing", name, lacks)
		}
	}
}
