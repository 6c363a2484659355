package realpam_test

import (
	"strings"
	"testing"
)

// operations are pamtester's words for the steps of "pamhelper try".
var operations = map[string][]string{
	"authenticate": {"authenticate"},
	"account":      {"acct_mgmt"},
	"password":     {"chauthtok"},
	"credentials":  {"setcred(PAM_ESTABLISH_CRED)"},
	"session":      {"open_session", "close_session"},
}

// resultOf are the steps of results by pamtester's operations.
var resultOf = map[string]string{
	"authenticate": "authenticate", "acct_mgmt": "account", "chauthtok": "change_password",
	"setcred": "credentials", "open_session": "open_session", "close_session": "close_session",
}

// seen is what one run of a stack showed, however it was run.
type seen struct {
	steps  string // in order; the last one is the one that failed, where one did
	text   string // pam_strerror of the failing step; empty where all succeeded
	info   string // PAM_TEXT_INFO, a line each
	others string // prompts and PAM_ERROR_MSG in order, without line ends
	status int
}

func TestTryAgreesWithPamtester(t *testing.T) {
	ready(t)
	for path, text := range map[string]string{
		"/etc/pam.d/test-inner": "auth requisite pam_deny.so\nauth required pam_echo.so never\n",
		"/etc/test-denied":      "alice\n",
		"/etc/test-access":      "+:ALL:192.0.2.0/24\n-:ALL:ALL\n",
		"/etc/test-nologin":     "closed for today\nand tomorrow\n",
		"/etc/test-motd":        "welcome\nto the machine\n",
		"/etc/test-long":        strings.Repeat("a line of a long text\n", 1000),
		"/etc/shells":           "/bin/sh\n",
		"/var/log/lastlog":      "",
	} {
		writeFile(t, path, text)
	}
	for _, c := range differences {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := service(t, c.stack...)
			user := c.user
			if user == "" {
				user = "alice"
			}
			steps := c.steps
			if steps == nil {
				steps = []string{"authenticate", "account", "credentials", "session"}
			}
			want := pamtester(t, name, user, c.rhost, c.answers, steps)
			got := trySeen(t, name, user, c.rhost, c.answers, steps)
			if got != want {
				t.Errorf("stack:\n%s\npamhelper try: %+v\npamtester:     %+v", strings.Join(c.stack, "\n"), got, want)
			}
		})
	}
}

// pamtester runs the stack with pamtester, which prints through misc_conv:
// information on standard output, the rest on standard error.
func pamtester(t *testing.T, service, user, rhost string, answers, steps []string) seen {
	t.Helper()
	args := []string{"-v", "-Irhost=" + rhost, service, user}
	for _, step := range steps {
		args = append(args, operations[step]...)
	}
	r := run(t, strings.Join(append(answers, ""), "\n"), "pamtester", args...)
	s := seen{status: r.status}
	for line := range strings.Lines(r.stdout) {
		if !strings.HasPrefix(line, "pamtester: ") {
			s.info += line
		}
	}
	var done []string
	for line := range strings.Lines(r.stderr) {
		// A prompt has no line end of its own.
		said, own, found := strings.Cut(strings.TrimSuffix(line, "\n"), "pamtester: ")
		s.others += said
		operation, performing := strings.CutPrefix(own, "performing operation - ")
		switch {
		case performing:
			done = append(done, resultOf[operation])
		case found && !strings.HasPrefix(own, "invoking pam_start"):
			s.text = own
		}
	}
	s.steps = strings.Join(done, " ")
	return s
}

func trySeen(t *testing.T, service, user, rhost string, answers, steps []string) seen {
	t.Helper()
	r := try(t, answers, append([]string{"--flags", "none", "--rhost", rhost, service, user}, steps...)...)
	s := seen{status: r.status}
	var done []string
	for _, e := range r.events {
		switch {
		case e.Event == "message" && e.Style == "info":
			s.info += e.Text + "\n"
		case e.Event == "message" || e.Event == "prompt":
			s.others += strings.ReplaceAll(e.Text, "\n", "")
		case e.Event == "result":
			done = append(done, e.Step)
			if e.Number != 0 {
				s.text = e.Text
			}
		}
	}
	s.steps = strings.Join(done, " ")
	return s
}
