package show

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview/treetest"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// system is files and how they are read.
type system struct {
	tree   string
	libpam pamstack.Libpam
}

var (
	debian   = system{"debian", treetest.Debian}
	upstream = system{"upstream", treetest.Upstream}
	classics = system{"classics", treetest.Debian}
	broken   = system{"broken", treetest.Debian}
	modern   = system{"broken", treetest.Upstream}
	aborted  = system{"aborted", treetest.Debian}
	odd      = system{"odd", treetest.Debian}
	confdir  = system{"confdir", treetest.Debian}
	confdirU = system{"confdir", treetest.Upstream}
)

func shown(t *testing.T, s system, o options, args ...string) string {
	t.Helper()
	o.source.Config = treetest.Config(t, s.tree, s.libpam)
	var out strings.Builder
	if err := o.run(&out, args); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	verbose, asJSON := options{verbose: true}, options{json: true}
	for _, test := range []struct {
		file string
		system
		options
		args []string
	}{
		{"debian-services.txt", debian, options{}, nil},
		{"debian-login.txt", debian, options{}, []string{"login"}},
		{"debian-sshd.txt", debian, options{}, []string{"sshd"}},
		{"debian-su-l.txt", debian, options{}, []string{"su-l"}},
		{"debian-common-auth.txt", debian, verbose, []string{"common-auth", "auth"}},
		{"debian-common-auth.json", debian, asJSON, []string{"common-auth", "auth"}},
		{"debian-ascii.txt", debian, options{paint: stackview.Paint{ASCII: true}}, []string{"sshd", "auth"}},
		{"debian-colour.txt", debian, options{paint: stackview.Paint{Colour: true}}, []string{"login"}},
		{"upstream-services.txt", upstream, options{}, nil},
		{"upstream-services.json", upstream, asJSON, nil},
		{"upstream-sshd.txt", upstream, options{}, []string{"sshd"}},
		{"upstream-system-auth.txt", upstream, verbose, []string{"system-auth", "auth"}},

		{"classic-rightdenied.txt", classics, options{}, []string{"rightdenied", "auth"}},
		{"classic-swapped.txt", classics, options{}, []string{"swapped", "auth"}},
		{"classic-lockorder.txt", classics, options{}, []string{"lockorder", "auth"}},
		{"classic-wrongname.txt", classics, options{}, []string{"ssh"}},
		{"classic-wrongname.json", classics, asJSON, []string{"ssh", "auth"}},

		{"broken.txt", broken, options{}, []string{"broken"}},
		{"broken-upstream.txt", modern, options{}, []string{"broken"}},
		{"broken.json", broken, asJSON, []string{"broken", "auth"}},
		{"aborted.txt", aborted, options{}, []string{"service"}},
		{"aborted.json", aborted, asJSON, []string{"service", "auth"}},
		{"undefined.txt", aborted, options{}, []string{"undefined", "auth"}},
		{"jumps.txt", odd, verbose, []string{"jumps", "auth"}},
		{"upper.txt", odd, options{}, []string{"Empty"}},
		{"confdir.txt", confdir, options{source: stackview.Source{Confdir: "/my"}}, []string{"app"}},
		{"confdir-upstream.txt", confdirU, options{source: stackview.Source{Confdir: "/my"}}, []string{"app"}},
		{"confdir-services.txt", confdir, options{source: stackview.Source{Confdir: "/my"}}, nil},
	} {
		t.Run(test.file, func(t *testing.T) {
			treetest.Golden(t, test.file, shown(t, test.system, test.options, test.args...), *update)
		})
	}
}

// handlersIn returns the handlers of rows from top to bottom.
func handlersIn(rows []*row) (list []*pamstack.Handler) {
	for _, r := range rows {
		if r.handler != nil {
			list = append(list, r.handler)
		}
		list = append(list, handlersIn(r.children)...)
	}
	return list
}

func TestRowsAreTheChainInItsOrder(t *testing.T) {
	for _, s := range []system{debian, upstream, classics, broken, modern, aborted, odd, confdir} {
		source := stackview.Source{Config: treetest.Config(t, s.tree, s.libpam)}
		services, err := source.Services()
		if err != nil || len(services) == 0 {
			t.Fatalf("%s: %d services, %v", s.tree, len(services), err)
		}
		for _, service := range services {
			stack, err := source.Load(service.Name)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range facilities {
				if got, want := handlersIn(treeOf(stack, f)), stack.Chain(f); !slices.Equal(got, want) {
					t.Errorf("%s %s %v: got %d handlers, want the %d of the chain in order", s.tree, service.Name, f, len(got), len(want))
				}
			}
		}
	}
}

func TestEachProblemIsShown(t *testing.T) {
	for _, s := range []system{broken, modern, aborted} {
		for _, service := range []string{"broken", "service", "undefined"} {
			source := stackview.Source{Config: treetest.Config(t, s.tree, s.libpam)}
			stack, err := source.Load(service)
			if err != nil {
				t.Fatal(err)
			}
			got := shown(t, s, options{}, service)
			for _, note := range stack.Notes {
				if text := stackview.Problem(note); !strings.Contains(got, text) {
					t.Errorf("%s %s: %q is not shown in\n%s", s.tree, service, text, got)
				}
			}
		}
	}
}

func TestControlCharactersAreMadeHarmless(t *testing.T) {
	got := shown(t, broken, options{}, "broken")
	if strings.ContainsAny(got, "\x1b\r") || !utf8.ValidString(got) || !strings.Contains(got, `a\x1b[31mb\xff`) {
		t.Errorf("got %q, want the escape sequence of an argument in words", got)
	}
}

func TestWrongUsageIsSaid(t *testing.T) {
	for _, test := range []struct {
		source stackview.Source
		args   []string
		says   string
	}{
		{stackview.Source{}, []string{"login", "authenticate"}, `unknown facility "authenticate"`},
		{stackview.Source{}, []string{"/etc/pam.d/login"}, "is not a service's name"},
		{stackview.Source{Confdir: "/nosuch"}, []string{"login"}, "no such file"},
		{stackview.Source{Confdir: "/etc/pam.d/login"}, []string{"login"}, "is not a directory"},
	} {
		test.source.Config = treetest.Config(t, "debian", treetest.Debian)
		var out strings.Builder
		err := options{source: test.source}.run(&out, test.args)
		if err == nil || !strings.Contains(err.Error(), test.says) || out.Len() > 0 {
			t.Errorf("%q: got %v, %q; want %q and nothing", test.args, err, out.String(), test.says)
		}
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, args := range [][]string{{"login"}, nil} {
		for _, asJSON := range []bool{true, false} {
			o := options{json: asJSON, source: stackview.Source{Config: treetest.Config(t, "debian", treetest.Debian)}}
			if err := o.run(full{}, args); !errors.Is(err, errFull) {
				t.Errorf("%q: got %v, want %v", args, err, errFull)
			}
		}
	}
}

// Who may not read a file is not told that there is none.
func TestAServiceThatDoesNotOpenIsNotCalledMissing(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("gone", filepath.Join(dir, "svc")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), []byte("auth required pam_deny.so\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	o := options{source: stackview.Source{Confdir: dir, Config: pamstack.Config{Libpam: treetest.Debian}}}
	if err := o.run(&out, []string{"svc"}); err != nil {
		t.Fatal(err)
	}
	if want := "  not open:  " + dir + "/svc\n"; !strings.Contains(out.String(), want) || strings.Contains(out.String(), "no such service") {
		t.Errorf("got\n%s\nwant it to hold %q", out.String(), want)
	}
}

func TestLeftoversAndDirectoriesAreNoServices(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"app", "app.dpkg-old", ".app.swp", "app~", "more/app"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	o := options{source: stackview.Source{Confdir: dir, Config: pamstack.Config{Libpam: treetest.Debian}}}
	if err := o.run(&out, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "app  "+dir+"/app\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// The README shows a stack of the classics, under a name of its own.
func TestTheReadmeShowsWhatIsPrinted(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/classic-rightdenied.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("/etc/pam.d/rightdenied", "/srv/app/app", "rightdenied", "app").Replace(string(golden))
	if !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not have\n%s", want)
	}
}
