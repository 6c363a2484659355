package stackview

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// libpamSource has what tells an upstream libpam since 1.6, and nothing else.
const libpamSource = `
const char *constants[] = {"maximum level of inclusions reached", "/etc/pam.d/%s", "/usr/share/pam/pam.d/%s", "/usr/lib64/security/"};
int pam_start(void) { return 0; }
int pam_start_confdir(void) { return 0; }
`

// machine is a root directory with that libpam.
func machine(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{"/usr/lib64", "/etc/pam.d", "/srv/pam.d"} {
		if err := os.MkdirAll(root+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", root+"/usr/lib64/libpam.so.0")
	cmd.Stdin = strings.NewReader(libpamSource)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile a libpam: %v\n%s", err, output)
	}
	for path, text := range map[string]string{"/etc/pam.d/app": "auth required a.so\n", "/srv/pam.d/app": "auth optional a.so\n"} {
		if err := os.WriteFile(root+path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAnotherMachinesFilesAreReadByItsOwnRules(t *testing.T) {
	root := machine(t)
	library := root + "/usr/lib64/libpam.so.0"
	for name, test := range map[string]struct {
		source Source
		file   string // of the service app
		libpam string
	}{
		"a root":                      {Source{Root: root + "/"}, "/etc/pam.d/app", "/usr/lib64/libpam.so.0"},
		"a root and its libpam":       {Source{Root: root, Libpam: library}, "/etc/pam.d/app", "/usr/lib64/libpam.so.0"},
		"a directory of that machine": {Source{Root: root, Confdir: "/srv/pam.d"}, "/srv/pam.d/app", "/usr/lib64/libpam.so.0"},
		"the same, written otherwise": {Source{Root: root, Confdir: "srv/pam.d/"}, "/srv/pam.d/app", "/usr/lib64/libpam.so.0"},
		"a libpam":                    {Source{Confdir: root + "/srv/pam.d", Libpam: library}, root + "/srv/pam.d/app", library},
	} {
		stack, err := test.source.Load("app")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l := stack.Libpam; stack.File != test.file || l.Path != test.libpam || l.Debian || !l.Modern || l.ModuleDir != "/usr/lib64/security/" {
			t.Errorf("%s: got %s, %+v, want %s, and %s, of upstream since 1.6", name, stack.File, l, test.file, test.libpam)
		}
	}
}

func TestOptionsThatLeadNowhereAreErrors(t *testing.T) {
	root := machine(t)
	empty := t.TempDir()
	for _, test := range []struct {
		source Source
		want   string
	}{
		{Source{Root: empty}, "--libpam"},
		{Source{Root: empty + "/nosuch"}, "--root"},
		{Source{Root: "/proc/self/status"}, "not a directory"},
		{Source{Libpam: "/proc/self/exe"}, "--libpam"},
		{Source{Root: root, Confdir: "/nosuch"}, "no such file"},
		{Source{Root: root, Confdir: "/etc/pam.d/app"}, "not a directory"},
	} {
		if _, err := test.source.Resolve(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want an error with %q", test.source, err, test.want)
		}
	}
}

func TestTheConfigsLibpamIsNotLookedFor(t *testing.T) {
	config, err := Source{Config: pamstack.Config{Root: t.TempDir(), Libpam: pamstack.Libpam{ModuleDir: "/x/"}}}.Resolve()
	if err != nil || config.Libpam.ModuleDir != "/x/" {
		t.Errorf("got %+v, %v, want the libpam that was given", config, err)
	}
}
