package policy

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// page is the manual page pamhelper-policy(5).
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../pamhelper-policy.5")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// entryOf is what the page says of a field, in one line without marks.
func entryOf(t *testing.T, text string, field protoreflect.Name) string {
	t.Helper()
	at := regexp.MustCompile(`\n\.It Ic ` + string(field) + `( Brq Ar fields)?\n`).FindStringIndex(text)
	if at == nil {
		t.Errorf("%s has no entry in the page", field)
		return ""
	}
	rest := text[at[1]-1:]
	rest = regexp.MustCompile(`(?s)\n\.(It Ic|Ss|Sh) .*`).ReplaceAllString(rest, "")
	return strings.Join(strings.Fields(regexp.MustCompile(`(?m)^\.[A-Z][a-z] `).ReplaceAllString(rest, "")), " ")
}

func TestPageHasEveryFieldWithItsDefaultAndRange(t *testing.T) {
	t.Parallel()
	text := page(t)
	for fd := range schemaFields() {
		entry := entryOf(t, text, fd.Name())
		comment := comments()[fd.FullName()]
		if m := regexp.MustCompile(`Default: (\d+|true|false|"ssh")`).FindStringSubmatch(comment); m != nil {
			if want := "Default: " + strings.Trim(m[1], `"`); !strings.Contains(entry, want) {
				t.Errorf("%s: want %q in its entry: %s", fd.FullName(), want, entry)
			}
		}
		inDeadlines := fd.ContainingMessage().Name() == "Deadlines" // those of limits are said above the list
		if m := rangeText.FindStringSubmatch(comment); inDeadlines && !strings.Contains(entry, m[1]+" to "+m[2]) {
			t.Errorf("%s: want %s to %s in its entry: %s", fd.FullName(), m[1], m[2], entry)
		}
	}
}

// TestPoliciesOfThePageForTeleportAreGoodOnes: those of the agent's TELEPORT.md.
func TestPoliciesOfThePageForTeleportAreGoodOnes(t *testing.T) {
	text, err := os.ReadFile("../../../agent/TELEPORT.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)\n```textproto\n(.*?)```\n").FindAllSubmatch(text, -1)
	if len(blocks) != 5 {
		t.Errorf("got %d policies, want 5", len(blocks))
	}
	for _, block := range blocks {
		if _, err := Parse(block[1], "TELEPORT.md"); err != nil {
			t.Errorf("%v in\n%s", err, block[1])
		}
	}
}

func TestExamplesOfThePageAreGoodPolicies(t *testing.T) {
	t.Parallel()
	_, examples, found := strings.Cut(page(t), "\n.Sh EXAMPLES\n")
	if !found {
		t.Fatal("the page has no examples")
	}
	blocks := regexp.MustCompile(`(?s)\n\.Bd -literal -offset indent\n(.*?)\n\.Ed\n`).FindAllStringSubmatch(examples, -1)
	if len(blocks) != 2 {
		t.Fatalf("got %d examples, want 2", len(blocks))
	}
	for _, block := range blocks {
		if p, err := Parse([]byte(block[1]), "example"); err != nil || len(p.Service) != 2 {
			t.Errorf("got %v, %v; want two services from\n%s", p, err, block[1])
		}
	}
}

func TestPolicyOfTheReadmeIsAGoodOne(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "\n## The policy\n")
	_, shown, _ = strings.Cut(shown, "\n```\n")
	shown, _, _ = strings.Cut(shown, "\n```\n")
	if p, err := Parse([]byte(shown), "README.md"); err != nil || len(p.Service) != 2 {
		t.Errorf("got %v, %v; want two services from\n%s", p, err, shown)
	}
}
