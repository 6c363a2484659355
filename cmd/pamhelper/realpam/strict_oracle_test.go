package realpam_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// TestRefusalsLookTheSame: whoever may not log in gets what a wrong password
// gets, whatever is typed.
func TestRefusalsLookTheSame(t *testing.T) {
	const want = "begin=PAM_SUCCESS authenticate=PAM_AUTH_ERR account=skipped end=PAM_SUCCESS|Authentication failure|prompt echo=false: Password: "
	for _, c := range []struct{ name, user, answer string }{
		{"wrong password", "alice", "wrong"},
		{"root with the right password", "root", rootPassword},
		{"root with a wrong password", "root", "wrong"},
		{"uid 0 under another name", zeroUser, password},
		{"unknown user", "nosuchuser", password},
		{"empty password", emptyUser, ""},
		{"empty password, something typed", emptyUser, "x"},
		{"locked password", lockedUser, password},
		{"user without a password", "nobody", password},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &person{answers: []string{c.answer}}
			client := dial(t, p)
			results, err := client.Login(t.Context(), loginOf(c.user), ipc.Authenticate, ipc.Account, ipc.End)
			var text string
			if len(results) > 1 {
				text = results[1].Text
			}
			got := show(results) + "|" + text + "|" + strings.Join(p.said, "|")
			if got != want || !errors.Is(err, ipc.AuthErr) {
				t.Errorf("\ngot  %s (%v)\nwant %s", got, err, want)
			}
		})
	}
}
