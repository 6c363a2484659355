package libpam

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// traceModule builds the test's module, with and without the checked functions of
// the C library.
func traceModule(t *testing.T, options ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pam_trace.so")
	args := append([]string{"-shared", "-fPIC", "-O2", "-Wall", "-o", path, "testdata/pam_trace.c", "-lpam", "-lpthread"}, options...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return path
}

// tracedStart starts a transaction and returns what fills with its traces.
func tracedStart(t *testing.T, config Config) (*Transaction, *[]Trace) {
	t.Helper()
	locked(t)
	var traces []Trace
	config.Traced = func(trace Trace) { traces = append(traces, trace) }
	tx, status := Start(config)
	if status != Success {
		t.Fatalf("start: %d %s, %+v", status, status.Text(), traces)
	}
	return tx, &traces
}

// notesOf are the notes of the only turn, as text.
func notesOf(t *testing.T, traces []Trace) (notes []string) {
	t.Helper()
	trace := traces[len(traces)-1]
	if len(trace.Turns) != 1 || trace.Disagreement != "" || trace.Unknown != "" {
		t.Fatalf("trace: got %+v, want one turn", trace)
	}
	for _, n := range trace.Turns[0].Notes {
		notes = append(notes, fmt.Sprintf("%d %d %s", n.Kind, n.Number, n.Text))
	}
	return notes
}

func TestTraceSaysWhatAModuleDid(t *testing.T) {
	for name, options := range map[string][]string{"plain": {"-U_FORTIFY_SOURCE"}, "checked": {"-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"}} {
		t.Run(name, func(t *testing.T) {
			tx, traces := tracedStart(t, service(t, "auth required "+traceModule(t, options...)+" all"))
			defer tx.End()
			tx.Authenticate(0)
			want := []string{
				fmt.Sprintf("%d 3 plain 1 No such file or directory", Logged),
				fmt.Sprintf("%d 5 list two", Logged),
				fmt.Sprintf("%d 7 pam_trace(svc:auth): pam three", Logged),
				fmt.Sprintf("%d 8 ", ItemSet),
				fmt.Sprintf("%d 11 ", ItemUnset),
				fmt.Sprintf("%d 0 COLOUR", VariableSet),
				fmt.Sprintf("%d 0 COLOUR", VariableGone),
				fmt.Sprintf("%d 7 ", DelayAsked),
				fmt.Sprintf("%d 4 hello", Said),
			}
			if got := notesOf(t, *traces); !slices.Equal(got, want) {
				t.Errorf("notes:\ngot  %q\nwant %q", got, want)
			}
		})
	}
}

func TestTraceLeavesOutChildrenAndThreads(t *testing.T) {
	module := traceModule(t)
	for what, want := range map[string]string{
		"fork":   fmt.Sprintf("%d 3 after the fork: %d", Logged, pamstack.ConvErr),
		"thread": fmt.Sprintf("%d 3 after the thread", Logged),
	} {
		t.Run(what, func(t *testing.T) {
			tx, traces := tracedStart(t, service(t, "auth required "+module+" "+what))
			defer tx.End()
			tx.Authenticate(0)
			if got := notesOf(t, *traces); !slices.Equal(got, []string{want}) {
				t.Errorf("notes: got %q, want %q alone", got, want)
			}
		})
	}
}

func TestTraceHidesAnswers(t *testing.T) {
	module := traceModule(t)
	config := service(t, "auth required "+module+" leak", "account required "+module+" ask")
	config.Conversation = &scripted{answers: []string{"hunter22", "alice"}}
	tx, traces := tracedStart(t, config)
	defer tx.End()
	tx.Authenticate(0)
	got := strings.Join(notesOf(t, *traces), "\n")
	if strings.Contains(got, "hunter22") || !strings.Contains(got, "the answer is ****, is it") || !strings.Contains(got, "you said ****") {
		t.Errorf("notes: got %q, want stars for the answer", got)
	}
	tx.Account(0)
	if got := strings.Join(notesOf(t, *traces), "\n"); !strings.Contains(got, "the name is alice") {
		t.Errorf("notes: got %q, want an answer that was shown when it was typed", got)
	}
}

func TestAnswersAreBlottedOut(t *testing.T) {
	for _, c := range []struct {
		text   string
		cut    bool
		secret string
		want   string
	}{
		{"it is hunter22", false, "hunter22", "it is ****"},
		{"hunter22hunter22 and hunter22.", false, "hunter22", "******** and ****."},
		{"it is hunte", true, "hunter22", "it is ****"},
		{"it is hunte", false, "hunter22", "it is hunte"},
		{"it is hun", true, "hunter22", "it is hun"}, // as much as a word of anything
		{"four****four", false, "****", "four****four"},
		{"x marks", false, "x", "x marks"}, // stars would tell what it was
		{"", true, "hunter22", ""},
	} {
		if got := hidden([]byte(c.text), c.cut, [][]byte{[]byte("y"), []byte(c.secret)}); got != c.want {
			t.Errorf("hidden(%q, %v, %q) = %q, want %q", c.text, c.cut, c.secret, got, c.want)
		}
	}
}

func TestTraceIsBounded(t *testing.T) {
	module := traceModule(t)
	tx, traces := tracedStart(t, service(t, "auth required "+module+" flood", "account required "+module+" all"))
	defer tx.End()
	tx.Authenticate(0)
	trace := (*traces)[len(*traces)-1]
	size := 0
	for _, n := range trace.Turns[0].Notes {
		size += len(n.Text)
		if len(n.Text)+n.Omitted != 2999 {
			t.Fatalf("note: got %d bytes and %d omitted, want 2999 together", len(n.Text), n.Omitted)
		}
	}
	if got := len(trace.Turns[0].Notes); got != 1024 || trace.NotesLost != 5000-1024 || size > 64<<10 {
		t.Errorf("got %d notes of %d bytes, %d lost; want 1024 of at most 64 KiB, %d lost", got, size, trace.NotesLost, 5000-1024)
	}
	tx.Account(0)
	if got := notesOf(t, *traces); len(got) != 9 {
		t.Errorf("notes of the next call: got %q, want all 9", got)
	}
}

func TestTimeIsTheModulesWithoutTheConversation(t *testing.T) {
	module := traceModule(t)
	config := service(t, "auth required "+module+" slow", "account required "+module+" ask")
	config.Conversation = slowly{}
	tx, traces := tracedStart(t, config)
	defer tx.End()
	tx.Authenticate(0)
	if got := (*traces)[1].Turns[0].Time; got < 20*time.Millisecond {
		t.Errorf("a module that works for 20ms: got %s", got)
	}
	tx.Account(0)
	if got := (*traces)[2].Turns[0].Time; got <= 0 || got > 100*time.Millisecond {
		t.Errorf("a module that waits 200ms for an answer: got %s, want its own time", got)
	}
}

// slowly takes its time to answer.
type slowly struct{}

func (slowly) Message(Style, []byte) error { return nil }
func (slowly) Prompt(Style, []byte) ([]byte, error) {
	time.Sleep(200 * time.Millisecond)
	return []byte("alice"), nil
}
func (slowly) Binary(byte, []byte) (byte, []byte, error) { return 0, nil, errors.New("not supported") }

func TestTraceHasWhatOnlyTheModelKnows(t *testing.T) {
	broken := brokenModule(t)
	tx, traces := tracedStart(t, service(t,
		"auth optional "+broken,
		"auth optional pam_nosuch.so",
		"auth optional",
		"nonsense optional pam_permit.so",
		"auth [success=1] pam_permit.so",
		"auth required pam_deny.so",
		"auth required pam_permit.so",
		"account required "+traceModule(t)+" odd",
	))
	defer tx.End()
	if status := tx.Authenticate(0); status != Success {
		t.Fatalf("authenticate: %d", status)
	}
	want := []string{
		"1: module_unknown -> ignore, missing",
		"2: module_unknown -> ignore, No such file or directory",
		"3: perm_denied -> ignore",
		"4: perm_denied -> ignore",
		"5: success -> 1 pam_permit.so",
		"6: not reached",
		"7: success -> ok pam_permit.so",
	}
	trace := (*traces)[1]
	for i, turn := range trace.Turns {
		if got := turnText(turn); i >= len(want) || got != want[i] {
			t.Errorf("turn %d: got %q, want %q", i, got, want[min(i, len(want)-1)])
		}
	}
	if len(trace.Turns) != len(want) || trace.Disagreement != "" {
		t.Errorf("got %d turns, disagreement %q; want %d, none", len(trace.Turns), trace.Disagreement, len(want))
	}
	if d := trace.Decision; d == nil || d.Line != 7 || d.Module != "pam_permit.so" || d.Control != "required" {
		t.Errorf("decision: got %+v, want line 7", d)
	}
	tx.Account(0)
	if turn := (*traces)[2].Turns[0]; turnText(turn) != "8: 4711 -> bad pam_trace.so" || (*traces)[2].Status != 6 {
		t.Errorf("a code that PAM does not define: got %q and %d, want it bad and %d", turnText(turn), (*traces)[2].Status, pamstack.PermDenied)
	}
}

// brokenModule makes a module that needs a symbol that is nowhere.
func brokenModule(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pam_broken.so")
	cmd := exec.Command("gcc", "-shared", "-fPIC", "-o", path, "-xc", "-")
	cmd.Stdin = strings.NewReader("int missing(void);\nint pam_sm_authenticate(void) { return missing(); }\nint pam_sm_setcred(void) { return 0; }\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return path
}

// Debian's libpam logs only that the module is not in the second directory.
func TestModuleThatIsThereAndDoesNotLoadIsSaidToBeThere(t *testing.T) {
	broken := strings.Repeat("../", 16) + brokenModule(t)[1:]
	tx, traces := tracedStart(t, service(t, "auth required "+broken, "auth optional pam_nosuch.so"))
	defer tx.End()
	tx.Authenticate(0)
	trace := (*traces)[1]
	for i, want := range []string{"pam_broken.so is there and does not load", "cannot open shared object file"} {
		if m := trace.Turns[i].Handler.Module; m == nil || m.Err == nil || !strings.Contains(m.Err.Error(), want) {
			t.Errorf("turn %d: got %+v, want %q", i, m, want)
		}
	}
}

func turnText(turn Turn) string {
	text := fmt.Sprintf("%d:", turn.Handler.Line.Number)
	if !turn.Reached {
		return text + " not reached"
	}
	text += fmt.Sprintf(" %s -> %s", turn.Code, turn.Action)
	if turn.Module != "" {
		return text + " " + turn.Module
	}
	if turn.Handler.Module != nil && turn.Handler.Module.Err != nil {
		words := strings.Split(turn.Handler.Module.Err.Error(), ": ")
		return text + ", " + words[len(words)-1]
	}
	return text
}

func TestDecisionOfAServiceThatCannotBeStarted(t *testing.T) {
	locked(t)
	for _, c := range []struct {
		lines   []string
		line    int
		problem string
	}{
		{[]string{"auth required pam_permit.so", "@include /nosuch"}, 2, "include-any-failed"},
		{[]string{"auth required pam_permit.so", "auth required .so"}, 2, "name-empty"},
		{[]string{"auth required \\"}, 1, "file-unfinished"},
	} {
		config := service(t, c.lines...)
		if strings.HasSuffix(c.lines[0], "\\") {
			if err := os.WriteFile(config.ConfDir+"/svc", []byte(c.lines[0]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var traces []Trace
		config.Traced = func(trace Trace) { traces = append(traces, trace) }
		_, status := Start(config)
		if len(traces) != 1 || status != Abort {
			t.Fatalf("%q: status %d, traces %+v; want %d, one", c.lines, status, traces, Abort)
		}
		d := traces[0].Decision
		if d == nil || d.File != config.ConfDir+"/svc" || d.Line != c.line || !strings.HasPrefix(d.Problem, c.problem) || traces[0].Disagreement != "" {
			t.Errorf("%q: decision %+v, disagreement %q; want line %d, %s", c.lines, d, traces[0].Disagreement, c.line, c.problem)
		}
	}
}

func TestTraceFollowsAServiceThatAModuleChanges(t *testing.T) {
	config := service(t, "auth required "+traceModule(t)+" service", "account required pam_deny.so")
	second := "account optional pam_deny.so\naccount required pam_permit.so\n"
	if err := os.WriteFile(config.ConfDir+"/second", []byte(second), 0o644); err != nil {
		t.Fatal(err)
	}
	tx, traces := tracedStart(t, config)
	defer tx.End()
	tx.Authenticate(0)
	if status := tx.Account(0); status != Success {
		t.Fatalf("account: %d, want the second service's success", status)
	}
	trace := (*traces)[2]
	if d := trace.Decision; trace.Disagreement != "" || d == nil || d.File != config.ConfDir+"/second" || d.Line != 2 {
		t.Errorf("decision: got %+v, disagreement %q, want line 2 of the second service", d, trace.Disagreement)
	}
}

func TestUndoingIsTracedCallByCall(t *testing.T) {
	tx, traces := tracedStart(t, service(t, "auth required pam_permit.so", "session required pam_permit.so"))
	for _, status := range []Status{tx.Authenticate(0), tx.Credentials(0), tx.OpenSession(0), tx.Undo(0)} {
		if status != Success {
			t.Fatal(status.Text())
		}
	}
	var got []string
	for _, trace := range *traces {
		got = append(got, trace.Function)
	}
	want := []string{"pam_start", "pam_authenticate", "pam_setcred", "pam_open_session", "pam_close_session", "pam_setcred", "pam_end"}
	if !slices.Equal(got, want) {
		t.Errorf("traces of %q, want %q", got, want)
	}
}

func TestStackOfAsManyFunctionsAsThereIsRoomFor(t *testing.T) {
	lines := make([]string, 1024)
	for i := range lines {
		lines[i] = "auth [default=ignore] pam_deny.so"
	}
	lines[1023] = "auth required pam_permit.so"
	tx, traces := tracedStart(t, service(t, lines...))
	tx.Authenticate(0)
	if trace := (*traces)[1]; len(trace.Turns) != 1024 || trace.Unknown != "" || trace.Decision == nil || trace.Decision.Line != 1024 {
		t.Errorf("1024 lines: got %d turns, %q, decision %+v; want all, the last one's", len(trace.Turns), trace.Unknown, trace.Decision)
	}
	tx.End()

	tx, traces = tracedStart(t, service(t, append(lines, lines[0])...))
	defer tx.End()
	if status := tx.Authenticate(0); status != Success {
		t.Errorf("1025 lines: got %d, want %d", status, Success)
	}
	if trace := (*traces)[1]; len(trace.Turns) != 1024 || trace.Unknown == "" || trace.Decision != nil || trace.Disagreement != "" {
		t.Errorf("1025 lines: got %d turns, unknown %q, %+v; want that it is not known", len(trace.Turns), trace.Unknown, trace.Decision)
	}
}
