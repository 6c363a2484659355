package pamstack

import (
	"reflect"
	"strings"
	"testing"
)

func TestConstantsTellTheBuild(t *testing.T) {
	for _, test := range []struct {
		name, constants string
		want            Libpam
	}{
		{"Debian 12", "/etc/pam.d/%s /usr/lib/pam.d/%s /lib/security @include /etc/pam.d /lib/x86_64-linux-gnu/security/", Libpam{
			Debian: true, ServiceDirs: []string{"/etc/pam.d", "/usr/lib/pam.d"},
			ModuleDir: "/lib/x86_64-linux-gnu/security/", ISA: "/lib/security",
		}},
		{"a vendor's directory that hides /etc", "/usr/etc/pam.d/%s /usr/lib/pam.d/%s include ../../lib64/security /usr/lib64/security/", Libpam{
			ServiceDirs: []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"},
			ModuleDir:   "/usr/lib64/security/", ISA: "../../lib64/security",
		}},
	} {
		got := Libpam{ISA: "."}
		if got.recognise(strings.Fields(test.constants)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
	var modern Libpam
	if modern.recognise([]string{"maximum level of inclusions reached"}); !modern.Modern {
		t.Error("a limit of inclusions: got a libpam before 1.6, want one since")
	}
}

func TestDetectRefusesWhatIsNoLibpam(t *testing.T) {
	if _, err := Detect("/proc/self/exe"); err == nil || !strings.Contains(err.Error(), "/proc/self/exe") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestInstalledLibpamIsFound(t *testing.T) {
	l, err := detected("")
	if err != nil {
		t.Skip("no libpam: ", err)
	}
	if l.ServiceDirs[0] != "/etc/pam.d" || !strings.HasSuffix(l.ModuleDir, "/security/") {
		t.Errorf("got %+v, want /etc/pam.d first and a directory of modules", l)
	}
}

func TestPathsOfModules(t *testing.T) {
	for _, test := range []struct {
		libpam Libpam
		module string
		want   []string
	}{
		{debian, "a.so", []string{"/lib/x86_64-linux-gnu/security/a.so", "/lib/security/a.so"}},
		{debian, "/x/a.so", []string{"/x/a.so"}},
		{debian, "/x/$ISA/a.so", []string{"/x/$ISA/a.so", "/x//lib/security/a.so"}},
		{debian, "$ISA/a.so", []string{"/lib/x86_64-linux-gnu/security/$ISA/a.so", "/lib/security/$ISA/a.so", "/lib/security/a.so"}},
		{upstream, "a.so", []string{"/usr/lib64/security/a.so"}},
		{upstream, "$ISA/a.so", []string{"/usr/lib64/security/$ISA/a.so", "/usr/lib64/security/../../lib64/security/a.so"}},
	} {
		if got := test.libpam.Candidates(test.module); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s, Debian %v: got %q, want %q", test.module, test.libpam.Debian, got, test.want)
		}
	}
}

func TestModuleMustBeForLibpamsMachine(t *testing.T) {
	root := t.TempDir()
	writeFile(t, root+"/text.so", "no module")
	makeDir(t, root+"/dir.so")
	for file, want := range map[string]string{
		"/text.so": "/text.so is no shared object", "/dir.so": "/dir.so is no regular file",
		"/gone.so": "/gone.so: no such file", "a.so": "working directory",
	} {
		if _, err := debian.open(root, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", file, err, want)
		}
	}
	if _, err := debian.open("", "/proc/self/exe"); err == nil {
		t.Error("a program: got no error, want one: wrong class or machine, and no regular module")
	}
}
