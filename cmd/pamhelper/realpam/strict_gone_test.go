package realpam_test

import (
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// TestAgentThatGoesLeavesNothingOpen closes the connection at each point of a
// login, which waits for the worker, and reads from the modules what was undone.
func TestAgentThatGoesLeavesNothingOpen(t *testing.T) {
	for _, c := range []struct {
		name, user string
		steps      []ipc.Step
		want       string
	}{
		{"before a step", "frank", nil, ""},
		{"after the proof", "grace", []ipc.Step{ipc.Authenticate}, "authenticate(0x1)"},
		{"after account", "heidi", []ipc.Step{ipc.Authenticate, ipc.Account}, "authenticate(0x1) acct_mgmt(0x1)"},
		{"after credentials", "ivan", []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials},
			"authenticate(0x1) acct_mgmt(0x1) setcred(0x2) setcred(0x4)"},
		{"with an open session", "judy", []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession}, wholeLogin},
		{"with a closed session", "mallory", []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.CloseSession}, wholeLogin},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, &person{answers: []string{password}})
			if results, err := client.Login(t.Context(), loginOf(c.user), c.steps...); err != nil {
				t.Fatalf("got %q, %v", show(results), err)
			}
			client.Close()
			waitCalls(t, c.user, c.want)
		})
	}
}

func TestAgentThatGoesBeforeBegin(t *testing.T) {
	t.Parallel()
	if err := dial(t, &person{}).Close(); err != nil {
		t.Errorf("got %v, want the worker to leave", err)
	}
}

func TestAgentThatGoesInAPrompt(t *testing.T) {
	t.Parallel()
	p := &person{}
	client := dial(t, p)
	p.asked = func() { client.Close() }
	results, err := client.Login(t.Context(), loginOf("niaj"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	if err == nil {
		t.Errorf("got %q, want an error", show(results))
	}
	waitLogged(t, "pam_warn(sshd:", "pam_sm_authenticate", "user=[niaj]")
	waitCalls(t, "niaj", "authenticate(0x1)")
}

func TestAgentThatGoesInAPromptOfTheChange(t *testing.T) {
	t.Parallel()
	p := &person{answers: []string{password}}
	client := dial(t, p)
	client.Login(t.Context(), loginOf("aged6"), ipc.Authenticate, ipc.Account)
	p.asked = func() { client.Close() }
	if _, err := client.ChangePassword(t.Context()); err == nil {
		t.Error("got a changed password, want an error")
	}
	try(t, []string{password}, service(t, unixStack), "aged6").
		expect(t, "authenticate=PAM_SUCCESS account=PAM_NEW_AUTHTOK_REQD", 1)
}
