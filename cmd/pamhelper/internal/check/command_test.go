package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack/check"
)

// ran is the output of "pamhelper check" on a directory of services, and its
// error.
func ran(t *testing.T, services map[string]string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range services {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	cmd := Command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&out)
	cmd.SetArgs(append([]string{"--confdir", dir}, args...))
	err := cmd.Execute()
	return strings.ReplaceAll(out.String(), dir, "DIR"), err
}

const denies = "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\npassword required pam_deny.so\n"

var (
	clean = map[string]string{"other": denies, "svc": denies}
	typo  = map[string]string{"other": denies, "svc": denies + "acount required pam_permit.so\n"}
	// open lets in anybody.
	open = map[string]string{"other": denies, "greeter": "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"}
)

func TestPlainOutputNamesPlaceProblemAndRemedy(t *testing.T) {
	got, err := ran(t, typo)
	if !errors.Is(err, ErrFound) {
		t.Errorf("got %v, want %v", err, ErrFound)
	}
	want := `DIR/svc
  line 5: error illegal-type
      | acount required pam_permit.so
      the first word is no type: "acount" is taken for auth.
      libpam takes the line for one of auth (in an include: of the included facility) that always
      fails.
      To do: Write auth, account, password or session. ` + "`@include`" + ` is known to Debian's libpam only.
      Services: svc
`
	if !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant it to hold\n%s", got, want)
	}
	if strings.Contains(got, "\x1b") {
		t.Errorf("got colours, and the output is no terminal:\n%s", got)
	}
}

func TestExitFollowsTheSeverity(t *testing.T) {
	for _, test := range []struct {
		name     string
		services map[string]string
		args     []string
		found    bool
	}{
		{"clean", clean, nil, false},
		{"clean, and all asked for", clean, []string{"--severity", "info"}, false},
		{"an error", open, nil, true},
		{"an error, and only errors asked for", open, []string{"--severity", "error"}, true},
		{"a warning, and only errors asked for", clean, []string{"--severity", "error", "nosuch"}, false},
		{"a warning", clean, []string{"nosuch"}, true},
		{"another service", open, []string{"other"}, false},
		{"another service, as JSON", open, []string{"--json", "other"}, false},
		{"an error, as JSON", open, []string{"--json"}, true},
		{"an error, as SARIF", open, []string{"--sarif"}, true},
	} {
		if out, err := ran(t, test.services, test.args...); errors.Is(err, ErrFound) != test.found || err != nil && !test.found {
			t.Errorf("%s: got %v, want findings %v\n%s", test.name, err, test.found, out)
		}
	}
}

func TestWhatCannotBeCheckedIsAnError(t *testing.T) {
	for name, args := range map[string][]string{
		"a directory that is not there": {"--confdir", "/nosuch"},
		"a file as the directory":       {"--confdir", "/proc/self/status"},
		"a path":                        {"/etc/pam.d/svc"},
		"no name":                       {""},
		"no severity":                   {"--severity", "bad"},
		"an unknown id":                 {"--explain", "nosuch"},
		"two forms of output":           {"--json", "--sarif"},
	} {
		if out, err := ran(t, clean, args...); err == nil || errors.Is(err, ErrFound) || out != "" {
			t.Errorf("%s: got %v and %q, want an error and nothing printed", name, err, out)
		}
	}
}

func TestExplainPrintsThePagesEntry(t *testing.T) {
	got, err := ran(t, nil, "--explain", "jump-onto-end")
	if err != nil || !strings.HasPrefix(got, "## jump-onto-end\n") || !strings.Contains(got, "**What to do.**") {
		t.Errorf("got %v\n%s\nwant the entry of jump-onto-end", err, got)
	}
}

// hostile is a line that would clear the screen of a terminal, in several ways.
const hostile = "auth required pam_deny.so\nauth\x1b[2J\xc2\x9b2J\u202e\x85 required x.so\n"

func TestControlCharactersOfFilesAreMadeHarmless(t *testing.T) {
	for _, args := range [][]string{nil, {"--json"}, {"--sarif"}} {
		got, _ := ran(t, map[string]string{"other": denies, "svc": hostile, "s\x1bc": denies, "s\x1bd\xc2\x9b.bak": denies}, args...)
		if !strings.Contains(got, "illegal-type") || !strings.Contains(got, "leftover") {
			t.Errorf("%v: got\n%s\nwant the line and the file reported", args, got)
		}
		for _, bad := range []string{"\x1b", "\xc2\x9b", "\u202e", "\x85"} {
			if strings.Contains(got, bad) {
				t.Errorf("%v: %q is in the output\n%q", args, bad, got)
			}
		}
	}
}

func TestJSONIsOneObjectPerLine(t *testing.T) {
	got, _ := ran(t, open, "--json")
	found := false
	for line := range strings.Lines(got) {
		var f struct {
			ID, Severity, File, Text, Problem, Effect, Remedy string
			Line                                              int
			Services                                          []string
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if f.ID == "auth-unverified" {
			found = true
			if f.Severity != "error" || f.File != "DIR/greeter" || f.Line != 1 || f.Text != "auth required pam_permit.so" || len(f.Services) != 1 ||
				f.Problem == "" || f.Effect == "" || f.Remedy == "" {
				t.Errorf("got %+v, want an error in line 1 of greeter, with all texts", f)
			}
		}
	}
	if !found {
		t.Errorf("got\n%s\nwant auth-unverified among them", got)
	}
}

func TestSARIFHasRulesAndPlaces(t *testing.T) {
	got, _ := ran(t, open, "--sarif")
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID, Level string
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(got), &log); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) == 0 || len(log.Runs[0].Tool.Driver.Rules) == 0 {
		t.Fatalf("got %+v, want one run of SARIF 2.1.0 with results and rules", log)
	}
	for _, r := range log.Runs[0].Results {
		if place := r.Locations[0].PhysicalLocation; r.RuleID == "auth-unverified" && (r.Level != "error" || place.ArtifactLocation.URI != "file://DIR/greeter" || place.Region.StartLine != 1) {
			t.Errorf("got %+v, want an error in line 1 of greeter", r)
		}
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	found := []check.Finding{{ID: "junk", Severity: check.Warning, File: "/etc/pam.d/x", Line: 1, Problem: "p"}}
	for _, colours := range []bool{true, false} {
		var out bytes.Buffer
		if err := printPlain(&out, found, stackview.Paint{Colour: colours}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "\x1b[33mwarning\x1b[0m"); got != colours {
			t.Errorf("colours %v: got %q", colours, out.String())
		}
	}
}
