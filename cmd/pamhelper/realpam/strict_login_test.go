package realpam_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

const wholeLogin = "authenticate(0x1) acct_mgmt(0x1) setcred(0x2) open_session(0) close_session(0) setcred(0x4)"

func TestLoginTakesEveryStepWithItsFlags(t *testing.T) {
	t.Parallel()
	p := &person{answers: []string{password}}
	client := dial(t, p)
	results, err := client.Login(t.Context(), loginOf("carol"), ipc.Authenticate, ipc.Account, ipc.Credentials,
		ipc.OpenSession, ipc.CloseSession, ipc.End)
	want := "begin=PAM_SUCCESS authenticate=PAM_SUCCESS account=PAM_SUCCESS credentials=PAM_SUCCESS " +
		"open_session=PAM_SUCCESS close_session=PAM_SUCCESS end=PAM_SUCCESS"
	if got := show(results); got != want || err != nil {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
	if got := strings.Join(p.said, "|"); got != "prompt echo=false: Password: " {
		t.Errorf("conversation: got %q, want one prompt for the password", got)
	}
	waitCalls(t, "carol", wholeLogin)
	for _, line := range logged("pam_warn(sshd:", "user=[carol]") {
		if !strings.Contains(line, "terminal=[ssh]") || !strings.Contains(line, "rhost=["+remote+"]") {
			t.Errorf("items: got %q, want terminal=[ssh] and rhost=[%s]", line, remote)
		}
	}
}

func TestEndUndoesAnOpenSession(t *testing.T) {
	t.Parallel()
	client := dial(t, &person{answers: []string{password}})
	_, err := client.Login(t.Context(), loginOf("dave"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.End)
	if err != nil {
		t.Fatal(err)
	}
	waitCalls(t, "dave", wholeLogin)
}

func TestSessionModulesSeeGroupsAndVariables(t *testing.T) {
	t.Parallel()
	client := dial(t, &person{answers: []string{password}})
	login := loginOf("erin")
	login.Variables = []ipc.Variable{{Name: "TELEPORT_USERNAME", Value: "erin@example.org"}, {Name: "TELEPORT_ROLES", Value: "access editor"}}
	if _, err := client.Login(t.Context(), login, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.End); err != nil {
		t.Fatal(err)
	}
	got := readFile(t, records+"/erin")
	for _, want := range []string{
		"open_session env TELEPORT_USERNAME=erin@example.org\n", "open_session env TELEPORT_ROLES=access editor\n",
		"open_session env TELEPORT_LOGIN=erin\n", "close_session env TELEPORT_LOGIN=erin\n",
		"open_session env PAM_RHOST=" + remote + "\n", "open_session env PAM_TTY=ssh\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("what pam_exec saw: got\n%s\nwant a line %s", got, want)
		}
	}
	_, after, _ := strings.Cut(got, "open_session groups=")
	line, _, _ := strings.Cut(after, "\n")
	// The worker's own group, the user's, and what pam_group added.
	groups := strings.Fields(line)
	want := append(strings.Fields(run(t, "", "id", "-G", "erin").stdout), "0", "7002")
	slices.Sort(groups)
	slices.Sort(want)
	if !slices.Equal(groups, want) || !slices.Contains(want, "7001") {
		t.Errorf("groups at open_session: got %q, want %q", groups, want)
	}
	for _, unwanted := range []string{" env HOME=", " env LD_", " env GO", " env USER="} {
		if strings.Contains(got, unwanted) {
			t.Errorf("what pam_exec saw: got\n%s\nwant nothing of the worker's starter (%s)", got, unwanted)
		}
	}
}

func TestExpiredPasswordIsChangedAtTheLogin(t *testing.T) {
	t.Parallel()
	const fresh = "An0ther-and-longer"
	client := dial(t, &person{answers: []string{password, password, fresh, fresh}})
	results, err := client.Login(t.Context(), loginOf("aged4"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	want := "begin=PAM_SUCCESS authenticate=PAM_SUCCESS account=PAM_NEW_AUTHTOK_REQD credentials=skipped open_session=skipped"
	if got := show(results); got != want || !errors.Is(err, ipc.NewAuthtokReqd) {
		t.Fatalf("got %q, %v; want %q, PAM_NEW_AUTHTOK_REQD", got, err, want)
	}
	if _, err := client.ChangePassword(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(t.Context(), ipc.Credentials, ipc.OpenSession, ipc.End); err != nil {
		t.Fatal(err)
	}
	waitCalls(t, "aged4", "authenticate(0x1) acct_mgmt(0x1) chauthtok(0x4020) chauthtok(0x2020) setcred(0x2) open_session(0) close_session(0) setcred(0x4)")

	again := dial(t, &person{answers: []string{fresh}})
	if _, err := again.Login(t.Context(), loginOf("aged4"), ipc.Authenticate, ipc.Account, ipc.End); err != nil {
		t.Errorf("the new password: got %v, want a login", err)
	}
}

func TestExpiredPasswordThatIsNotChangedEndsTheLogin(t *testing.T) {
	t.Parallel()
	client := dial(t, &person{answers: []string{password, "not the old one"}})
	if _, err := client.Login(t.Context(), loginOf("aged5"), ipc.Authenticate, ipc.Account); !errors.Is(err, ipc.NewAuthtokReqd) {
		t.Fatalf("got %v, want PAM_NEW_AUTHTOK_REQD", err)
	}
	if _, err := client.ChangePassword(t.Context()); err == nil {
		t.Fatal("the change: got success, want a refusal")
	}
	results, _ := client.Do(t.Context(), ipc.Credentials, ipc.OpenSession, ipc.End)
	if got := show(results); !strings.HasPrefix(got, "credentials=skipped open_session=skipped end=") {
		t.Errorf("after a failed change: got %q, want the steps skipped", got)
	}
}

func TestAccountThatIsOverIsRefusedAfterTheProof(t *testing.T) {
	t.Parallel()
	client := dial(t, &person{answers: []string{password}})
	results, err := client.Login(t.Context(), loginOf(expiredUser), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.End)
	// Debian's common-account lets pam_deny have the last word.
	want := "account=PAM_AUTH_ERR credentials=skipped open_session=skipped end=PAM_SUCCESS"
	if !errors.Is(err, ipc.AuthErr) || !strings.HasSuffix(show(results), want) {
		t.Errorf("got %q, %v; want %q at the end", show(results), err, want)
	}
}
