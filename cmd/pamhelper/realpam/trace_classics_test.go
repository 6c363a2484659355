package realpam_test

import (
	"fmt"
	"strings"
	"testing"
)

// classic is a stack that does what nobody expects, as people ask about it.
type classic struct {
	name    string
	stack   []string
	service string   // in place of a stack
	args    []string // of try, before the service
	as      string   // who runs it; root if empty
	user    string
	answers []string
	steps   []string
	status  int    // of the program
	decided string // the line that decided, of the last step
	also    string // what else is to be seen of the trace
}

// TestTryWithTracePointsAtTheLineOfTheClassics: one command shows the line that
// is to blame.
func TestTryWithTracePointsAtTheLineOfTheClassics(t *testing.T) {
	ready(t)
	dir := t.TempDir()
	sss := dir + "/pam_sss.so"
	if err := command("cp", debugModule(t), sss); err != nil {
		t.Fatal(err)
	}
	for _, c := range []classic{
		{
			name: "any password works",
			stack: []string{
				"auth required pam_faillock.so preauth nodelay dir=" + dir,
				"auth sufficient pam_faillock.so authsucc nodelay dir=" + dir,
				"auth required pam_unix.so nodelay",
			},
			user: "grace", steps: []string{"authenticate"},
			decided: "2: sufficient pam_faillock.so: success -> done", also: "3: not reached",
		},
		{
			name:  "right password, permission denied",
			stack: []string{"auth [success=1 default=die] pam_unix.so nodelay", "auth required pam_deny.so"},
			user:  "alice", answers: []string{password}, steps: []string{"authenticate"}, status: 1,
			decided: "1: [success=1 default=die] pam_unix.so: success -> 1", also: "2: not reached",
		},
		{
			name: "setcred of a fresh handle goes another way",
			stack: []string{
				"auth [success=1 default=ignore] pam_succeed_if.so quiet user = alice",
				"auth requisite pam_deny.so",
				"auth required pam_permit.so",
			},
			user: "alice", steps: []string{"credentials"}, status: 1,
			decided: "2: requisite pam_deny.so: cred_err -> die", also: "1: ignore -> ignore",
		},
		{
			name:    "a wrong name of a service",
			service: "sshd-typo", user: "alice", steps: []string{"account"},
			decided: "/etc/pam.d/common-account",
		},
		{
			name:  "module is unknown",
			stack: []string{"auth required pam_tally2.so deny=5", "auth required pam_unix.so nodelay"},
			user:  "alice", answers: []string{password}, steps: []string{"authenticate"}, status: 1,
			decided: "1: required pam_tally2.so: module_unknown -> bad", also: "cannot open shared object file",
		},
		{
			name:  "module is there, its library is not",
			stack: []string{"auth required " + halfModule(t, dir), "auth required pam_unix.so nodelay"},
			user:  "alice", answers: []string{password}, steps: []string{"authenticate"}, status: 1,
			decided: "module_unknown -> bad", also: "libneeded.so: cannot open shared object file",
		},
		{
			name:  "without root only oneself",
			stack: []string{"auth required pam_unix.so nodelay"},
			as:    "bob", user: "alice", answers: []string{password}, steps: []string{"authenticate"}, status: 1,
			decided: "1: required pam_unix.so: authinfo_unavail -> bad", also: "this was not run as root",
		},
		{
			name:  "pam_loginuid where nothing audits",
			stack: []string{"session required pam_loginuid.so require_auditd", "session required pam_permit.so"},
			user:  "alice", steps: []string{"session"}, status: 1,
			decided: "1: required pam_loginuid.so: ",
		},
		{
			name: "faillock in the wrong order",
			stack: []string{
				"auth required pam_faillock.so preauth nodelay dir=" + dir,
				"auth [default=die] pam_faillock.so authfail nodelay dir=" + dir,
				"auth sufficient pam_unix.so nodelay",
			},
			user: "judy", answers: []string{password}, steps: []string{"authenticate"}, status: 1,
			decided: "2: [default=die] pam_faillock.so: ignore -> die", also: "3: not reached",
		},
		{
			name: "pam_sss and pam_unix swapped",
			stack: []string{
				"auth [success=done default=die] " + sss + " auth=user_unknown",
				"auth [success=done default=die] pam_unix.so nodelay",
			},
			user: "alice", answers: []string{password}, steps: []string{"authenticate"}, status: 1,
			decided: "1: [success=done default=die] " + sss + ": user_unknown -> die", also: "2: not reached",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.expect(t)
		})
	}
}

func (c classic) expect(t *testing.T) {
	name := c.service
	if name == "" {
		name = service(t, c.stack...)
	}
	words := []string{pamhelper, "try", "--trace", "--json", "--answers", "-"}
	if c.as != "" {
		words = append([]string{"setpriv", "--reuid", c.as, "--regid", "users", "--clear-groups"}, words...)
	}
	words = append(append(append(words, c.args...), name, c.user), c.steps...)
	r := run(t, strings.Join(append(c.answers, ""), "\n"), words[0], words[1:]...)
	traces := tracesIn(t, r.stdout)
	var last traced
	for _, trace := range traces {
		if len(trace.Turns) > 0 && trace.Function != "pam_close_session" {
			last = trace
		}
	}
	if last.Decision == nil {
		t.Fatalf("no decision in %s%s", r.stdout, r.stderr)
	}
	d := *last.Decision
	decided := fmt.Sprintf("%s: %d: %s %s: %s -> %s", d.File, d.Line, d.Control, d.Module, d.Code, d.Action)
	if r.status != c.status || !strings.Contains(decided, c.decided) {
		t.Errorf("status %d, decided by %q; want %d, %q\n%s%s", r.status, decided, c.status, c.decided, r.stdout, r.stderr)
	}
	if all := turnsOf(last) + r.stdout; !strings.Contains(all, c.also) {
		t.Errorf("got %s, want %q in it", all, c.also)
	}
}

// debugModule is the file of pam_debug.
func debugModule(t *testing.T) string {
	t.Helper()
	r := run(t, "", "find", "/lib/", "/usr/lib/", "-name", "pam_debug.so")
	path, _, _ := strings.Cut(r.stdout, "\n")
	return path
}

// halfModule makes a module that needs a library which is gone.
func halfModule(t *testing.T, dir string) string {
	t.Helper()
	writeFile(t, dir+"/needed.c", "int needed(void) { return 0; }\n")
	writeFile(t, dir+"/half.c", "int needed(void);\nint pam_sm_authenticate(void) { return needed(); }\nint pam_sm_setcred(void) { return 0; }\n")
	for _, args := range [][]string{
		{"gcc", "-shared", "-fPIC", "-o", dir + "/libneeded.so", dir + "/needed.c"},
		{"gcc", "-shared", "-fPIC", "-o", dir + "/pam_half.so", dir + "/half.c", "-L" + dir, "-lneeded"},
		{"rm", dir + "/libneeded.so"},
	} {
		if err := command(args[0], args[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	return dir + "/pam_half.so"
}
