package libpam

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

var flagStacks = flag.Int("stacks", 400, "random stacks for the test of tracing")

// Random stacks run through the real libpam, observed: the model must predict
// each call of a module from the codes before it, and what libpam returns.
func TestModelPredictsWhatIsObserved(t *testing.T) {
	locked(t)
	calls, unknown := 0, 0
	for n := range *flagStacks {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		config, text := randomStack(t, r)
		for _, trace := range observe(config, r, func(*Transaction) {}) {
			if trace.Disagreement != "" {
				t.Fatalf("stack %d: %s: %s\n%s", n, trace.Function, trace.Disagreement, text)
			}
			if trace.Unknown != "" {
				unknown++
			}
			for _, turn := range trace.Turns {
				if turn.Module != "" && turn.Handler == nil {
					t.Fatalf("stack %d: %s: a call of %s belongs to no line\n%s", n, trace.Function, turn.Module, text)
				}
				if turn.Module != "" {
					calls++
				}
			}
		}
	}
	t.Logf("%d stacks, %d calls of modules predicted, %d calls of libpam without a model", *flagStacks, calls, unknown)
	if calls < 10**flagStacks || unknown > *flagStacks {
		t.Errorf("%d calls predicted, %d without a model; want ten for each stack, and few", calls, unknown)
	}
}

// A model that is wrong on purpose: in each stack the actions of one line are
// others. What can be seen of that is a disagreement.
func TestModelThatIsWrongIsFoundOut(t *testing.T) {
	locked(t)
	found := 0
	for n := range *flagStacks {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		config, _ := randomStack(t, r)
		wrong := func(tx *Transaction) {
			if tx.model.stack == nil || len(tx.model.stack.Handlers()) == 0 {
				return
			}
			handlers := tx.model.stack.Handlers()
			h := handlers[rand.New(rand.NewPCG(2, uint64(n))).IntN(len(handlers))]
			for code, action := range h.Table {
				h.Table[code] = pamstack.ActionDie
				if action == pamstack.ActionDie {
					h.Table[code] = pamstack.ActionOK
				}
			}
		}
		for _, trace := range observe(config, r, wrong) {
			if trace.Disagreement == "" {
				continue
			}
			if found++; trace.Decision != nil || strings.Contains(fmt.Sprint(trace.Turns), "true}") {
				t.Fatalf("stack %d: a decision in spite of a disagreement: %+v", n, trace)
			}
			break
		}
	}
	t.Logf("a wrong line was found out in %d of %d stacks", found, *flagStacks)
	if found < *flagStacks/3 {
		t.Errorf("a wrong line was found out in %d of %d stacks, want a third of them at least", found, *flagStacks)
	}
}

// observe makes all calls and returns their traces.
func observe(config Config, r *rand.Rand, spoil func(*Transaction)) (traces []Trace) {
	config.Traced = func(trace Trace) { traces = append(traces, trace) }
	tx, status := Start(config)
	if status != Success {
		return traces
	}
	spoil(tx)
	calls := []func(Flags) Status{tx.Authenticate, tx.Account, tx.Credentials, tx.OpenSession, tx.ChangePassword, tx.CloseSession}
	if r.IntN(4) == 0 {
		r.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
	}
	for _, call := range calls {
		call(0)
	}
	tx.Undo(0)
	return traces
}

// randomStack writes a service of pam_debug lines, with files that it includes.
func randomStack(t *testing.T, r *rand.Rand) (Config, string) {
	t.Helper()
	dir := t.TempDir()
	var all strings.Builder
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "--- %s\n%s", name, text)
	}
	for depth := 2; depth >= 0; depth-- {
		var text strings.Builder
		for range 6 + r.IntN(8) - 2*depth {
			text.WriteString(randomLine(r, dir, depth) + "\n")
		}
		write([]string{"svc", "inc1", "inc2"}[depth], text.String())
	}
	write("other", "auth optional pam_debug.so\naccount required pam_debug.so\n")
	return Config{Service: "svc", User: "root", ConfDir: dir, Conversation: &scripted{}, CrashFD: -1}, all.String()
}

func randomLine(r *rand.Rand, dir string, depth int) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	facility := pick("auth", "auth", "account", "session", "password", "-auth", "Session")
	if depth < 2 && r.IntN(5) == 0 {
		return fmt.Sprintf("%s %s %s/inc%d", facility, pick("include", "substack"), dir, depth+1)
	}
	switch r.IntN(25) {
	case 0:
		return facility + " required pam_nosuch.so"
	case 1:
		return pick("nonsense required pam_debug.so", facility+" required", facility, facility+" include /nosuch")
	case 2:
		if depth < 2 {
			return fmt.Sprintf("@include %s/inc%d%s", dir, depth+1, pick("", " # a comment"))
		}
	}
	control := pick("required", "requisite", "sufficient", "optional", "[success=1 default=ignore]", "[success=ok default=die]",
		"[success=done new_authtok_reqd=ok auth_err=2 default=bad]", "[default=reset]", "[success=2 default=ignore]", "[sucess=ok]", "[default=1]")
	code := func() string {
		return pick("success", "success", "success", "auth_err", "ignore", "perm_denied", "new_authtok_reqd", "user_unknown")
	}
	return fmt.Sprintf("%s %s pam_debug.so auth=%s cred=%s acct=%s prechauthtok=%s chauthtok=%s open_session=%s close_session=%s",
		facility, control, code(), code(), code(), code(), code(), code(), code())
}
