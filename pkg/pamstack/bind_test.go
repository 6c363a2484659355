package pamstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unresolved loads a service of the lines without looking for modules.
func unresolved(t *testing.T, lines ...string) *Stack {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir+"/svc", strings.Join(lines, "\n")+"\n")
	libpam := Libpam{Debian: true, Confdir: true, ServiceDirs: []string{etcDir}, ModuleDir: "/modules/", ISA: "/isa"}
	stack, err := Load("svc", Config{Libpam: libpam, Confdir: dir, Unresolved: true})
	if err != nil || stack.Err != nil {
		t.Fatal(err, stack.Err)
	}
	return stack
}

// found are lookups from words such as "/modules/a.so:acct_mgmt"; one that ends
// in a ! found nothing.
func found(words ...string) (lookups []Lookup) {
	for _, word := range words {
		file, call, _ := strings.Cut(word, ":")
		call, missing := strings.CutSuffix(call, "!")
		for c := range callCount {
			if c.String() == call {
				lookups = append(lookups, Lookup{File: file, Call: c, Found: !missing})
			}
		}
	}
	return lookups
}

func TestBindGivesEachLookupItsLine(t *testing.T) {
	s := unresolved(t,
		"account required a.so",
		"auth required gone.so",
		"auth substack nothing",
		"nonsense required a.so",
		"auth required a.so",
		"account required gone.so",
		"session required b.so",
		"account required b.so",
	)
	bindings, err := s.Bind(found("/modules/a.so:acct_mgmt", "/modules/a.so:authenticate", "/modules/a.so:setcred!",
		"/isa/b.so:open_session", "/isa/b.so:close_session", "/isa/b.so:acct_mgmt"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range bindings {
		got = append(got, fmt.Sprintf("%d:%s", b.Handler.Line.Number, b.Call))
	}
	if got, want := strings.Join(got, " "), "1:acct_mgmt 5:authenticate 5:setcred 7:open_session 7:close_session 8:acct_mgmt"; got != want {
		t.Errorf("bindings: got %s, want %s", got, want)
	}
	for _, h := range s.Handlers() {
		if h.Path == "gone.so" && (!errors.Is(h.Module.Err, errNotLoaded) || h.loaded(h.Facility.calls()[0])) {
			t.Errorf("line %d: got %+v, want a module that is not loaded", h.Line.Number, h.Module)
		}
		if h.Path == "a.so" && h.Kind == KindModule && (!h.Module.Has(Authenticate) || h.Module.Has(Setcred)) {
			t.Errorf("line %d: got %+v, want authenticate without setcred", h.Line.Number, h.Module)
		}
	}
}

// calls are the calls of a facility.
func (f Facility) calls() (calls []Call) {
	for c := range callCount {
		if c.Facility() == f {
			calls = append(calls, c)
		}
	}
	return calls
}

func TestBindNoticesOtherFiles(t *testing.T) {
	lines := []string{"auth required a.so", "account required b.so"}
	for name, lookups := range map[string][]Lookup{
		"a module more":           found("/modules/a.so:authenticate", "/modules/a.so:setcred", "/modules/b.so:acct_mgmt", "/modules/c.so:acct_mgmt"),
		"another module":          found("/modules/c.so:authenticate", "/modules/c.so:setcred", "/modules/b.so:acct_mgmt"),
		"another facility":        found("/modules/a.so:acct_mgmt", "/modules/b.so:acct_mgmt"),
		"another order":           found("/modules/b.so:acct_mgmt", "/modules/a.so:authenticate", "/modules/a.so:setcred"),
		"a function less":         found("/modules/a.so:authenticate", "/modules/b.so:acct_mgmt"),
		"two files of one module": found("/modules/a.so:authenticate", "/isa/a.so:setcred", "/modules/b.so:acct_mgmt"),
	} {
		if _, err := unresolved(t, lines...).Bind(lookups); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
}

func TestBindKnowsAModuleByAnotherName(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/a.so", "")
	if err := os.Symlink(dir+"/a.so", filepath.Join(dir, "b.so")); err != nil {
		t.Fatal(err)
	}
	s := unresolved(t, "account required "+dir+"/a.so", "account required "+dir+"/b.so")
	if _, err := s.Bind(found(dir+"/a.so:acct_mgmt", dir+"/a.so:acct_mgmt")); err != nil {
		t.Error(err)
	}
}
