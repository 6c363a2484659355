package realpam_test

import (
	"os"
	"strings"
	"testing"
)

const unixStack = "auth required pam_unix.so nodelay\naccount required pam_unix.so\npassword required pam_unix.so sha512"

func TestUnixKnowsPasswordsAndAccounts(t *testing.T) {
	for _, c := range []struct {
		name, user, answer, codes string
		status                    int
	}{
		{"right", "alice", password, "authenticate=PAM_SUCCESS account=PAM_SUCCESS", 0},
		{"wrong", "alice", "wrong", "authenticate=PAM_AUTH_ERR", 1},
		{"locked", lockedUser, password, "authenticate=PAM_AUTH_ERR", 1},
		{"unknown", "nosuchuser", password, "authenticate=PAM_USER_UNKNOWN", 1},
		{"expired account", expiredUser, password, "authenticate=PAM_SUCCESS account=PAM_ACCT_EXPIRED", 1},
		{"expired password", "aged1", password, "authenticate=PAM_SUCCESS account=PAM_NEW_AUTHTOK_REQD", 1},
		{"empty answer", "alice", "", "authenticate=PAM_AUTH_ERR", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			try(t, []string{c.answer}, service(t, unixStack), c.user).expect(t, c.codes, c.status)
		})
	}
}

func TestEmptyPasswordIsRefusedUnlessFlagsSayNone(t *testing.T) {
	t.Parallel()
	name := service(t, "auth required pam_unix.so nullok nodelay")
	try(t, []string{""}, name, emptyUser, "authenticate").expect(t, "authenticate=PAM_AUTH_ERR", 1)
	try(t, nil, "--flags", "none", name, emptyUser, "authenticate").expect(t, "authenticate=PAM_SUCCESS", 0)
}

func TestExpiredPasswordIsChangedAndThenWorks(t *testing.T) {
	t.Parallel()
	const fresh = "n3w-And-longEr-77"
	name := service(t, unixStack)
	try(t, []string{password, password, fresh, fresh}, name, "aged2", "authenticate", "account", "password").
		expect(t, "authenticate=PAM_SUCCESS account=PAM_NEW_AUTHTOK_REQD change_password=PAM_SUCCESS", 0)
	try(t, []string{fresh}, name, "aged2").expect(t, "authenticate=PAM_SUCCESS account=PAM_SUCCESS", 0)
	try(t, []string{password}, name, "aged2", "authenticate").expect(t, "authenticate=PAM_AUTH_ERR", 1)
}

func TestPasswordIsNotChangedWithoutTheOldOne(t *testing.T) {
	t.Parallel()
	r := try(t, []string{password, "not the old one", "n3w-And-longEr-77", "n3w-And-longEr-77"},
		service(t, unixStack), "aged3", "authenticate", "account", "password")
	if r.status != 1 || strings.Contains(r.codes(), "change_password=PAM_SUCCESS") {
		t.Errorf("got %q, status %d; want a change that is refused, status 1", r.codes(), r.status)
	}
}

func TestEnvReadsItsFiles(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/environment"
	ready(t)
	writeFile(t, file, "LANG=C.UTF-8\nEDITOR=ed\n")
	r := try(t, nil, service(t, "session required pam_env.so readenv=1 envfile="+file), "alice", "session")
	r.expect(t, "open_session=PAM_SUCCESS close_session=PAM_SUCCESS", 0)
	if got := r.variables(); got["LANG"] != "C.UTF-8" || got["EDITOR"] != "ed" {
		t.Errorf("environment: got %q, want LANG and EDITOR of the file", got)
	}
}

func TestExecSeesItemsAndEnvironmentAndNothingElse(t *testing.T) {
	t.Setenv("LEAKED", "from the caller")
	ready(t)
	out := t.TempDir() + "/out"
	name := service(t, "session required pam_exec.so "+script(t, "env | sort >>"+out+"\n"))
	try(t, nil, "--env", "COLOUR=blue", "--rhost", "192.0.2.7", "--tty", "tty9", "--ruser", "remote", name, "alice", "session").
		expect(t, "open_session=PAM_SUCCESS close_session=PAM_SUCCESS", 0)
	got := readFile(t, out)
	for _, want := range []string{"COLOUR=blue", "PAM_RHOST=192.0.2.7", "PAM_TTY=tty9", "PAM_RUSER=remote", "PAM_USER=alice",
		"PAM_SERVICE=" + name, "PAM_TYPE=open_session", "PAM_TYPE=close_session"} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("environment of pam_exec: got\n%s\nwant a line %s", got, want)
		}
	}
	if strings.Contains(got, "LEAKED") {
		t.Errorf("environment of pam_exec: got\n%s\nwant nothing of the caller's", got)
	}
}

func TestExecReadsThePassword(t *testing.T) {
	t.Parallel()
	ready(t)
	check := script(t, "read -r p; [ \"$p\" = "+password+" ]\n")
	name := service(t, "auth required pam_exec.so expose_authtok quiet "+check)
	try(t, []string{password}, name, "alice", "authenticate").expect(t, "authenticate=PAM_SUCCESS", 0)
	try(t, []string{"wrong"}, name, "alice", "authenticate").expect(t, "authenticate=PAM_SYSTEM_ERR", 1)
}

func TestExecOutputIsAMessage(t *testing.T) {
	t.Parallel()
	ready(t)
	r := try(t, nil, service(t, "session required pam_exec.so stdout "+script(t, "echo hello from root\n")), "alice", "session")
	r.expectSaid(t, "info: hello from root")
}

func TestMotdIsShown(t *testing.T) {
	t.Parallel()
	ready(t)
	// The module reads as the user, who may not enter the test's own directory.
	file := "/var/lib/motd"
	writeFile(t, file, "maintenance on friday\nsecond line\n")
	try(t, nil, service(t, "session optional pam_motd.so motd="+file), "alice", "session").
		expectSaid(t, "info: maintenance on friday\nsecond line")
}

func TestAccessDecidesByRhost(t *testing.T) {
	t.Parallel()
	ready(t)
	file := t.TempDir() + "/access.conf"
	writeFile(t, file, "+:alice:192.0.2.0/24\n+:alice:LOCAL\n-:ALL:ALL\n")
	name := service(t, "account required pam_access.so nodefgroup accessfile="+file)
	try(t, nil, "--rhost", "192.0.2.9", name, "alice", "account").expect(t, "account=PAM_SUCCESS", 0)
	try(t, nil, "--rhost", "198.51.100.9", name, "alice", "account").expect(t, "account=PAM_PERM_DENIED", 1)
	try(t, nil, "--rhost", "192.0.2.9", name, "bob", "account").expect(t, "account=PAM_PERM_DENIED", 1)
	try(t, nil, "--tty", "tty1", name, "alice", "account").expect(t, "account=PAM_SUCCESS", 0)
}

func TestNologinShowsItsFileAndRefuses(t *testing.T) {
	t.Parallel()
	ready(t)
	file := t.TempDir() + "/nologin"
	name := service(t, "auth required pam_nologin.so successok file="+file)
	try(t, nil, name, "alice", "authenticate").expect(t, "authenticate=PAM_SUCCESS", 0)
	writeFile(t, file, "closed for today\n")
	r := try(t, nil, name, "alice", "authenticate")
	r.expect(t, "authenticate=PAM_AUTH_ERR", 1)
	r.expectSaid(t, "error: closed for today")
}

func TestFaillockLocksAfterThreeFailures(t *testing.T) {
	t.Parallel()
	ready(t)
	dir := t.TempDir()
	name := service(t,
		"auth required pam_faillock.so preauth nodelay deny=3 unlock_time=600 dir="+dir,
		"auth [success=1 default=bad] pam_unix.so nodelay",
		"auth [default=die] pam_faillock.so authfail nodelay deny=3 unlock_time=600 dir="+dir,
		"auth required pam_permit.so",
		"account required pam_faillock.so dir="+dir)
	try(t, []string{password}, name, "bob", "authenticate").expect(t, "authenticate=PAM_SUCCESS", 0)
	for range 3 {
		try(t, []string{"wrong"}, name, "bob", "authenticate").expect(t, "authenticate=PAM_AUTH_ERR", 1)
	}
	r := try(t, []string{password}, name, "bob", "authenticate")
	if r.status != 1 {
		t.Errorf("the right password after three wrong ones: got %q, status %d; want it refused, status 1", r.codes(), r.status)
	}
	r.expectSaid(t, "locked due to 3 failed logins")
}

// TestTimeDecidesByService writes the only file pam_time reads; no other test uses the module.
func TestTimeDecidesByService(t *testing.T) {
	closed := service(t, "account required pam_time.so")
	open := service(t, "account required pam_time.so")
	writeFile(t, "/etc/security/time.conf", closed+";*;*;!Al0000-2400\n"+open+";*;*;Al0000-2400\n")
	try(t, nil, closed, "alice", "account").expect(t, "account=PAM_PERM_DENIED", 1)
	try(t, nil, open, "alice", "account").expect(t, "account=PAM_SUCCESS", 0)
}

func TestSucceedIfReadsTheAccount(t *testing.T) {
	t.Parallel()
	for condition, codes := range map[string]string{
		"user ingroup lab":    "authenticate=PAM_SUCCESS",
		"user ingroup nobody": "authenticate=PAM_AUTH_ERR",
		"uid >= 1000":         "authenticate=PAM_SUCCESS",
		"uid < 1000":          "authenticate=PAM_AUTH_ERR",
		"shell = /bin/sh":     "authenticate=PAM_SUCCESS",
		"rhost = 192.0.2.1":   "authenticate=PAM_SUCCESS",
	} {
		r := try(t, nil, "--rhost", "192.0.2.1", service(t, "auth required pam_succeed_if.so quiet "+condition), "alice", "authenticate")
		if r.codes() != codes {
			t.Errorf("%s: got %q, want %q", condition, r.codes(), codes)
		}
	}
}

func TestMkhomedirMakesTheHome(t *testing.T) {
	t.Parallel()
	ready(t)
	if err := os.RemoveAll("/home/walter"); err != nil {
		t.Fatal(err)
	}
	try(t, nil, service(t, "session required pam_mkhomedir.so"), "walter", "session").
		expect(t, "open_session=PAM_SUCCESS close_session=PAM_SUCCESS", 0)
	if info, err := os.Stat("/home/walter"); err != nil || !info.IsDir() {
		t.Errorf("home directory after the session: got %v, want one", err)
	}
}

func TestLoginServiceOfTheMachine(t *testing.T) {
	ready(t)
	if _, err := os.Stat("/etc/pam.d/login"); err != nil {
		t.Skip("no /etc/pam.d/login on this system: ", err)
	}
	t.Run("right password", func(t *testing.T) {
		t.Parallel()
		try(t, []string{password}, "login", "alice").expect(t, "authenticate=PAM_SUCCESS account=PAM_SUCCESS", 0)
	})
	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		try(t, []string{"wrong"}, "login", "alice").expect(t, "authenticate=PAM_AUTH_ERR", 1)
	})
	t.Run("session", func(t *testing.T) {
		t.Parallel()
		r := try(t, []string{password}, "--tty", "tty9", "login", "alice", "authenticate", "account", "credentials", "session")
		r.expect(t, "authenticate=PAM_SUCCESS account=PAM_SUCCESS credentials=PAM_SUCCESS open_session=PAM_SUCCESS close_session=PAM_SUCCESS", 0)
		if got := r.variables()["MAIL"]; got != "/var/mail/alice" {
			t.Errorf("MAIL: got %q, want /var/mail/alice", got)
		}
	})
}
