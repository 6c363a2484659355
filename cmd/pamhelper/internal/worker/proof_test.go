package worker

import (
	"slices"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

const (
	authErr    = pb.PamCode_PAM_AUTH_ERR
	permDenied = pb.PamCode_PAM_PERM_DENIED
	newAuthtok = pb.PamCode_PAM_NEW_AUTHTOK_REQD
	credErr    = pb.PamCode_PAM_CRED_ERR
	expiredAcc = pb.PamCode_PAM_ACCT_EXPIRED
	success    = pb.PamCode_PAM_SUCCESS
)

// codesOf are the codes of the results, -1 for a skipped step, without Hello's and
// Begin's events.
func codesOf(events []*pb.Event) (codes []pb.PamCode) {
	for _, event := range events[2:] {
		result := event.GetResult()
		switch {
		case result == nil:
		case result.GetSkipped() != nil:
			codes = append(codes, -1)
		default:
			codes = append(codes, result.GetCode())
		}
	}
	return codes
}

func wantCodes(t *testing.T, what string, events []*pb.Event, want ...pb.PamCode) {
	t.Helper()
	if got := codesOf(events); !slices.Equal(got, want) {
		t.Errorf("%s: results %v, want %v", what, got, want)
	}
}

func wantTaken(t *testing.T, what string, l *fakeLogin, want ...string) {
	t.Helper()
	if !slices.Equal(l.fake.taken, want) {
		t.Errorf("%s: run %q, want %q", what, l.fake.taken, want)
	}
}

func TestWhereTheAgentsWordIsTheProofAuthenticateIsNeverRun(t *testing.T) {
	l := newFakeLoginOf(t, "proof: AGENT")
	events, err := l.drive(t, hello, begin, account, credentials, openSession, closeSession, end)
	if err != nil {
		t.Fatal(err)
	}
	wantCodes(t, "login", events, success, success, success, success, success)
	wantTaken(t, "login", l, "account", "credentials", "open session", "close session")
	if want := `the agent says it is "nobody": proof AGENT`; !strings.Contains(l.logged.String(), want) {
		t.Errorf("log %q, want %q in it", l.logged.String(), want)
	}
	l = newFakeLoginOf(t, "proof: AGENT")
	events, _ = l.drive(t, hello, begin, authenticate)
	if f := events[len(events)-1].GetFault(); f.GetKind() != pb.Fault_VIOLATION {
		t.Errorf("authenticate: %v, want a violation", events[len(events)-1])
	}
}

func TestTheAgentsWordDoesNotNeedAServiceThatProves(t *testing.T) {
	for sshd, want := range map[string]bool{"proof: AGENT": true, "proof: PAM": false} {
		l := newFakeLoginOf(t, sshd)
		l.fake.authenticators = []libpam.Bound{{Module: "pam_rootok.so"}}
		events, _ := l.drive(t, hello, begin)
		if got := events[1].GetResult() != nil; got != want {
			t.Errorf("%s: begin served %v, want %v", sshd, got, want)
		}
	}
}

func TestTheAgentsWordForSomebodyWhoMayNotLogIn(t *testing.T) {
	for _, c := range []struct{ users, user string }{
		{"", "root"},
		{"", "daemon"},
		{`deny: "alice"`, "alias"},
		{`allow: "bob"`, "alice"},
		{`allow: "bob"`, "nosuchuser"},
		{`allow_group: "staff"`, "nosuchuser"},
		{`deny: "nosuchuser"`, "nosuchuser"},
	} {
		l := newFakeLoginOf(t, "proof: AGENT users { "+c.users+" }")
		l.populate()
		events, err := l.driveAs(t, c.user, hello, begin, account, credentials, openSession, end)
		if err != nil {
			t.Error(err)
		}
		what := c.user + " of users { " + c.users + " }"
		wantCodes(t, what, events, permDenied, -1, -1, success)
		wantTaken(t, what, l)
	}
}

func TestAccountMayMakeTheUserWhomTheAgentNames(t *testing.T) {
	for _, c := range []struct {
		users string
		made  bool
		want  pb.PamCode
	}{
		{"", true, success},
		{`allow: "fresh"`, true, success},
		{"", false, permDenied}, // the stack did not make him
		{`deny_group: "staff"`, true, permDenied},
		{`deny: "alice"`, true, success},
	} {
		l := newFakeLoginOf(t, "proof: AGENT users { "+c.users+" }")
		l.populate()
		if c.made {
			l.fake.during = map[pb.Step]func(){pb.Step_ACCOUNT: func() { l.known.add("fresh", 1500, 1500, 2001) }}
		}
		events, _ := l.driveAs(t, "fresh", hello, begin, account)
		wantCodes(t, "users { "+c.users+" }", events, c.want)
	}
}

func TestCredentialsThatFailDoNotEndALoginOfTheAgentsWord(t *testing.T) {
	codes := map[pb.Step]libpam.Status{pb.Step_CREDENTIALS: libpam.Status(credErr)}
	l := newFakeLoginOf(t, "proof: AGENT")
	l.fake.codes = codes
	events, err := l.drive(t, hello, begin, account, credentials, openSession, end)
	if err != nil {
		t.Fatal(err)
	}
	wantCodes(t, "proof AGENT", events, success, credErr, success, success)
	if !events[3].GetResult().GetTolerated() || events[2].GetResult().GetTolerated() {
		t.Errorf("results %v and %v, want only the second one tolerated", events[2], events[3])
	}
	if !strings.Contains(l.logged.String(), "credentials: ") {
		t.Errorf("log %q, want the failure in it", l.logged.String())
	}
	l = newFakeLogin(t, nil)
	l.fake.codes = codes
	events, _ = l.drive(t, hello, begin, authenticate, account, credentials, openSession, end)
	wantCodes(t, "proof PAM", events, success, success, credErr, -1, success)
	if events[4].GetResult().GetTolerated() {
		t.Errorf("proof PAM: %v, want it not tolerated", events[4])
	}
}

func TestAccountComesFirstWhereThePolicySaysSo(t *testing.T) {
	for _, c := range []struct {
		name                  string
		account, authenticate libpam.Status
		way                   []request
		want                  []pb.PamCode
		taken                 []string
	}{
		{"all is well", 0, 0, []request{account, authenticate, credentials, openSession},
			[]pb.PamCode{success, success, success, success}, []string{"account", "authenticate", "credentials", "open session"}},
		{"wrong password", 0, libpam.AuthErr, []request{account, authenticate, credentials},
			[]pb.PamCode{success, authErr, -1}, []string{"account", "authenticate"}},
		{"the account is over", libpam.Status(expiredAcc), 0, []request{account, authenticate, credentials},
			[]pb.PamCode{success, expiredAcc, -1}, []string{"account", "authenticate"}},
		{"the account is over, wrong password", libpam.Status(expiredAcc), libpam.AuthErr, []request{account, authenticate, credentials},
			[]pb.PamCode{success, authErr, -1}, []string{"account", "authenticate"}},
		{"the password is expired", libpam.NewAuthtokReqd, 0, []request{account, authenticate, credentials, changePassword, credentials},
			[]pb.PamCode{success, newAuthtok, -1, success, success}, []string{"account", "authenticate", "change password", "credentials"}},
		{"the password is expired, and wrong", libpam.NewAuthtokReqd, libpam.AuthErr, []request{account, authenticate, changePassword},
			[]pb.PamCode{success, authErr, -1}, []string{"account", "authenticate"}},
	} {
		l := newFakeLoginOf(t, "account_first: true")
		l.fake.codes = map[pb.Step]libpam.Status{pb.Step_ACCOUNT: c.account, pb.Step_AUTHENTICATE: c.authenticate}
		events, err := l.drive(t, append([]request{hello, begin}, c.way...)...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		wantCodes(t, c.name, events, c.want...)
		wantTaken(t, c.name, l, c.taken...)
	}
}

func TestNothingOfAccountIsToldBeforeTheProof(t *testing.T) {
	for _, c := range []struct {
		name, user   string
		authenticate libpam.Status
		told         bool
	}{
		{"somebody denied", "root", 0, false},
		{"a wrong password", "alice", libpam.AuthErr, false},
		{"the right password", "alice", 0, true},
		{"somebody whom the stack makes", "fresh", libpam.AuthErr, false},
	} {
		l := newFakeLoginOf(t, "account_first: true")
		l.populate()
		l.fake.codes = map[pb.Step]libpam.Status{pb.Step_AUTHENTICATE: c.authenticate}
		prompted := false
		l.fake.during = map[pb.Step]func(){pb.Step_ACCOUNT: func() {
			l.known.add("fresh", 1500, 1500)
			l.fake.PutEnv("HOME_SERVER", "east")
			l.fake.config.Conversation.Message(libpam.TextInfo, []byte("welcome"))
			_, err := l.fake.config.Conversation.Prompt(libpam.PromptEchoOn, []byte("? "))
			prompted = err == nil
		}}
		var seen []string
		events, _ := l.driveAs(t, c.user, hello, begin, account, authenticate, end)
		for i, event := range events {
			if event.GetMessage() != nil {
				seen = append(seen, string(event.GetMessage().GetText()))
				events = slices.Delete(events, i, i+1)
				break
			}
		}
		first := events[2].GetResult()
		if first.GetCode() != success || len(first.GetEnvironment()) > 0 || string(first.GetUser()) != c.user || prompted {
			t.Errorf("%s: account %v, prompted %v; want a bare success without a prompt", c.name, first, prompted)
		}
		if told := len(seen) > 0; told != c.told {
			t.Errorf("%s: messages %q, want them told: %v", c.name, seen, c.told)
		}
		if c.user == "root" {
			wantTaken(t, c.name, l, "authenticate")
		}
	}
}

func TestEmptyPasswordsAreTakenOnlyWhereThePolicySaysSo(t *testing.T) {
	for sshd, want := range map[string]libpam.Flags{"": libpam.DisallowNullAuthtok, "allow_empty_password: true": 0} {
		l := newFakeLoginOf(t, sshd)
		l.drive(t, hello, begin, authenticate, account, end)
		for _, step := range []pb.Step{pb.Step_AUTHENTICATE, pb.Step_ACCOUNT} {
			if got := l.fake.flags[step]; got != want {
				t.Errorf("%q: %s with flags %#x, want %#x", sshd, ipc.Step(step), int(got), int(want))
			}
		}
	}
}

func TestACanonicalUser(t *testing.T) {
	const allowed = "allow_canonical_user: true "
	for _, c := range []struct {
		name, sshd string
		step       pb.Step
		user       string
		want       []pb.PamCode
		refused    string
	}{
		{"in authenticate", allowed, pb.Step_AUTHENTICATE, "bob", []pb.PamCode{success, success, success}, ""},
		{"in account", allowed, pb.Step_ACCOUNT, "bob", []pb.PamCode{success, success, success}, ""},
		{"without leave", "", pb.Step_AUTHENTICATE, "bob", nil, `from "alice" to "bob"`},
		{"in credentials", allowed, pb.Step_CREDENTIALS, "bob", []pb.PamCode{success, success}, `from "alice" to "bob"`},
		{"denied, in authenticate", allowed + `users { deny: "bob" }`, pb.Step_AUTHENTICATE, "bob", []pb.PamCode{authErr, -1, -1}, ""},
		{"denied, in account", allowed + `users { deny: "bob" }`, pb.Step_ACCOUNT, "bob", []pb.PamCode{success, permDenied, -1}, ""},
		{"root", allowed, pb.Step_AUTHENTICATE, "root", []pb.PamCode{authErr, -1, -1}, ""},
		{"nobody's name", allowed, pb.Step_AUTHENTICATE, "nosuchuser", []pb.PamCode{authErr, -1, -1}, ""},
		{"no name", allowed, pb.Step_AUTHENTICATE, "-D", []pb.PamCode{authErr, -1, -1}, ""},
		{"an empty name", allowed, pb.Step_AUTHENTICATE, "", []pb.PamCode{authErr, -1, -1}, ""},
		{"in account that comes first", allowed + "account_first: true", pb.Step_ACCOUNT, "bob", []pb.PamCode{success, success}, ""},
		{"behind account", allowed + "account_first: true", pb.Step_AUTHENTICATE, "bob", []pb.PamCode{success}, `from "alice" to "bob"`},
	} {
		l := newFakeLoginOf(t, c.sshd)
		l.populate()
		l.fake.renames = map[pb.Step]string{c.step: c.user}
		way := []request{hello, begin, authenticate, account, credentials}
		if strings.Contains(c.sshd, "account_first") {
			way = []request{hello, begin, account, authenticate}
		}
		events, _ := l.driveAs(t, "alice", way...)
		wantCodes(t, c.name, events, c.want...)
		last := events[len(events)-1]
		if got := last.GetFault().GetText(); !strings.Contains(got, c.refused) || (got == "") != (c.refused == "") {
			t.Errorf("%s: fault %q, want %q", c.name, got, c.refused)
		}
		if first := events[2].GetResult(); strings.Contains(c.sshd, "account_first") && string(first.GetUser()) != "alice" {
			t.Errorf("%s: before the proof account tells user %q, want the one of Begin", c.name, first.GetUser())
		}
		if failed := events[2].GetResult(); failed.GetCode() == authErr && string(failed.GetUser()) != "alice" {
			t.Errorf("%s: a failed authenticate tells user %q, want the one of Begin", c.name, failed.GetUser())
		}
		if !slices.Contains(c.want, authErr) && !slices.Contains(c.want, permDenied) && c.refused == "" {
			result := last.GetResult()
			if string(result.GetUser()) != "bob" || valueOf(result.GetEnvironment(), loginVariable) != "bob" || l.config.User != "bob" ||
				!strings.Contains(l.name(), `"bob"`) {
				t.Errorf("%s: %v, record of %q, %s; want it to be bob's login", c.name, result, l.config.User, l.name())
			}
		}
	}
}

func valueOf(environment []*pb.Variable, name string) string {
	for _, v := range environment {
		if string(v.GetName()) == name {
			return string(v.GetValue())
		}
	}
	return ""
}

func TestEveryAnswerOfADeniedUserIsReplacedButChoices(t *testing.T) {
	const on, off = libpam.PromptEchoOn, libpam.PromptEchoOff
	for _, c := range []struct {
		style  libpam.Style
		answer string
		kept   bool
	}{
		{off, "correct horse", false}, {off, "123456", false}, {off, "yes", false}, {off, "", true},
		{on, "correct horse", false}, {on, "123456", false}, {on, "yes", true}, {on, "2", true}, {on, "", true},
	} {
		for _, denied := range []bool{true, false} {
			l := newFakeLogin(t, nil)
			if denied {
				delete(l.known.users, "nobody")
			}
			l.fake.asks = []libpam.Style{c.style}
			served := make(chan struct{})
			go func() {
				defer close(served)
				l.serve()
			}()
			conn := ipc.NewConn(l.agent)
			conn.Write(requests[hello], requests[begin], requests[authenticate], requests[end])
			for {
				event, _, err := conn.ReadEvent()
				if err != nil {
					break
				}
				if p := event.GetPrompt(); p != nil {
					conn.Write(&pb.Request{Body: &pb.Request_Answer{Answer: &pb.Answer{Id: p.GetId(), Text: []byte(c.answer)}}})
				}
			}
			<-served
			if len(l.fake.got) != 1 || len(l.fake.got[0]) != len(c.answer) || (l.fake.got[0] == c.answer) != (c.kept || !denied) {
				t.Errorf("style %d, denied %v: the module got %q for %q, want it kept: %v", c.style, denied, l.fake.got, c.answer, c.kept || !denied)
			}
			if strings.Trim(c.answer, "0123456789") == "" && strings.Trim(l.fake.got[0], "0123456789") != "" {
				t.Errorf("the module got %q for %q, want digits", l.fake.got[0], c.answer)
			}
		}
	}
}
