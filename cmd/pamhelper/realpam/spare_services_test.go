package realpam_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// ownLibrary makes a module that is successful where the library it gets is the one
// beside it: another vendor's has the same name.
func ownLibrary(t *testing.T, vendor string) (module string) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir+"/shared.c", fmt.Sprintf("int vendor(void) { return '%s'; }\n", vendor))
	writeFile(t, dir+"/module.c", fmt.Sprintf("int vendor(void);\nint pam_sm_authenticate(void) { return vendor() == '%s' ? 0 : 7; }\nint pam_sm_setcred(void) { return 0; }\n", vendor))
	module = filepath.Join(dir, "pam_"+vendor+".so")
	for _, args := range [][]string{
		{"gcc", "-shared", "-fPIC", "-Wl,-soname,libvendor.so.1", "-o", dir + "/libvendor.so.1", dir + "/shared.c"},
		{"gcc", "-shared", "-fPIC", "-o", module, dir + "/module.c", dir + "/libvendor.so.1", "-Wl,-rpath," + dir},
	} {
		if err := command(args[0], args[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	return module
}

func TestAModuleGetsTheLibraryThatItWouldGetWithoutTheOtherServices(t *testing.T) {
	t.Parallel()
	theirs, own := ownLibrary(t, "a"), ownLibrary(t, "b")
	made := time.Now()
	eventually(t, func() bool { return time.Since(made) > 3*time.Second }, "modules that were there before the broker")
	for _, spares := range []string{"0", "1"} {
		t.Run(spares+" spares", func(t *testing.T) {
			t.Parallel()
			g := newGround(t, "auth required "+own)
			login := filepath.Join(t.TempDir(), "login")
			writeFile(t, login, "auth required "+theirs+"\n")
			g.before("mount --bind '" + login + "' /etc/pam.d/login")
			b := g.broker("--spare", spares, "--policy", policyFile(t, `service { name: "login" } service { name: "sshd" }`))
			waiting := 0
			if spares != "0" {
				waiting = b.spare()
			}
			client, err := ipc.Dial(t.Context(), b.launcher(), ipc.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			results, err := client.Login(t.Context(), loginOf(b.user), ipc.Authenticate)
			if err != nil {
				t.Errorf("got %s, %v; want the module to have its own library", show(results), err)
			}
			if worker := b.worker(); waiting != 0 && worker != waiting {
				t.Errorf("the login has process %d, want %d, which waited", worker, waiting)
			}
			if _, err := client.End(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestASpareHasTheModulesOfItsServicesLoaded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		flags []string
		want  bool
	}{{"by default", nil, true}, {"without --preload", []string{"--preload=false"}, false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newGround(t).broker(c.flags...)
			maps := readFile(t, fmt.Sprintf("/proc/%d/maps", b.spare()))
			if got := strings.Contains(maps, "/pam_warn.so"); got != c.want {
				t.Errorf("pam_warn is loaded: got %v, want %v; the maps:\n%s", got, c.want, maps)
			}
		})
	}
}
