package realpam_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// decode runs a command that prints JSON objects, and returns them.
func decode[T any](t *testing.T, status int, args ...string) (objects []T) {
	t.Helper()
	r := run(t, "", pamhelper, args...)
	if r.status != status || r.stderr != "" {
		t.Fatalf("%q: got status %d, stderr %q; want status %d and nothing", args, r.status, r.stderr, status)
	}
	for decoder := json.NewDecoder(strings.NewReader(r.stdout)); decoder.More(); {
		var object T
		if err := decoder.Decode(&object); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, r.stdout)
		}
		objects = append(objects, object)
	}
	return objects
}

// stack is what is looked at of "pamhelper show --json".
type stack struct {
	Service    string
	File       string
	Facilities []struct {
		Facility string
		Handlers []struct {
			File, Kind, Module string
			Line               int
		}
	}
}

func TestShowHasTheHandlersOfEveryServiceOfTheMachine(t *testing.T) {
	t.Parallel()
	services := decode[stack](t, 0, "show", "--json")
	handlers := 0
	for _, service := range services {
		want, err := pamstack.Load(service.Service, pamstack.Config{})
		if err != nil {
			t.Fatal(err)
		}
		text := run(t, "", pamhelper, "show", service.Service)
		shown := decode[stack](t, 0, "show", "--json", service.Service)[0]
		for f, facility := range []pamstack.Facility{pamstack.Auth, pamstack.Account, pamstack.Password, pamstack.Session} {
			got, chain := shown.Facilities[f], want.Chain(facility)
			if got.Facility != facility.String() || len(got.Handlers) != len(chain) {
				t.Errorf("%s: got %d handlers for %s, want %d for %v", service.Service, len(got.Handlers), got.Facility, len(chain), facility)
				continue
			}
			for i, h := range got.Handlers {
				handlers++
				if h.File != chain[i].Line.File || h.Line != chain[i].Line.Number || h.Module != chain[i].Path {
					t.Errorf("%s %v, handler %d: got %+v, want %s:%d %s", service.Service, facility, i, h, chain[i].Line.File, chain[i].Line.Number, chain[i].Path)
				}
				if place := fmt.Sprintf("%s:%d ", h.File[strings.LastIndexByte(h.File, '/')+1:], h.Line); !strings.Contains(text.stdout, place) {
					t.Errorf("%s: %sis not in\n%s", service.Service, place, text.stdout)
				}
			}
		}
	}
	if len(services) < 10 || handlers < 100 {
		t.Errorf("got %d services with %d handlers, want those of a system", len(services), handlers)
	}
}

// predicted is what is looked at of "pamhelper predict --json".
type predicted struct {
	Calls []struct{ Call, Code string }
}

func (p predicted) code() string { return p.Calls[len(p.Calls)-1].Code }

// debug is a line of pam_debug: what it returns to setcred and close_session, and
// to all other calls.
type debug struct{ control, code, undo string }

func (d debug) line(facility string) string {
	line := facility + " " + d.control + " pam_debug.so"
	for _, argument := range []string{"auth", "acct", "prechauthtok", "chauthtok", "open_session"} {
		line += " " + argument + "=" + d.code
	}
	return line + " cred=" + d.undo + " close_session=" + d.undo
}

// tries are the steps of "pamhelper try" that make a call, and the name of the
// result.
var tries = []struct {
	call     string
	fresh    bool
	facility string
	steps    []string
	step     string
}{
	{"authenticate", false, "auth", []string{"authenticate"}, "authenticate"},
	{"setcred", true, "auth", []string{"credentials"}, "credentials"},
	{"setcred", false, "auth", []string{"authenticate", "credentials"}, "credentials"},
	{"account", false, "account", []string{"account"}, "account"},
	{"password", false, "password", []string{"password"}, "change_password"},
	{"session", false, "session", []string{"session"}, "open_session"},
	{"close_session", false, "session", []string{"session"}, "close_session"},
}

func TestPredictAgreesWithLibpam(t *testing.T) {
	compared := map[string]int{}
	for _, lines := range [][]debug{
		{{"required", "success", "success"}, {"required", "auth_err", "success"}, {"required", "maxtries", "success"}},
		{{"required", "success", "cred_err"}, {"required", "success", "session_err"}},
		{{"requisite", "cred_err", "success"}, {"required", "success", "success"}},
		{{"required", "auth_err", "success"}, {"sufficient", "success", "success"}, {"required", "success", "success"}},
		{{"[success=1 default=ignore]", "success", "ignore"}, {"requisite", "auth_err", "cred_err"}, {"required", "success", "success"}},
		{{"[success=1 default=ignore]", "success", "cred_err"}, {"requisite", "auth_err", "cred_err"}, {"required", "success", "ignore"}},
		{{"[success=1 default=ignore]", "user_unknown", "success"}, {"requisite", "session_err", "success"}, {"required", "success", "success"}},
		{{"[success=1]", "success", "success"}, {"required", "auth_err", "auth_err"}},
		{{"[success=5 default=bad]", "success", "success"}, {"required", "success", "success"}},
		{{"required", "ignore", "success"}, {"optional", "try_again", "success"}},
		{{"required", "perm_denied", "ignore"}, {"[success=reset default=die]", "success", "auth_err"}, {"required", "success", "success"}},
		{{"[new_authtok_reqd=done default=bad]", "new_authtok_reqd", "success"}, {"required", "auth_err", "success"}},
		{{"[success=done default=nonsense]", "success", "success"}, {"required", "success", "success"}},
		{{"optional", "auth_err", "cred_unavail"}, {"sufficient", "success", "ignore"}, {"required", "success", "cred_expired"}},
	} {
		for _, c := range tries {
			var text, pairs []string
			for _, line := range lines {
				text = append(text, line.line(c.facility))
			}
			name := service(t, text...)
			for i, line := range lines {
				place := fmt.Sprintf("%s:%d=", name, i+1)
				pairs = append(pairs, place+line.code)
				if c.call == "setcred" || c.call == "close_session" {
					pairs = append(pairs, c.call+":"+place+line.undo)
				}
			}
			real := try(t, nil, append([]string{name, "alice"}, c.steps...)...).code(c.step)
			if real == "" {
				continue // the step before failed
			}
			status := 1
			if real == "PAM_SUCCESS" {
				status = 0
			}
			args := []string{"predict", "--json", name, c.call}
			if c.fresh {
				args = append(args, "--fresh")
			}
			if got := decode[predicted](t, status, append(args, pairs...)...)[0].code(); got != real {
				t.Errorf("%s of\n%s\npredicted %s, and libpam returns %s", c.call, strings.Join(text, "\n"), got, real)
			}
			compared[fmt.Sprint(c.call, c.fresh)]++
		}
	}
	for _, c := range tries {
		if compared[fmt.Sprint(c.call, c.fresh)] < 3 {
			t.Errorf("%s, fresh %v: compared %d times, want several", c.call, c.fresh, compared[fmt.Sprint(c.call, c.fresh)])
		}
	}
}

// code returns the code of a step's result, empty for none.
func (r tried) code(step string) string {
	for _, e := range r.events {
		if e.Event == "result" && e.Step == step {
			return e.Code
		}
	}
	return ""
}

// The model says of some modules what they always return; these are they.
func TestModulesReturnWhatPredictAssumes(t *testing.T) {
	for _, module := range []string{"pam_access", "pam_echo", "pam_exec", "pam_faildelay", "pam_ftp", "pam_issue", "pam_sepermit",
		"pam_succeed_if", "pam_usertype", "pam_warn", "pam_deny", "pam_permit", "pam_nologin", "pam_env", "pam_mail", "pam_group", "pam_keyinit"} {
		for _, c := range tries {
			if c.call == "close_session" || c.call == "setcred" && !c.fresh {
				continue // not on a handle of its own
			}
			call := map[string]pamstack.Call{"authenticate": pamstack.Authenticate, "setcred": pamstack.Setcred, "account": pamstack.AcctMgmt,
				"password": pamstack.Chauthtok, "session": pamstack.OpenSession}[c.call]
			h := &pamstack.Handler{Path: module + ".so"}
			if pamstack.Returns(h, call, call == pamstack.Chauthtok) == nil {
				continue
			}
			want := pamstack.Best(h, call, call == pamstack.Chauthtok)
			t.Run(module+" "+c.call, func(t *testing.T) {
				t.Parallel()
				name := service(t,
					fmt.Sprintf("%s [%v=1 default=die] %s.so", c.facility, want, module),
					c.facility+" requisite pam_deny.so",
					c.facility+" required pam_permit.so")
				if got := try(t, nil, append([]string{name, "alice"}, c.steps...)...); got.code(c.step) != "PAM_SUCCESS" {
					t.Errorf("%s does not return %v to %s: %s", module, want, c.call, got.codes())
				}
			})
		}
	}
}

func TestPredictAgreesWithAWrongPassword(t *testing.T) {
	t.Parallel()
	ready(t)
	if _, err := os.Stat("/etc/pam.d/login"); err != nil {
		t.Skip("no /etc/pam.d/login on this system: ", err)
	}
	real := try(t, []string{"wrong"}, "login", "alice", "authenticate").code("authenticate")
	if got := decode[predicted](t, 1, "predict", "--json", "login", "auth", "pam_unix=auth_err")[0].code(); got != real {
		t.Errorf("predicted %s, and login returns %s", got, real)
	}
}

func TestShowAndPredictEndWithTheirStatus(t *testing.T) {
	ready(t)
	dir := t.TempDir()
	writeFile(t, dir+"/svc", "auth [success=1 default=ignore] pam_permit.so\nauth requisite pam_deny.so\n")
	writeFile(t, dir+"/half", "auth required pam_permit.so \\\n")
	for _, c := range []struct {
		args   string
		status int
		stdout string
		stderr string
	}{
		{"show svc", 0, "success → the end", ""},
		{"show nosuch auth", 2, "", "unknown flag"},
		{"show half", 0, "pam_start fails with PAM_ABORT", ""},
		{"show svc/x", 2, "", "is not a service's name"},
		{"predict svc auth", 0, "no line counted", ""},
		{"predict svc auth pam_permit=success", 1, "PAM_PERM_DENIED (6)", ""},
		{"predict svc auth pam_permit=ignore pam_deny=success", 0, "PAM_SUCCESS (0)", ""},
		{"predict half auth", 2, "", "pam_start fails with PAM_ABORT"},
		{"predict svc auth nosuch=success", 2, "", "there are"},
		{"predict svc", 2, "", "requires at least 2 arg"},
	} {
		args := append(strings.Fields(c.args), "--confdir", dir)
		if c.stderr == "unknown flag" {
			args = append(args, "--nosuch")
		}
		t.Run(c.args, func(t *testing.T) {
			t.Setenv("LC_ALL", "C.UTF-8")
			r := run(t, "", pamhelper, args...)
			if r.status != c.status || !strings.Contains(r.stdout, c.stdout) || !strings.Contains(r.stderr, c.stderr) || (r.stderr == "") != (c.stderr == "") {
				t.Errorf("got status %d, stdout %q, stderr %q; want status %d, %q, %q", r.status, r.stdout, r.stderr, c.status, c.stdout, c.stderr)
			}
		})
	}
}
