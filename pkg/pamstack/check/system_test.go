package check

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Two libpams that differ in all that matters.
var (
	debian = pamstack.Libpam{
		Debian: true, Confdir: true, ServiceDirs: []string{"/etc/pam.d", "/usr/lib/pam.d"},
		ModuleDir: "/lib/x86_64-linux-gnu/security/", ISA: "/lib/security", Path: "/lib/x86_64-linux-gnu/libpam.so.0",
		Class: elf.ELFCLASS64, Machine: elf.EM_X86_64,
	}
	upstream = pamstack.Libpam{
		Modern: true, Confdir: true, ServiceDirs: []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam/pam.d"},
		ModuleDir: "/usr/lib64/security/", ISA: "../../lib64/security", Path: "/usr/lib64/libpam.so.0",
		Class: elf.ELFCLASS64, Machine: elf.EM_X86_64,
	}
)

// installed are the modules of a system, by the facilities that they serve.
var installed = map[string]string{
	"auth account password session": "pam_succeed_if pam_unix pam_sss pam_ldap pam_winbind pam_permit pam_deny pam_warn pam_exec pam_debug",
	"auth account": "pam_access pam_faillock pam_localuser pam_listfile pam_nologin pam_usertype pam_wheel " +
		"pam_shells pam_securetty pam_rootok pam_rhosts",
	"auth":         "pam_selinux_permit pam_google_authenticator pam_u2f pam_timestamp pam_faildelay pam_group pam_cap",
	"account":      "pam_time",
	"auth session": "pam_env pam_keyinit pam_mail pam_selinux",
	"session":      "pam_limits pam_namespace pam_loginuid pam_systemd pam_motd pam_umask pam_lastlog pam_xauth",
	"password":     "pam_pwquality",

	"auth password session": "pam_gnome_keyring",
}

// usual are the files of those modules.
var usual = func() map[string]string {
	objects := map[string]string{}
	for facilities, names := range installed {
		object := sharedObject{}
		for facility := range strings.FieldsSeq(facilities) {
			object.defines = append(object.defines, functions[facility]...)
		}
		for name := range strings.FieldsSeq(names) {
			objects[name+".so"] = string(object.bytes())
		}
	}
	return objects
}()

var functions = map[string][]string{
	"auth":     {"pam_sm_authenticate", "pam_sm_setcred"},
	"account":  {"pam_sm_acct_mgmt"},
	"password": {"pam_sm_chauthtok"},
	"session":  {"pam_sm_open_session", "pam_sm_close_session"},
}

// system is a machine's files in a directory.
type system struct {
	t       *testing.T
	root    string
	libpam  pamstack.Libpam
	confdir string
}

// newSystem makes a system whose service other denies all, with the usual
// modules.
func newSystem(t *testing.T, libpam pamstack.Libpam) *system {
	t.Helper()
	m := &system{t: t, root: fastDir(t), libpam: libpam}
	m.mode("/", 0o755)
	m.file("/etc/pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\npassword required pam_deny.so\nsession required pam_deny.so\n")
	m.file("/bin/true", "#!/bin/sh\n")
	m.mode("/bin/true", 0o755)
	m.file(libpam.Path, string(sharedObject{defines: []string{"pam_start", "pam_get_item"}}.bytes()))
	return m
}

// fastDir returns a directory in memory, where there is one: the files are many.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "check")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// file writes a file, and the usual modules that it names.
func (m *system) file(path, text string) {
	m.t.Helper()
	for module := range strings.FieldsSeq(text) {
		if object, is := usual[module]; is && !strings.HasPrefix(path, m.libpam.ModuleDir) {
			m.file(m.libpam.ModuleDir+module, object)
		}
	}
	path = m.root + path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *system) mode(path string, mode os.FileMode) {
	m.t.Helper()
	if err := os.Chmod(m.root+path, mode); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { os.Chmod(m.root+path, 0o755) }) // else only root can remove it
}

func (m *system) link(to, path string) {
	m.t.Helper()
	if err := os.Symlink(to, m.root+path); err != nil {
		m.t.Fatal(err)
	}
}

func (m *system) remove(path string) {
	m.t.Helper()
	if err := os.Remove(m.root + path); err != nil {
		m.t.Fatal(err)
	}
}

// run checks services, all if none are named.
func (m *system) run(services ...string) []Finding {
	m.t.Helper()
	found, err := Run(services, m.config())
	if err != nil {
		m.t.Fatal(err)
	}
	return found
}

func (m *system) config() pamstack.Config {
	return pamstack.Config{Libpam: m.libpam, Root: m.root, Confdir: m.confdir}
}

// shown shows findings as "severity id file:line".
func shown(found []Finding) (lines []string) {
	for _, f := range found {
		lines = append(lines, fmt.Sprintf("%s %s %s:%d", f.Severity, f.ID, f.File, f.Line))
	}
	return lines
}

func hasID(found []Finding, id string) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.ID == id })
}

// wantAt checks that a finding is there, and returns it.
func wantAt(t *testing.T, found []Finding, want string) Finding {
	t.Helper()
	for _, f := range found {
		if shown([]Finding{f})[0] == want {
			return f
		}
	}
	t.Fatalf("got\n  %s\nwant %q among them", strings.Join(shown(found), "\n  "), want)
	return Finding{}
}

func wantNone(t *testing.T, found []Finding, id string) {
	t.Helper()
	for _, f := range found {
		if f.ID == id {
			t.Errorf("got %s: %s, want no %s", shown([]Finding{f})[0], f.Problem, id)
		}
	}
}
