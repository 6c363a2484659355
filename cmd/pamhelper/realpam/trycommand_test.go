package realpam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTryWithWrongUsageSaysSo(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"no service", nil, "requires at least 1 arg"},
		{"service with a slash", []string{"../pam.d/login", "alice"}, "is not a service's name"},
		{"empty service", []string{"", "alice"}, "is not a service's name"},
		{"unknown step", []string{"login", "alice", "logout"}, `unknown step "logout"`},
		{"variable without =", []string{"--env", "X", "login", "alice"}, "is not K=V"},
		{"unknown PAM flag", []string{"--flags", "all", "login", "alice"}, "unknown PAM flag"},
		{"unknown option", []string{"--nosuch", "login", "alice"}, "unknown flag"},
		{"confdir that is not there", []string{"--confdir", "/nosuch", "login", "alice"}, "/nosuch"},
		{"confdir that is a file", []string{"--confdir", "/etc/passwd", "login", "alice"}, "is not a directory"},
		{"answers file that is not there", []string{"--answers", "/nosuch", "login", "alice"}, "/nosuch"},
		{"timeout that is no time", []string{"--timeout", "soon", "login", "alice"}, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, "", pamhelper, append([]string{"try"}, c.args...)...)
			if r.status != 2 || !strings.Contains(r.stderr, c.says) || r.stdout != "" {
				t.Errorf("got status %d, stdout %q, stderr %q; want status 2, nothing, %q", r.status, r.stdout, r.stderr, c.says)
			}
		})
	}
}

func TestTryOfAServiceThatIsNotThereUsesOther(t *testing.T) {
	t.Parallel()
	ready(t)
	dir := t.TempDir()
	writeFile(t, dir+"/other", "auth required pam_debug.so auth=maxtries\n")
	try(t, nil, "--confdir", dir, "nosuchservice", "alice", "authenticate").expect(t, "authenticate=PAM_MAXTRIES", 1)
}

func TestTryOfAStackThatCannotBeReadIsAConfigurationError(t *testing.T) {
	t.Parallel()
	ready(t)
	r := run(t, "", pamhelper, "try", "--confdir", t.TempDir(), "nosuchservice", "alice")
	if r.status != 2 || !strings.Contains(r.stdout, "failed: the service cannot be started") {
		t.Errorf("got status %d, %q; want status 2 and that the service cannot be started", r.status, r.stdout)
	}
}

func TestTryOfAModuleThatKillsItsProcessIsAFailedHelper(t *testing.T) {
	t.Parallel()
	ready(t)
	name := service(t, "auth required pam_exec.so quiet "+script(t, "kill -SEGV $PPID\n"))
	r := try(t, nil, name, "alice", "authenticate")
	if r.status != 3 || len(r.events) == 0 || r.events[len(r.events)-1].Event != "failed" {
		t.Errorf("got status %d, %s; want status 3, and failed as the last line", r.status, r.stdout)
	}
}

func TestTryGivesUpOnAHangingModuleAndNamesIt(t *testing.T) {
	t.Parallel()
	ready(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := command("mkfifo", fifo); err != nil {
		t.Fatal(err)
	}
	name := service(t, "auth required pam_exec.so quiet "+script(t, "read -r line <"+fifo+"\n"))
	r := try(t, nil, "--timeout", "300ms", name, "alice", "authenticate")
	if r.status != 3 || !strings.Contains(r.stdout, "pam_exec.so") {
		t.Errorf("got status %d, %s; want status 3 and the module that hangs", r.status, r.stdout)
	}
}

func TestTryGivesUpOnAHangingModuleAlsoWithASessionOpen(t *testing.T) {
	t.Parallel()
	ready(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := command("mkfifo", fifo); err != nil {
		t.Fatal(err)
	}
	name := service(t, "session required pam_permit.so", "account required pam_exec.so quiet "+script(t, "read -r line <"+fifo+"\n"))
	r := try(t, nil, "--timeout", "300ms", name, "alice", "session", "account")
	if r.status != 3 || !strings.Contains(r.stdout, "pam_exec.so") {
		t.Errorf("got status %d, %s; want status 3 and the module that hangs", r.status, r.stdout)
	}
}

func TestTryGivesUpAtAPromptAfterItsTimeout(t *testing.T) {
	t.Parallel()
	p := onTerminal(t, pamhelper, "try", "--timeout", "2s", service(t, unixStack), "alice")
	p.atPrompt("Password: ", false)
	p.cmd.Wait()
	if status := p.cmd.ProcessState.ExitCode(); status != 3 {
		t.Errorf("exit status: got %d, want 3; the terminal:\n%s", status, p)
	}
	p.shows("took too long")
	if after := *p.mode(); after != p.before {
		t.Errorf("terminal mode: got %+v, want %+v as before", after, p.before)
	}
}

func TestTryShowsOneJSONObjectForEachEvent(t *testing.T) {
	t.Parallel()
	name := service(t, "auth required pam_echo.so hi %u <&> there", "auth required pam_unix.so nodelay")
	r := try(t, []string{password}, "--env", "A=b c", name, "alice", "authenticate", "credentials")
	r.expect(t, "authenticate=PAM_SUCCESS credentials=PAM_SUCCESS", 0)
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	for i, want := range []string{
		`{"event":"message","style":"info","text":"hi alice <&> there"}`,
		`{"event":"prompt","style":"echo_off","text":"Password: "}`,
		`{"event":"result","step":"authenticate","code":"PAM_SUCCESS","number":0,"text":"Success","user":"alice","duration_us":`,
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d: want %s; got all:\n%s", i+1, want, r.stdout)
		}
	}
	if last, want := lines[len(lines)-1], `{"event":"environment","variables":{"A":"b c"}}`; last != want {
		t.Errorf("last line: got %s, want %s", last, want)
	}
}

func TestTryReadsAnswersFromAFile(t *testing.T) {
	t.Parallel()
	name := service(t, unixStack)
	for content, status := range map[string]int{
		"alice\n" + password + "\n": 0,
		"alice\n" + password:        0, // the last line may lack its end
		"alice\n":                   1,
		"":                          1,
	} {
		file := t.TempDir() + "/answers"
		writeFile(t, file, content)
		r := run(t, "", pamhelper, "try", "--answers", file, name)
		if r.status != status {
			t.Errorf("answers %q: got status %d, want %d\n%s", content, r.status, status, r.stdout)
		}
		if strings.Contains(r.stdout+r.stderr, password) {
			t.Errorf("the output shows the answer:\n%s%s", r.stdout, r.stderr)
		}
	}
}

func TestTryWithoutATerminalNamesAnswers(t *testing.T) {
	t.Parallel()
	r := run(t, "", pamhelper, "try", service(t, unixStack), "alice")
	if r.status != 2 || !strings.Contains(r.stdout, "use --answers FILE") {
		t.Errorf("got status %d, %q; want status 2 and that --answers helps", r.status, r.stdout)
	}
}

func TestTryOpensAndClosesTheSessionOnce(t *testing.T) {
	t.Parallel()
	ready(t)
	out := t.TempDir() + "/out"
	name := service(t, "session required pam_exec.so quiet "+script(t, "echo $PAM_TYPE >>"+out+"\n"))
	try(t, nil, name, "alice", "session").expect(t, "open_session=PAM_SUCCESS close_session=PAM_SUCCESS", 0)
	if got, want := readFile(t, out), "open_session\nclose_session\n"; got != want {
		t.Errorf("what ran: got %q, want %q", got, want)
	}
}

func TestTryClosesTheSessionWhenALaterStepIsRefused(t *testing.T) {
	t.Parallel()
	ready(t)
	out := t.TempDir() + "/out"
	name := service(t, "account required pam_deny.so", "session required pam_exec.so quiet "+script(t, "echo $PAM_TYPE >>"+out+"\n"))
	try(t, nil, name, "alice", "session", "account").expect(t, "open_session=PAM_SUCCESS account=PAM_AUTH_ERR", 1)
	if got, want := readFile(t, out), "open_session\nclose_session\n"; got != want {
		t.Errorf("what ran: got %q, want %q", got, want)
	}
}

func TestTryChangesAPasswordAfterAskingForTheOldOne(t *testing.T) {
	t.Parallel()
	r := try(t, []string{password, "An0ther-and-longer", "An0ther-and-longer"}, service(t, unixStack), "trent", "password")
	r.expect(t, "change_password=PAM_SUCCESS", 0)
	r.expectSaid(t, "echo_off: Current password: ")
}

func TestTryMakesControlCharactersHarmless(t *testing.T) {
	t.Parallel()
	ready(t)
	file := t.TempDir() + "/text"
	writeFile(t, file, "\x1b]0;owned\x07\x1b[2Jred\u202e\r\x9b31m\x08\n")
	name := service(t, "auth required pam_echo.so file="+file, "auth required pam_permit.so")
	r := run(t, "", pamhelper, "try", "--env", "E=\x1b[1m\nX=y", name, "alice", "authenticate")
	for _, bad := range []string{"\x1b", "\x07", "\x9b", "\x08", "\r", "\u202e"} {
		if strings.Contains(r.stdout, bad) {
			t.Errorf("output holds %q: %q", bad, r.stdout)
		}
	}
	for _, want := range []string{`\x1b]0;owned\x07`, `E=\x1b[1m\nX=y`} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("got %q, want %q in it", r.stdout, want)
		}
	}
}

func TestTryAsAnotherUserRunsWithoutRoot(t *testing.T) {
	t.Parallel()
	name := service(t, "auth required pam_permit.so")
	r := run(t, "", "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", pamhelper, "try", name, "alice")
	if r.status != 0 {
		t.Errorf("got status %d, %s%s; want 0", r.status, r.stdout, r.stderr)
	}
}

func TestTryNamesAUserLikeAStep(t *testing.T) {
	t.Parallel()
	r := try(t, nil, "--user", "session", service(t, "auth required pam_permit.so"), "authenticate")
	r.expect(t, "authenticate=PAM_SUCCESS", 0)
	if got := r.events[0].User; got != "session" {
		t.Errorf("user: got %q, want session", got)
	}
}

func TestWorkerWithoutASocketSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	r := run(t, "", pamhelper, "worker")
	if r.status != 2 || !strings.Contains(r.stderr, "pamhelper try SERVICE USER") {
		t.Errorf("got status %d, %q; want status 2 and a pointer to try", r.status, r.stderr)
	}
	r = run(t, "", pamhelper, "worker", "--confdir", os.TempDir())
	if r.status != 2 || !strings.Contains(r.stderr, "needs --debug") {
		t.Errorf("--confdir alone: got status %d, %q; want status 2, needs --debug", r.status, r.stderr)
	}
}

func TestManyTriesAtOnceDoNotMix(t *testing.T) {
	name := service(t, "auth required pam_echo.so for %u", "auth required pam_unix.so nodelay")
	for i := range 32 {
		user := plainUsers[i%10]
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := try(t, []string{password}, name, user, "authenticate")
			r.expectSaid(t, "info: for "+user)
			for _, e := range r.events {
				if e.Event == "result" && e.User != user {
					t.Errorf("user: got %q, want %q", e.User, user)
				}
			}
		})
	}
}

func TestTryReadsServicesFromARelativeDirectory(t *testing.T) {
	t.Parallel()
	ready(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "svc"), []byte("auth required pam_permit.so\naccount required pam_permit.so\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(pamhelper, "try", "--confdir", ".", "svc", "alice")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("got %v, want success:\n%s", err, out)
	}
}

func TestTryGivesUpOnAnAnswersFileThatNobodyWrites(t *testing.T) {
	t.Parallel()
	ready(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := command("mkfifo", fifo); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(pamhelper, "try", "--timeout", "300ms", "--answers", fifo, service(t, unixStack), "alice").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "took too long") {
		t.Errorf("got %v, want that it took too long:\n%s", err, out)
	}
}
