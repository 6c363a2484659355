package realpam_test

import (
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// TestEveryCallOfDebiansServicesHasItsLine: model and reality are compared call by
// call, which tracesIn does; here, that every module called has a line.
func TestEveryCallOfDebiansServicesHasItsLine(t *testing.T) {
	for who, prefix := range map[string][]string{
		"root":     nil,
		"somebody": {"setpriv", "--reuid", "bob", "--regid", "users", "--clear-groups"},
	} {
		for _, service := range []string{"login", debianSSHD, "su"} {
			t.Run(service+" as "+who, func(t *testing.T) {
				t.Parallel()
				calls := 0
				for _, step := range []string{"authenticate", "account", "credentials", "password", "session"} {
					args := append(prefix, stripped, "try", "--trace", "--json", "--flags", "none", "--answers", "-",
						"--tty", "tty9", "--rhost", remote, service, "bob", step)
					r := run(t, "not the password\n", args[0], args[1:]...)
					for _, trace := range tracesIn(t, r.stdout) {
						for _, turn := range trace.Turns {
							if turn.Called != "" {
								calls++
							}
							if turn.Line == 0 || !strings.HasPrefix(turn.File, "/etc/pam.d/") || turn.Reached && turn.Action == "" {
								t.Errorf("%s: got %+v, want a line of a file, and what it led to", trace.Function, turn)
							}
						}
					}
				}
				if calls < 20 {
					t.Errorf("got %d calls of modules, want 20 at least", calls)
				}
			})
		}
	}
}

func TestTraceOfModulesThatFork(t *testing.T) {
	t.Parallel()
	t.Run("pam_unix and its helper", func(t *testing.T) {
		t.Parallel()
		// Only for themselves can people check a password without root.
		for answer, want := range map[string]string{password: "1: success -> ok", "wrong": "1: auth_err -> bad"} {
			r := run(t, answer+"\n", "setpriv", "--reuid", "judy", "--regid", "users", "--clear-groups", pamhelper, "try",
				"--trace", "--json", "--answers", "-", service(t, unixStack), "judy", "authenticate")
			if got := turnsOf(traceOf(t, tracesIn(t, r.stdout), "pam_authenticate")); got != want {
				t.Errorf("answer %q: got %s, want %s\n%s", answer, got, want, r.stderr)
			}
		}
	})
	t.Run("pam_exec", func(t *testing.T) {
		t.Parallel()
		_, traces := tryTraced(t, nil, service(t, "account optional pam_exec.so /nosuch", "account required pam_permit.so"), "alice", "account")
		trace := traceOf(t, traces, "pam_acct_mgmt")
		if got, want := turnsOf(trace), "1: system_err -> ignore; 2: success -> ok"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		waitLogged(t, "execve(/nosuch")
		for _, n := range trace.Turns[0].Notes {
			if strings.Contains(n.Text, "execve(") {
				t.Errorf("got %+v, which the child logged; want what the module did itself", n)
			}
			if n.Kind == "logged" && !strings.Contains(n.Text, "/nosuch failed: exit code") {
				t.Errorf("got %+v, want that the program failed", n)
			}
		}
		if len(trace.Turns[0].Notes) == 0 {
			t.Error("got nothing that pam_exec logged, want that the program failed")
		}
	})
}

func TestTryWithTraceShowsALoginLineByLine(t *testing.T) {
	t.Parallel()
	name := service(t,
		"auth optional pam_faildelay.so delay=1000",
		"auth [success=1 default=ignore] pam_unix.so nodelay",
		"auth requisite pam_deny.so",
		"auth required pam_permit.so")
	r := run(t, "wrong-password\n", pamhelper, "try", "--trace", "--answers", "-", name, "alice", "authenticate")
	file := "/etc/pam.d/" + name
	for _, want := range []string{
		"Password: \nauthenticate     PAM_AUTH_ERR (7) Authentication failure, ",
		"\n    decided by " + file + ":3: requisite pam_deny.so: PAM_AUTH_ERR -> die" +
			"\n        behind " + file + ":2: [success=1 default=ignore] pam_unix.so: PAM_AUTH_ERR -> ignore\n  pam_authenticate\n",
		"\n    " + file + ":1  optional pam_faildelay.so delay=1000\n        ignore -> ignore, ",
		"\n        asked for a delay of 1ms after a failure\n",
		"\n    " + file + ":2  [success=1 default=ignore] pam_unix.so nodelay\n        auth_err -> ignore, ",
		"\n        said (echo_off): Password: \n        set PAM_AUTHTOK\n        logged (notice): pam_unix(" + name + ":auth): authentication failure; ",
		"\n    " + file + ":4  required pam_permit.so: not reached\n    = PAM_AUTH_ERR, decided by: " + file + ":3: ",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("got\n%s\nwant in it %q", r.stdout, want)
		}
	}
	if strings.Contains(r.stdout+r.stderr, "wrong-password") || r.status != 1 {
		t.Errorf("got status %d, output\n%s%s\nwant 1, and no answer in it", r.status, r.stdout, r.stderr)
	}
}

func TestTryWithoutTraceNamesTheLineOfAFailure(t *testing.T) {
	t.Parallel()
	name := service(t, "auth required pam_permit.so", "auth required pam_debug.so auth=maxtries", "account required pam_permit.so")
	r := run(t, "", pamhelper, "try", name, "alice", "authenticate")
	want := "\n    decided by /etc/pam.d/" + name + ":2: required pam_debug.so: PAM_MAXTRIES -> bad\n"
	if !strings.Contains(r.stdout, want) || strings.Contains(r.stdout, "pam_permit.so") {
		t.Errorf("got\n%s\nwant %q and nothing of other lines", r.stdout, want)
	}
	r = run(t, "", pamhelper, "try", name, "alice", "account")
	if r.status != 0 || strings.Contains(r.stdout, "decided") {
		t.Errorf("a success: got\n%s\nwant nothing of lines", r.stdout)
	}
}

func TestTryNamesTheLineThatASessionCannotBeStartedFor(t *testing.T) {
	t.Parallel()
	name := service(t, "auth required pam_permit.so", "@include nosuch")
	r := run(t, "", pamhelper, "try", name, "alice")
	want := "/etc/pam.d/" + name + ":2: include-any-failed"
	if r.status != 2 || !strings.Contains(r.stdout, want) {
		t.Errorf("got status %d\n%s\nwant 2 and %q", r.status, r.stdout, want)
	}
}

func TestTryWithTraceSaysThatASessionIsReal(t *testing.T) {
	t.Parallel()
	name := service(t, "session required pam_permit.so")
	for steps, want := range map[string]bool{"session": true, "account": false} {
		r := run(t, "", pamhelper, "try", "--trace", name, "alice", steps)
		if got := strings.Contains(r.stderr, "real session"); got != want {
			t.Errorf("%s: got %q, want a word about a real session: %v", steps, r.stderr, want)
		}
	}
}

func TestFrozenChainIsShownAsOne(t *testing.T) {
	t.Parallel()
	name := service(t, "session optional pam_debug.so open_session=session_err", "session required pam_permit.so")
	_, traces := tryTraced(t, nil, name, "alice", "session")
	trace := traceOf(t, traces, "pam_close_session")
	if got := trace.Turns[0]; got.Code != "success" || got.Key != "session_err" || got.Action != "ignore" {
		t.Errorf("close_session: got %+v, want success, taken for session_err, ignored", got)
	}
}

func TestStrictWorkerTellsTheLineOnlyWhereThatIsNoOracle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, user, answer string
		step               ipc.Step
		told               string // the decision the agent gets
		log                string // what the worker's log says
	}{
		{"wrong password", "alice", "wrong", ipc.Authenticate, "", "authenticate: Authentication failure (7), decided by /etc/pam.d/sshd:"},
		{"unknown user", "nosuchuser", password, ipc.Authenticate, "", "authenticate: Authentication failure (7), decided by /etc/pam.d/sshd:"},
		{"root", "root", rootPassword, ipc.Authenticate, "", "the user may not log in: root does not log in through this service"},
		{"account that is over", expiredUser, password, ipc.Account, "/etc/pam.d/common-account:", "account: Authentication failure (7), decided by /etc/pam.d/common-account:"},
		{"success", "alice", password, 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, log := dialAsking(t, &person{answers: []string{c.answer}})
			results, _ := client.Login(t.Context(), loginOf(c.user), ipc.Authenticate, ipc.Account, ipc.End)
			for _, r := range results {
				told := ""
				if r.Decision != nil {
					told = r.Decision.File
				}
				if r.Step == c.step && c.told != "" && strings.HasPrefix(told+":", c.told) && r.Decision.Line > 0 {
					continue
				}
				if told != "" || len(r.Traces) > 0 {
					t.Errorf("%s: the agent is told %s and %d traces, want nothing", r.Step, r.Decision, len(r.Traces))
				}
			}
			client.Close()
			if !strings.Contains(log.String(), c.log) {
				t.Errorf("log: got\n%s\nwant %q", log, c.log)
			}
			if c.log == "" && strings.Contains(log.String(), "decided by") {
				t.Errorf("log of a success: got\n%s\nwant nothing of lines", log)
			}
		})
	}
}

// dialAsking starts a strict worker and asks it for traces, in vain.
func dialAsking(t *testing.T, p *person, args ...string) (*ipc.Client, *workerLog) {
	t.Helper()
	ready(t)
	var log workerLog
	client, err := ipc.Dial(t.Context(), ipc.Exec{Path: pamhelper, Args: args, Log: &log}, ipc.Options{Conversation: p, Trace: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, &log
}

func TestWorkerWithTraceWritesALoginIntoItsLog(t *testing.T) {
	t.Parallel()
	client, log := dialAsking(t, &person{answers: []string{password}}, "--trace")
	_, err := client.Login(t.Context(), loginOf("heidi"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.CloseSession, ipc.End)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	for _, want := range []string{
		"trace: pam_authenticate: /etc/pam.d/sshd:3: [success=1 default=ignore] pam_unix.so nullok nodelay: success -> 1, ",
		"trace: pam_authenticate: /etc/pam.d/sshd:4: requisite pam_deny.so: not reached\n",
		"trace: pam_authenticate: pam_unix.so said: Password: \n",
		"trace: pam_authenticate: pam_unix.so set PAM_AUTHTOK\n",
		"trace: pam_authenticate: Success (0), decided by /etc/pam.d/sshd:",
		"trace: pam_acct_mgmt: Success (0), decided by ",
		"trace: pam_open_session: pam_unix.so logged: pam_unix(sshd:session): session opened for user heidi",
		"trace: pam_close_session: ",
		"trace: pam_setcred: ",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log: got\n%s\nwant in it %q", log, want)
		}
	}
	if strings.Contains(log.String(), password) || strings.Contains(log.String(), "disagree") {
		t.Errorf("log: got\n%s\nwant no password and no disagreement", log)
	}
}
