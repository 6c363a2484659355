package realpam_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// openSessionOf opens a session of a user through a helper.
func openSessionOf(t *testing.T, user, helper string) *ipc.Client {
	t.Helper()
	client, _ := openSessionWith(t, loginOf(user), helper)
	return client
}

// openStack opens a session of a user through a stack.
func openStack(t *testing.T, user, stack string) *ipc.Client {
	t.Helper()
	return openSessionOf(t, user, helperWith(t, stack, nil))
}

// endLogin closes the session and ends the login, which leaves no record.
func endLogin(t *testing.T, client *ipc.Client, user string) {
	t.Helper()
	results, err := client.Do(t.Context(), ipc.CloseSession, ipc.End)
	if want := "close_session=PAM_SUCCESS end=PAM_SUCCESS"; show(results) != want || err != nil {
		t.Errorf("end the login of %s: got %q, %v; want %q", user, show(results), err, want)
	}
	if id := recordOf(t, user); id != "" {
		t.Errorf("record of %s after the login: got %s, want none", user, id)
	}
}

// recordOf is the name of the record of a user's login; empty: there is none.
func recordOf(t *testing.T, user string) string {
	t.Helper()
	for line := range strings.Lines(run(t, "", pamhelper, "sessions", "--json").stdout) {
		var login struct{ ID, User string }
		if err := json.Unmarshal([]byte(line), &login); err != nil {
			t.Fatalf("a line of sessions --json: %v: %q", err, line)
		}
		if login.User == user {
			return login.ID
		}
	}
	return ""
}

// readTerminal reads what a process writes to its terminal until that hangs up.
func readTerminal(p *ipc.Process) string {
	text, _ := io.ReadAll(p.Master) // the end is an error
	return string(text)
}

// expectOutput fails unless a command of the session writes just that.
func expectOutput(t *testing.T, client *ipc.Client, line, want string) {
	t.Helper()
	if got := runIn(t, client, line, ""); got.stdout != want || got.stderr != "" || got.exit.Status != 0 {
		t.Errorf("%s: got %+v, want %q and status 0", line, got, want)
	}
}

// idOf is a user's number.
func idOf(t *testing.T, user string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "", "id", "-u", user).stdout)
}

// asUser runs a program with a user's ids, in no login.
func asUser(t *testing.T, user, name string, args ...string) ran {
	t.Helper()
	return run(t, "", "setpriv", append([]string{"--reuid", user, "--regid", user, "--init-groups", name}, args...)...)
}
