package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bytesOf are the bytes that the page has words for.
var bytesOf = strings.NewReplacer("<CR>", "\r", "<NUL>", "\x00", "<BOM>", "\xef\xbb\xbf", "<NBSP>", "\u00a0")

// exampleSystem makes the system of an example.
func exampleSystem(t *testing.T, e example) *system {
	t.Helper()
	libpam := debian
	if strings.HasSuffix(e.language, "upstream") {
		libpam = upstream
	}
	m := newSystem(t, libpam)
	path, text := "/etc/pam.d/example", ""
	for line := range strings.Lines(bytesOf.Replace(e.text)) {
		if next, is := strings.CutPrefix(line, "==> "); is {
			if text != "" {
				m.file(path, text)
			}
			path, text = strings.TrimSuffix(next, " <==\n"), ""
			continue
		}
		text += line
	}
	m.file(path, text)
	return m
}

func TestExamplesOfThePageAreFoundAndTheirRemediesAreNot(t *testing.T) {
	for id, entry := range page() {
		for i, e := range entry.Examples {
			if !strings.HasPrefix(e.language, "pam") {
				continue
			}
			m := exampleSystem(t, e)
			found := m.run()
			if id == "service-missing" {
				found = m.run("example")
			}
			if wrong := i == 0; hasID(found, id) != wrong {
				t.Errorf("%s, example %d: got\n  %s\nwant it there: %v", id, i+1, strings.Join(shown(found), "\n  "), wrong)
			}
			for _, f := range found {
				if i == 1 && f.Severity > Info && f.ID != id {
					t.Errorf("%s, what to do: got %s: %s, want nothing else wrong", id, shown([]Finding{f})[0], f.Problem)
				}
				if !slices.Contains(page()[f.ID].Severities, f.Severity.String()) {
					t.Errorf("%s has the severity %s; the page names %v", f.ID, f.Severity, page()[f.ID].Severities)
				}
			}
		}
	}
}

func TestEveryEntryOfThePageIsWhole(t *testing.T) {
	for _, id := range IDs() {
		e := page()[id]
		if len(e.Severities) == 0 || e.Effect == "" || e.Remedy == "" || len(e.Examples) != 2 {
			t.Errorf("%s: severities %v, effect %q, remedy %q, %d examples; want all of them, and 2", id, e.Severities, e.Effect, e.Remedy, len(e.Examples))
		}
		for _, severity := range e.Severities {
			if _, err := ParseSeverity(severity); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
}

// The ids in the package's source are those of the page.
func TestEveryIDIsOnThePage(t *testing.T) {
	isID := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	used := map[string]bool{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, is := n.(*ast.BasicLit); is && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && isID.MatchString(text) {
					used[text] = true
				}
			}
			return true
		})
	}
	for _, id := range IDs() {
		if !used[id] {
			t.Errorf("%s is on the page, and nothing reports it", id)
		}
	}
	for id := range used {
		if _, is := page()[id]; !is && strings.Contains(id, "-") && !slices.Contains([]string{"gdm-launch-environment", "password-auth", "fingerprint-auth", "smartcard-auth"}, id) {
			t.Errorf("%s is reported, and not on the page", id)
		}
	}
}

func TestExplainKnowsTheIDsOnly(t *testing.T) {
	text, err := Explain("auth-unverified")
	if err != nil || !strings.HasPrefix(text, "## auth-unverified\n") || strings.Contains(text, "## auth-conditional") {
		t.Errorf("got %q, %v, want the entry of auth-unverified alone", text, err)
	}
	// The last of its part of the page.
	if text, err := Explain("nullok"); err != nil || !strings.HasSuffix(text, "auth required pam_unix.so\n```\n") {
		t.Errorf("got %q, %v, want the entry of nullok up to its last example", text, err)
	}
	if _, err := Explain("nothing"); err == nil {
		t.Error("an unknown id: got no error")
	}
}
