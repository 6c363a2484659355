package realpam_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// found is one line of "pamhelper check --json".
type found struct {
	ID, Severity, File, Problem string
	Line                        int
}

// check runs "pamhelper check --json".
func check(t *testing.T, args ...string) (list []found, status int) {
	t.Helper()
	r := run(t, "", pamhelper, append([]string{"check", "--json"}, args...)...)
	for line := range strings.Lines(r.stdout) {
		var f found
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("a line of --json: %v: %q", err, line)
		}
		list = append(list, f)
	}
	if r.status == 2 {
		t.Fatalf("check %q: %s", args, r.stderr)
	}
	return list, r.status
}

// What check says of a stack happens when it is tried.
func TestWhatCheckFindsHappens(t *testing.T) {
	for _, c := range []struct {
		name     string
		lines    []string
		id       string
		line     int
		password string
		steps    string
		codes    string
		status   int
	}{
		{"any password works", []string{"auth required pam_faillock.so preauth", "auth sufficient pam_faillock.so authsucc",
			"auth sufficient pam_unix.so", "auth [default=die] pam_faillock.so authfail"},
			"auth-unverified", 2, "wrong", "authenticate", "authenticate=PAM_SUCCESS", 0},
		{"any password works, authfail being ignored", []string{"auth required pam_faillock.so preauth", "auth sufficient pam_unix.so",
			"auth required pam_faillock.so authfail", "auth sufficient pam_faillock.so authsucc"},
			"auth-unverified", 4, "wrong", "authenticate", "authenticate=PAM_SUCCESS", 0},
		{"permission denied for the right password", []string{"auth [success=1 default=ignore] pam_unix.so", "auth requisite pam_deny.so"},
			"jump-onto-end", 1, password, "authenticate", "authenticate=PAM_PERM_DENIED", 1},
		{"a jump past the end", []string{"auth [success=2 default=ignore] pam_unix.so", "auth requisite pam_deny.so"},
			"jump-past-end", 1, password, "authenticate", "authenticate=PAM_PERM_DENIED", 1},
		{"setcred without authenticate", []string{"auth [success=1 default=ignore] pam_succeed_if.so user = alice quiet", "auth requisite pam_deny.so", "auth required pam_unix.so"},
			"setcred-differs", 1, "", "credentials", "credentials=PAM_CRED_ERR", 1},
		{"a module that an upgrade has removed", []string{"auth required pam_tally2.so", "auth required pam_permit.so"},
			"module-removed", 1, "", "authenticate", "authenticate=PAM_MODULE_UNKNOWN", 1},
		{"a typo in the control field", []string{"auth [success=ok defualt=bad] pam_permit.so"},
			"control-illegal", 1, "", "authenticate", "authenticate=PAM_PERM_DENIED", 1},
		{"nobody has asked for the password", []string{"auth sufficient pam_unix.so use_first_pass", "auth required pam_deny.so"},
			"first-pass-missing", 1, password, "authenticate", "authenticate=PAM_AUTH_ERR", 1},
		{"a function that the module does not have", []string{"account required pam_faildelay.so"},
			"function-missing", 1, "", "account", "account=PAM_MODULE_UNKNOWN", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := service(t, c.lines...)
			list, status := check(t, name)
			there := false
			for _, f := range list {
				there = there || f.ID == c.id && f.Line == c.line && f.File == "/etc/pam.d/"+name
			}
			if !there || status != 1 {
				t.Errorf("check: got status %d, %+v; want %s in line %d", status, list, c.id, c.line)
			}
			try(t, []string{c.password}, name, "alice", c.steps).expect(t, c.codes, c.status)
		})
	}
}

func TestCheckOfDebiansServicesFindsNothingWrong(t *testing.T) {
	t.Parallel()
	list, status := check(t, "login", "su", "su-l", "chfn", "chsh", "passwd", "chpasswd", "newusers", "runuser", "runuser-l", "other")
	if status != 0 || len(list) == 0 {
		t.Errorf("got status %d, %+v; want status 0, and infos", status, list)
	}
}

func TestCheckNeedsNoPrivileges(t *testing.T) {
	t.Parallel()
	r := run(t, "", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", pamhelper, "check", "login")
	if r.status != 0 || !strings.Contains(r.stdout, "0 errors, 0 warnings") {
		t.Errorf("got status %d, stdout %q, stderr %q; want status 0 and no errors", r.status, r.stdout, r.stderr)
	}
}

func TestCheckThatCannotCheckSaysSo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--confdir", "/nosuch"}, {"--severity", "bad"}, {"--explain", "nosuch"}, {"--nosuch"}} {
		r := run(t, "", pamhelper, append([]string{"check"}, args...)...)
		if r.status != 2 || r.stderr == "" || r.stdout != "" {
			t.Errorf("%q: got status %d, stdout %q, stderr %q; want status 2, and why", args, r.status, r.stdout, r.stderr)
		}
	}
}
