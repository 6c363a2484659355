package predict

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview/treetest"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// predicted runs the command on a system of treetest.
func predicted(t *testing.T, tree string, libpam pamstack.Libpam, o options, command string) (string, error) {
	t.Helper()
	o.source.Config = treetest.Config(t, tree, libpam)
	if o.limit == 0 {
		o.limit = mostPositions
	}
	var out strings.Builder
	err := o.run(&out, strings.Fields(command))
	return out.String(), err
}

func TestGolden(t *testing.T) {
	fresh, asJSON := options{fresh: true}, options{json: true}
	debian, upstream := treetest.Debian, treetest.Upstream
	for _, test := range []struct {
		file, tree string
		libpam     pamstack.Libpam
		options
		command string
		fails   bool
	}{
		{"login-auth.txt", "debian", debian, options{}, "login auth", false},
		{"login-auth.json", "debian", debian, asJSON, "login auth", false},
		{"login-wrong.txt", "debian", debian, options{}, "login auth pam_unix=auth_err", true},
		{"login-wrong.json", "debian", debian, asJSON, "login auth pam_unix=auth_err", true},
		{"login-colour.txt", "debian", debian, options{paint: stackview.Paint{Colour: true}}, "login auth pam_unix=auth_err", true},
		{"login-ascii.txt", "debian", debian, options{paint: stackview.Paint{ASCII: true}}, "login auth pam_cap=success", false},
		{"login-setcred.txt", "debian", debian, options{}, "login setcred setcred:pam_unix=cred_err", false},
		{"login-setcred-after-failure.txt", "debian", debian, options{}, "login setcred authenticate:pam_unix=auth_err", true},
		{"login-setcreds.txt", "debian", debian, options{}, "login setcred", false},
		{"login-close.json", "debian", debian, options{json: true, limit: 2000}, "login close_session", false},
		{"login-session-bounded.txt", "debian", debian, options{limit: 10}, "login session", false},
		{"sshd-password.txt", "debian", debian, options{}, "sshd password update:pam_unix=authtok_lock_busy", true},
		{"sshd-passwords.txt", "debian", debian, options{}, "sshd chauthtok", false},
		{"su-account.txt", "debian", debian, options{}, "su account pam_unix=PAM_NEW_AUTHTOK_REQD", true},
		{"su-password.txt", "debian", debian, options{}, "su password", false},
		{"upstream-auth.txt", "upstream", upstream, options{}, "sshd auth pam_unix=auth_err pam_sss=12", true},
		{"upstream-auths.txt", "upstream", upstream, options{}, "sshd auth", false},
		{"upstream-setcred.txt", "upstream", upstream, options{}, "sshd setcred", false},
		{"incomplete.txt", "debian", debian, options{}, "su auth pam_rootok=incomplete", true},
		{"out-of-range.txt", "debian", debian, options{}, "su auth pam_rootok=99", true},
		{"broken.txt", "broken", debian, options{}, "broken auth pam_access=success", true},
		{"brokens.txt", "broken", debian, options{}, "broken auth", false},
		{"jumps.txt", "odd", debian, options{}, "jumps auth", false},

		{"classic-anypassword.txt", "classics", debian, options{}, "anypassword auth pam_unix=auth_err", false},
		{"classic-anypasswords.txt", "classics", debian, options{}, "anypassword auth", false},
		{"classic-rightdenied.txt", "classics", debian, options{}, "rightdenied auth pam_unix=success", true},
		{"classic-setcred.txt", "classics", debian, fresh, "setcred setcred pam_unix=success", true},
		{"classic-setcreds.txt", "classics", debian, fresh, "setcred setcred", false},
		{"classic-wrongname.txt", "classics", debian, options{}, "ssh auth pam_permit=success", false},
		{"classic-lockorder.txt", "classics", debian, options{}, "lockorder auth lockorder:2=auth_err", false},
		{"classic-swapped.txt", "classics", debian, options{}, "swapped auth pam_unix=success", true},
		{"classic-swapped-sss.txt", "classics", debian, options{}, "swapped auth pam_unix=user_unknown pam_sss=success", true},
	} {
		t.Run(test.file, func(t *testing.T) {
			got, err := predicted(t, test.tree, test.libpam, test.options, test.command)
			if errors.Is(err, ErrNotSuccess) != test.fails || !test.fails && err != nil {
				t.Errorf("got error %v, want a failing call %v", err, test.fails)
			}
			treetest.Golden(t, test.file, got, *update)
		})
	}
}

// What the list says a call can come to, the example predicts.
func TestExamplesLeadToTheirOutcomes(t *testing.T) {
	tried := 0
	for tree, services := range map[string][]string{
		"debian": {"login", "sshd", "su", "su-l"}, "classics": {"anypassword", "rightdenied", "setcred", "lockorder", "swapped"},
		"upstream": {"sshd", "system-auth"}, "broken": {"broken"}, "odd": {"jumps"},
	} {
		for _, libpam := range []pamstack.Libpam{treetest.Debian, treetest.Upstream} {
			o := options{source: stackview.Source{Config: treetest.Config(t, tree, libpam)}, json: true, limit: 3000}
			for _, service := range services {
				for call := pamstack.Authenticate; call <= pamstack.CloseSession; call++ {
					o.fresh = false
					tried += o.checkExamples(t, service, call)
					if _, o.fresh = callBefore(call); o.fresh {
						tried += o.checkExamples(t, service, call)
					}
				}
			}
		}
	}
	if tried < 200 {
		t.Errorf("got %d examples, want some hundreds", tried)
	}
}

func (o options) checkExamples(t *testing.T, service string, call pamstack.Call) (tried int) {
	t.Helper()
	var list listObject
	o.decode(t, &list, service, call.String())
	for _, want := range list.Outcomes {
		if len(want.Example) == 0 || want.Undefined != nil {
			continue
		}
		var trace traceObject
		o.decode(t, &trace, append([]string{service, call.String()}, want.Example...)...)
		got := trace.Calls[len(trace.Calls)-1]
		if got.Code != want.Code || (got.Decided == nil) != (want.Decided == nil) || got.Decided != nil && *got.Decided != *want.Decided {
			t.Errorf("%s %v %q: predicted %s by %v, listed %s by %v", service, call, want.Example, got.Code, got.Decided, want.Code, want.Decided)
		}
		tried++
	}
	return tried
}

func (o options) decode(t *testing.T, object any, args ...string) {
	t.Helper()
	reader, writer := io.Pipe()
	go func() {
		if err := o.run(writer, args); err != nil && !errors.Is(err, ErrNotSuccess) {
			writer.CloseWithError(err)
			return
		}
		writer.Close()
	}()
	if err := json.NewDecoder(reader).Decode(object); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	io.Copy(io.Discard, reader)
}

func TestWrongUsageIsSaid(t *testing.T) {
	for _, test := range []struct {
		tree, command string
		fresh         bool
		says          string
	}{
		{"debian", "login login", false, `unknown facility "login"`},
		{"debian", "login auth", true, "--fresh is for setcred and close_session"},
		{"debian", "/etc/pam.d/login auth", false, "is not a service's name"},
		{"debian", "login auth pam_unix", false, `"pam_unix" is not MODULE=CODE`},
		{"debian", "login auth =success", false, "is not MODULE=CODE"},
		{"debian", "login auth pam_unix=wrong", false, `"wrong" is no return code; they are success, open_err`},
		{"debian", "login auth pam_ldap=success", false, "no line of login for auth is pam_ldap; there are\n  login:1"},
		{"debian", "login auth login:3=success", false, "no line of login for auth is login:3"},
		{"debian", "login auth setcred:pam_unix=success", false, "setcred is not predicted here; the calls are authenticate"},
		{"debian", "login setcred authenticate:pam_unix=success", true, "the calls are setcred"},
		{"classics", "ssh session pam_unix=success", false, "ssh has no line for session, nor has other"},
		{"aborted", "service auth", false, "pam_start fails with PAM_ABORT: service:2"},
		{"aborted", "undefined auth", false, "nobody can tell what pam_start does: undefined:2"},
	} {
		got, err := predicted(t, test.tree, treetest.Debian, options{fresh: test.fresh}, test.command)
		if err == nil || !strings.Contains(err.Error(), test.says) || got != "" {
			t.Errorf("%s: got %v, %q; want %q and nothing", test.command, err, got, test.says)
		}
	}
}

// What says more goes before what says less, and the last one before the first.
func TestPairsThatSayMoreGoFirst(t *testing.T) {
	for _, test := range []struct{ pairs, want string }{
		{"pam_unix.so=auth_err", "PAM_AUTH_ERR"},
		{"/lib/security/pam_unix.so=auth_err", "PAM_AUTH_ERR"},
		{"pam_unix=auth_err pam_unix=success", "PAM_SUCCESS"},
		{"common-auth:2=success pam_unix=auth_err", "PAM_SUCCESS"},
		{"/etc/pam.d/common-auth:2=auth_err pam_unix=success", "PAM_AUTH_ERR"},
		{"authenticate:pam_unix=auth_err pam_unix=success", "PAM_AUTH_ERR"},
		{"common-auth:2=success authenticate:pam_unix=auth_err", "PAM_SUCCESS"},
		{"authenticate:common-auth:2=auth_err common-auth:2=success", "PAM_AUTH_ERR"},
		{"pam_unix=ignore pam_deny=success", "PAM_SUCCESS"},
	} {
		o := options{source: stackview.Source{Config: treetest.Config(t, "debian", treetest.Debian)}, json: true}
		var trace traceObject
		o.decode(t, &trace, append([]string{"common-auth", "auth"}, strings.Fields(test.pairs)...)...)
		if got := trace.Calls[0].Code; got != test.want {
			t.Errorf("%s: got %s, want %s", test.pairs, got, test.want)
		}
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	o := options{source: stackview.Source{Config: treetest.Config(t, "debian", treetest.Debian)}, limit: 100}
	for _, command := range []string{"login auth", "login auth pam_unix=auth_err"} {
		if err := o.run(full{}, strings.Fields(command)); !errors.Is(err, errFull) {
			t.Errorf("%s: got %v, want %v", command, err, errFull)
		}
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
