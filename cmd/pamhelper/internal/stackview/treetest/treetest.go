// Package treetest has systems of PAM files for tests: testdata/NAME holds what
// is below the root directory of one.
package treetest

import (
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Debian and Upstream are libpams that differ in all that matters; the modules
// of both are those of treetest.
var (
	Debian = pamstack.Libpam{
		Debian: true, Confdir: true, ServiceDirs: []string{"/etc/pam.d", "/usr/lib/pam.d"},
		ModuleDir: "/lib/x86_64-linux-gnu/security/", ISA: "/lib/security",
	}
	Upstream = pamstack.Libpam{
		Modern: true, Confdir: true, ServiceDirs: []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam/pam.d"},
		ModuleDir: "/usr/lib64/security/", ISA: "../../lib64/security",
	}
)

// Config returns how to read a system of testdata with a libpam. Its modules are
// there but for those named missing*; pam_half.so has nothing for sessions.
func Config(t *testing.T, name string, libpam pamstack.Libpam) pamstack.Config {
	t.Helper()
	_, self, _, _ := runtime.Caller(0)
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join(filepath.Dir(self), "testdata", name))); err != nil {
		t.Fatal(err)
	}
	whole, half := modules(t)
	libpam.Class, libpam.Machine = kind(t, whole)
	for _, module := range named(t, root) {
		switch {
		case strings.HasPrefix(module, "missing"):
		case module == "pam_half.so":
			link(t, half, root+libpam.ModuleDir+module)
		default:
			link(t, whole, root+libpam.ModuleDir+module)
		}
	}
	return pamstack.Config{Libpam: libpam, Root: root}
}

// named returns the base names of the modules in the files below root.
func named(t *testing.T, root string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, field := range strings.Fields(string(text)) {
			if strings.HasSuffix(field, ".so") {
				names = append(names, field)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func link(t *testing.T, module, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(module, path); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}

func kind(t *testing.T, module string) (elf.Class, elf.Machine) {
	t.Helper()
	object, err := elf.Open(module)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	return object.Class, object.Machine
}

const source = `
int pam_sm_authenticate(void) { return 0; }
int pam_sm_setcred(void) { return 0; }
int pam_sm_acct_mgmt(void) { return 0; }
int pam_sm_chauthtok(void) { return 0; }
#ifndef HALF
int pam_sm_open_session(void) { return 0; }
int pam_sm_close_session(void) { return 0; }
#endif
`

var compiled struct {
	sync.Once
	dir    string
	err    error
	output []byte
}

// modules compiles the two modules, once for a test binary.
func modules(t *testing.T) (whole, half string) {
	t.Helper()
	compiled.Do(func() {
		if compiled.dir, compiled.err = os.MkdirTemp("", "treetest"); compiled.err != nil {
			return
		}
		for name, flag := range map[string]string{"whole.so": "-DWHOLE", "half.so": "-DHALF"} {
			cmd := exec.Command("gcc", "-shared", "-fPIC", flag, "-x", "c", "-", "-o", filepath.Join(compiled.dir, name))
			cmd.Stdin = strings.NewReader(source)
			if compiled.output, compiled.err = cmd.CombinedOutput(); compiled.err != nil {
				return
			}
		}
	})
	if compiled.err != nil {
		t.Fatalf("compile modules: %v\n%s", compiled.err, compiled.output)
	}
	return filepath.Join(compiled.dir, "whole.so"), filepath.Join(compiled.dir, "half.so")
}

// Clean removes what the tests have compiled; TestMain calls it.
func Clean() { os.RemoveAll(compiled.dir) }

// Golden compares output with a file of testdata, or writes it with update.
func Golden(t *testing.T, file, got string, update bool) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s\n(go test -update writes it)", path, got, want)
	}
}
