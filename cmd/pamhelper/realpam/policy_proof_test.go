package realpam_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// makesUser is a line of account that makes the user who logs in, as guides to
// logins by certificate have it, and writes down whom it ran for. It may set a
// password.
func makesUser(t *testing.T, password string) (line, ran string) {
	t.Helper()
	ready(t)
	ran = filepath.Join(t.TempDir(), "ran")
	text := fmt.Sprintf(`echo "$TELEPORT_LOGIN" >> %s
id -u "$TELEPORT_LOGIN" >/dev/null 2>&1 && exit 0
useradd --no-log-init --create-home --groups lab --shell /bin/sh --comment "roles $TELEPORT_ROLES" "$TELEPORT_LOGIN" || exit 1
`, ran)
	if password != "" {
		text += `echo "$TELEPORT_LOGIN:` + password + `" | chpasswd --crypt-method SHA512 --sha-rounds 1000` + "\n"
	}
	return "account required pam_exec.so quiet " + script(t, text), ran
}

func TestTheAgentsWordLogsInAUserWhomAccountMakes(t *testing.T) {
	t.Parallel()
	line, ran := makesUser(t, "")
	// Authentication is never run; of pam_deny the credentials fail as well.
	s := servedApart(t, `proof: AGENT users { deny: "mallory" }`, "auth required pam_deny.so", line)
	const name = "fresh1"
	for _, when := range []string{"first", "second"} {
		client, log := s.dial(&person{})
		login := s.login(name)
		login.Variables = []ipc.Variable{{Name: "TELEPORT_ROLES", Value: "access"}}
		results, err := client.Login(t.Context(), login, ipc.Account, ipc.Credentials, ipc.OpenSession)
		want := "begin=PAM_SUCCESS account=PAM_SUCCESS credentials=PAM_AUTH_ERR open_session=PAM_SUCCESS"
		if got := show(results); !strings.HasPrefix(got, "begin=PAM_SUCCESS account=PAM_SUCCESS credentials=PAM_") ||
			!strings.HasSuffix(got, " open_session=PAM_SUCCESS") || err != nil || !results[2].Tolerated || results[2].Code == ipc.Success {
			t.Fatalf("%s login: got %q, %v; want %q with credentials that are tolerated", when, got, err, want)
		}
		o := runIn(t, client, `echo "$(id -un) $(id -gn) $(id -Gn) $PWD $(stat -c %U . )"`, "")
		if want := fmt.Sprintf("%s %s %s lab /home/%s %s\n", name, name, name, name, name); o.stdout != want {
			t.Errorf("%s login: got %+v, want %q", when, o, want)
		}
		for _, want := range []string{`the agent says it is "fresh1": proof AGENT`, "credentials: "} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s login: log %q, want %q in it", when, log, want)
			}
		}
		if _, err := client.End(t.Context()); err != nil {
			t.Error(err)
		}
	}
	got, _, _ := s.tries("mallory", "", ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.End)
	if want := "begin=PAM_SUCCESS account=PAM_PERM_DENIED credentials=skipped open_session=skipped end=PAM_SUCCESS"; got != want {
		t.Errorf("somebody denied: got %q, want %q", got, want)
	}
	if got, want := readFile(t, ran), "fresh1\nfresh1\n"; got != want {
		t.Errorf("the script ran for %q, want %q", got, want)
	}
}

func TestTheAgentsWordHasNoAuthenticate(t *testing.T) {
	t.Parallel()
	s := servedBy(t, "proof: AGENT", "auth sufficient pam_rootok.so")
	client, _ := s.dial(&person{})
	results, err := client.Login(t.Context(), s.login("alice"), ipc.Authenticate)
	var violation *ipc.ViolationError
	if got := show(results); got != "begin=PAM_SUCCESS" || !errors.As(err, &violation) {
		t.Errorf("got %q, %v; want a protocol violation", got, err)
	}
}

func TestAccountMakesTheUserBeforeTheProofWhereThePolicySaysSo(t *testing.T) {
	t.Parallel()
	line, ran := makesUser(t, password)
	lines := []string{"auth required pam_unix.so", line, "account required pam_unix.so"}
	s := servedApart(t, `account_first: true users { deny: "mallory" }`, lines...)
	const name = "fresh2"
	client, _ := s.dial(&person{answers: []string{password}})
	results, err := client.Login(t.Context(), s.login(name), ipc.Account, ipc.Authenticate, ipc.Credentials, ipc.OpenSession)
	want := "begin=PAM_SUCCESS account=PAM_SUCCESS authenticate=PAM_SUCCESS credentials=PAM_SUCCESS open_session=PAM_SUCCESS"
	if got := show(results); got != want || err != nil {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
	if len(results[1].Environment) > 0 || results[1].User != name {
		t.Errorf("account tells %v of %q, want nothing before the proof", results[1].Environment, results[1].User)
	}
	if o := runIn(t, client, "id -un", ""); o.stdout != name+"\n" {
		t.Errorf("a process: got %+v, want one of %s", o, name)
	}
	client.Close()

	const refused = "begin=PAM_SUCCESS account=PAM_SUCCESS authenticate=PAM_AUTH_ERR credentials=skipped end=PAM_SUCCESS"
	for user, answer := range map[string]string{name: "wrong", "mallory": password, "root": rootPassword} {
		got, p, _ := s.tries(user, answer, ipc.Account, ipc.Authenticate, ipc.Credentials, ipc.End)
		if said := strings.Join(p.said, "|"); got != refused || said != "prompt echo=false: Password: " {
			t.Errorf("%s with %s: got %q, %q; want %q and one prompt", user, label(answer), got, said, refused)
		}
	}
	if got, want := readFile(t, ran), name+"\n"+name+"\n"; got != want {
		t.Errorf("the script ran for %q, want %q", got, want)
	}
	first := servedApart(t, "", lines...)
	other, _ := first.dial(&person{})
	_, err = other.Login(t.Context(), first.login("fresh3"), ipc.Account)
	var violation *ipc.ViolationError
	if _, missing := os.Stat("/home/fresh3"); !errors.As(err, &violation) || missing == nil {
		t.Errorf("account first, without leave: got %v and a home: %v; want a violation and none", err, missing == nil)
	}
}

func TestAccountBeforeTheProofKeepsWhatItSays(t *testing.T) {
	t.Parallel()
	s := servedBy(t, "account_first: true", "auth required pam_unix.so", "account required pam_unix.so", "password required pam_unix.so")
	const whole = "begin=PAM_SUCCESS account=PAM_SUCCESS authenticate="
	for _, c := range []struct{ user, answer, want, message string }{
		{expiredUser, password, whole + "PAM_ACCT_EXPIRED", "expired"},
		{expiredUser, "wrong", whole + "PAM_AUTH_ERR", ""},
		{"nosuchuser", "wrong", whole + "PAM_AUTH_ERR", ""},
		{"aged8", "wrong", whole + "PAM_AUTH_ERR", ""},
	} {
		got, p, _ := s.tries(c.user, c.answer, ipc.Account, ipc.Authenticate)
		told := len(p.said) > 1 && strings.Contains(strings.Join(p.said[1:], "|"), c.message)
		if got != c.want || c.message == "" && len(p.said) != 1 || c.message != "" && !told {
			t.Errorf("%s with %s: got %q, %q; want %q and a message: %q", c.user, label(c.answer), got, p.said, c.want, c.message)
		}
	}
	const fresh = "An0ther-and-longer"
	client, _ := s.dial(&person{answers: []string{password, password, fresh, fresh}})
	results, err := client.Login(t.Context(), s.login("aged8"), ipc.Account, ipc.Authenticate, ipc.Credentials)
	if got, want := show(results), whole+"PAM_NEW_AUTHTOK_REQD credentials=skipped"; got != want || !errors.Is(err, ipc.NewAuthtokReqd) {
		t.Fatalf("an expired password: got %q, %v; want %q", got, err, want)
	}
	if _, err := client.ChangePassword(t.Context()); err != nil {
		t.Fatal(err)
	}
	if results, err := client.Do(t.Context(), ipc.Credentials, ipc.OpenSession, ipc.End); err != nil {
		t.Errorf("behind the change: got %q, %v; want a session", show(results), err)
	}
}
