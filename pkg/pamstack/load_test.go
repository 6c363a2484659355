package pamstack

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// Two libpams that differ in all that matters.
var (
	debian = Libpam{
		Debian: true, Confdir: true, ServiceDirs: []string{"/etc/pam.d", "/usr/lib/pam.d"},
		ModuleDir: "/lib/x86_64-linux-gnu/security/", ISA: "/lib/security",
	}
	upstream = Libpam{
		Modern: true, Confdir: true, ServiceDirs: []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam/pam.d"},
		ModuleDir: "/usr/lib64/security/", ISA: "../../lib64/security",
	}
)

// system is files by their paths.
type system map[string]string

// loadSystem loads a service of a system on which the modules a.so to h.so are
// there, with all functions.
func loadSystem(t *testing.T, libpam Libpam, service string, files system) *Stack {
	t.Helper()
	stack, err := systemLoader(t, libpam, service, files).load()
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func systemLoader(t *testing.T, libpam Libpam, service string, files system) *loader {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		if dir, found := strings.CutSuffix(path, "/"); found {
			makeDir(t, root+dir)
			continue
		}
		writeFile(t, root+path, text)
	}
	l := newLoader(service, Config{Libpam: libpam, Root: root})
	for _, letter := range "abcdefgh" {
		path := string(letter) + ".so"
		l.modules[path] = &Module{File: path, functions: [callCount]bool{true, true, true, true, true, true}}
	}
	return l
}

// shown is a chain as "file:number kind path level" lines.
func shown(chain []*Handler) (lines []string) {
	for _, h := range chain {
		kind := [...]string{"", "must-fail ", "substack "}[h.Kind]
		lines = append(lines, Note{Line: h.Line, Problem: Problem(kind + h.Path + strings.Repeat("'", h.Level))}.String())
	}
	return lines
}

func wantStrings(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
		t.Errorf("%s: got\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func notes(s *Stack) (lines []string) {
	for _, note := range s.Notes {
		lines = append(lines, note.String())
	}
	return lines
}

func TestIncludesBecomeOneChain(t *testing.T) {
	s := loadSystem(t, debian, "Login", system{
		"/etc/pam.d/login": "auth required a.so\nauth include common\nauth substack deep\n@include all\n",
		"/etc/pam.d/common": "# for all\naccount required h.so\n" +
			"auth [success=1] b.so try first\n",
		"/etc/pam.d/deep": "auth sufficient c.so\n",
		"/etc/pam.d/all":  "account required d.so\nAUTH optional e.so\n",
	})
	wantStrings(t, "auth", shown(s.Chain(Auth)),
		"/etc/pam.d/login:1: a.so",
		"/etc/pam.d/common:3: b.so",
		"/etc/pam.d/login:3: substack deep",
		"/etc/pam.d/deep:1: c.so'",
		"/etc/pam.d/all:2: e.so")
	wantStrings(t, "account", shown(s.Chain(Account)), "/etc/pam.d/all:1: d.so")
	wantStrings(t, "notes", notes(s))
	b := s.Chain(Auth)[1]
	if via := b.Line.Via; via == nil || via.Number != 2 || via.Via != nil || via.Text != "auth include common\n" {
		t.Errorf("line that led to b.so = %+v, want line 2 of login", via)
	}
	if !reflect.DeepEqual(b.Arguments, []string{"try", "first"}) || b.Control != "success=1" || b.Table[Success] != 1 {
		t.Errorf("b.so: arguments %q, control %q, success %v", b.Arguments, b.Control, b.Table[Success])
	}
	if s.Service != "login" || len(s.Lines) != 9 {
		t.Errorf("service %q with %d lines, want login with 9", s.Service, len(s.Lines))
	}
}

func TestOtherServesFacilitiesThatTheServiceLacks(t *testing.T) {
	s := loadSystem(t, upstream, "svc", system{
		"/usr/lib/pam.d/svc": "auth required a.so\n",
		"/etc/pam.d/other":   "auth required b.so\naccount required c.so\n",
	})
	wantStrings(t, "auth", shown(s.Chain(Auth)), "/usr/lib/pam.d/svc:1: a.so")
	wantStrings(t, "account", shown(s.Chain(Account)), "/etc/pam.d/other:2: c.so")
	if !s.Chain(Account)[0].Other || s.Chain(Auth)[0].Other {
		t.Error("only the account line is of the service other")
	}
	if got := s.Chain(Session); got != nil {
		t.Errorf("session = %v, want none", shown(got))
	}
}

func TestEmptyFileAndDirectoryHideTheVendorsFile(t *testing.T) {
	for _, etc := range []system{{"/etc/pam.d/svc": ""}, {"/etc/pam.d/svc/": ""}} {
		etc["/usr/lib/pam.d/svc"] = "auth required a.so\n"
		if s := loadSystem(t, debian, "svc", etc); len(s.Chain(Auth)) != 0 || s.Err != nil {
			t.Errorf("with %v: %v, %v, want an empty chain", etc, shown(s.Chain(Auth)), s.Err)
		}
	}
}

func TestServiceOtherIsReadTwice(t *testing.T) {
	s := loadSystem(t, debian, "other", system{"/etc/pam.d/other": "auth required a.so\n"})
	wantStrings(t, "auth", shown(s.Chain(Auth)), "/etc/pam.d/other:1: a.so", "/etc/pam.d/other:1: a.so")
}

func TestPamConfIsReadOnlyWithoutDirectories(t *testing.T) {
	files := system{"/etc/pam.conf": "svc auth required a.so\nlogin auth required b.so\nOther account required c.so\n" +
		"SVC session include /etc/extra\nsvc\n", "/etc/extra": "session required d.so\n"}
	s := loadSystem(t, debian, "svc", files)
	wantStrings(t, "auth", shown(s.Chain(Auth)), "/etc/pam.conf:1: a.so", "/etc/pam.conf:5: must-fail ")
	wantStrings(t, "account", shown(s.Chain(Account)), "/etc/pam.conf:3: c.so")
	wantStrings(t, "session", shown(s.Chain(Session)), "/etc/extra:1: d.so")

	files["/usr/lib/pam.d/"] = ""
	if s := loadSystem(t, debian, "svc", files); !errors.Is(s.Err, ErrAbort) {
		t.Errorf("with a directory: %v, want %v", s.Err, ErrAbort)
	}
}

func TestProblemsAreNotedAtTheirLines(t *testing.T) {
	for _, test := range []struct {
		line  string
		chain string
		note  string
	}{
		{"bogus optional a.so", "must-fail a.so", `illegal-type: "bogus" is taken for auth`},
		{"auth", "must-fail ", "control-missing"},
		{"auth required", "must-fail ", "module-missing"},
		{"auth requird a.so", "a.so", `control-illegal: return value expected at "requird"`},
		{"auth include none", "must-fail ", `include-failed: "/etc/pam.d/none" does not open`},
		{"auth required z.so", "z.so", "module-faulty: /lib/security/z.so: no such file or directory"},
		{"auth required a.so \x00", "a.so", "nul-byte"},
		{"auth [success=9999999999] a.so", "a.so", `jump-overflow: the jump is larger than an int at "9999999999"`},
	} {
		s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": "\n" + test.line + "\n"})
		if got := notes(s); len(got) == 0 || got[0] != "/etc/pam.d/svc:2: "+test.note {
			t.Errorf("%q: notes %q, want %q", test.line, got, test.note)
		}
		wantStrings(t, test.line, shown(s.Chain(Auth)), "/etc/pam.d/svc:2: "+test.chain)
	}
}

func TestWhatEndsPamStart(t *testing.T) {
	svc := "/etc/pam.d/svc"
	for _, test := range []struct {
		name    string
		libpam  Libpam
		files   system
		err     error
		problem Problem
		place   string
	}{
		{"no file", debian, system{"/etc/pam.d/": ""}, ErrAbort, NoFile, svc},
		{"unfinished", debian, system{svc: "auth required a.so\nauth \\\n"}, ErrAbort, FileUnfinished, svc + ":2"},
		{"other unfinished", debian, system{svc: "", "/etc/pam.d/other": "\\"}, ErrAbort, FileUnfinished, "/etc/pam.d/other:1"},
		{"empty name", debian, system{svc: "auth required .so"}, ErrAbort, NameEmpty, svc + ":1"},
		{"empty name of a substack", upstream, system{svc: "auth substack .d"}, ErrAbort, NameEmpty, svc + ":1"},
		{"empty name, included", debian, system{svc: "auth include x", "/etc/pam.d/x": "auth required ?.so"}, ErrUndefined, UndefinedHandler, svc + ":1"},
		{"@include of nothing", debian, system{svc: "\n@include x"}, ErrAbort, IncludeAnyFailed, svc + ":2"},
		{"include without a name", debian, system{svc: "auth include"}, ErrUndefined, IncludeUnnamed, svc + ":1"},
		{"loop", debian, system{svc: "auth include svc"}, ErrUndefined, IncludeLoop, svc + ":1"},
		{"full line", debian, system{svc: strings.Repeat("x", 1022) + "\\\n"}, ErrUndefined, LineEndless, svc + ":1"},
		{"loop of substacks", debian, system{svc: "auth substack svc"}, nil, "", ""},
		{"loop since 1.6", upstream, system{svc: "auth include svc"}, nil, "", ""},
		{"include without a name upstream", upstream, system{svc: "auth include"}, nil, "", ""},
	} {
		s := loadSystem(t, test.libpam, "svc", test.files)
		if !errors.Is(s.Err, test.err) {
			t.Errorf("%s: got %v, want %v", test.name, s.Err, test.err)
			continue
		}
		var at *Error
		if errors.As(s.Err, &at) && (at.Problem != test.problem || !strings.HasPrefix(at.String(), test.place+": ")) {
			t.Errorf("%s: got %v, want %s at %s", test.name, at, test.problem, test.place)
		}
		if _, err := s.Predict(nil, AcctMgmt); err != s.Err {
			t.Errorf("%s: predict: got %v, want %v", test.name, err, s.Err)
		}
	}
}

func TestIncludesEndAtSixteenLevels(t *testing.T) {
	s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": "auth substack svc"})
	chain := s.Chain(Auth)
	if last := chain[len(chain)-1]; len(chain) != 17 || last.Kind != KindMustFail || last.Level != 15 {
		t.Errorf("%d handlers, the last %+v; want 16 markers and one that must fail at level 15", len(chain), last)
	}
	s = loadSystem(t, upstream, "svc", system{"/etc/pam.d/svc": "auth include svc\nauth required a.so"})
	if got := len(s.Chain(Auth)); got != 17 {
		t.Errorf("since 1.6: %d handlers, want one that must fail and 16 modules", got)
	}
}

func TestHostileFilesAreTooLarge(t *testing.T) {
	twice := strings.Repeat("auth include svc\n", 2)
	for name, files := range map[string]system{
		"includes":     {"/etc/pam.d/svc": twice},
		"lines":        {"/etc/pam.d/svc": strings.Repeat("\n", maxLines+1)},
		"NUL bytes":    {"/etc/pam.d/svc": strings.Repeat("\x00\n", maxLines+1)},
		"bytes":        {"/etc/pam.d/svc": strings.Repeat("#", maxBytes+1)},
		"in an @other": {"/etc/pam.d/other": strings.Repeat("#", maxBytes+1)},
	} {
		stack, err := systemLoader(t, upstream, "svc", files).load()
		var at *Error
		if stack == nil || stack.Err != err || !errors.Is(err, ErrTooLarge) || !errors.As(err, &at) || at.Line.File == "" {
			t.Errorf("%s: got %v, %v, want %v with its place", name, stack, err, ErrTooLarge)
		}
	}
}

func TestSpecialFilesAreNotRead(t *testing.T) {
	l := systemLoader(t, debian, "svc", system{"/etc/pam.d/": "", "/usr/lib/pam.d/": ""})
	if err := syscall.Mkfifo(l.Root+"/etc/pam.d/svc", 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := l.load()
	if err != nil || !errors.Is(s.Err, ErrUndefined) {
		t.Errorf("pipe: got %v, %v, want %v", s.Err, err, ErrUndefined)
	}
}

func TestLinkToNullHidesTheVendorsFile(t *testing.T) {
	l := systemLoader(t, debian, "svc", system{"/etc/pam.d/": "", "/usr/lib/pam.d/svc": "auth required a.so"})
	if err := os.Symlink("/dev/null", l.Root+"/etc/pam.d/svc"); err != nil {
		t.Fatal(err)
	}
	if s, err := l.load(); err != nil || s.Err != nil || len(s.Chain(Auth)) != 0 {
		t.Errorf("got %v, %v with %d handlers, want none", err, s.Err, len(s.Chain(Auth)))
	}
}

func TestDanglingLinkIsSkippedWithANote(t *testing.T) {
	l := systemLoader(t, debian, "svc", system{"/etc/pam.d/": "", "/usr/lib/pam.d/svc": "auth required a.so"})
	if err := os.Symlink("gone", l.Root+"/etc/pam.d/svc"); err != nil {
		t.Fatal(err)
	}
	s, err := l.load()
	if err != nil {
		t.Fatal(err)
	}
	wantStrings(t, "auth", shown(s.Chain(Auth)), "/usr/lib/pam.d/svc:1: a.so")
	wantStrings(t, "notes", notes(s), "/etc/pam.d/svc: file-skipped: no such file or directory")
}

func TestFailedIncludeInsideAnIncludeIsUndefined(t *testing.T) {
	s := loadSystem(t, debian, "svc", system{
		"/etc/pam.d/svc": "auth required a.so\nauth include x\nauth required b.so\n", "/etc/pam.d/x": "@include gone\n"})
	outcomes, err := s.Predict(func(*Handler, Call, bool) Code { return Success }, Authenticate)
	if err != nil {
		t.Fatal(err)
	}
	if o := outcomes[0]; o.Undefined == nil || o.Undefined.Line.File != "/etc/pam.d/x" || len(o.Steps) != 2 {
		t.Errorf("got %+v, want undefined from the line of x on", o)
	}
}
