package realpam_test

import (
	"strings"
	"testing"
)

// byPassword is a client that answers every way of asking for a password.
func byPassword(user, method, secret string) client {
	return client{user: user, options: []string{"PreferredAuthentications=" + method}, answers: []answer{{"assword", secret}}}
}

func TestNodeLetsInByPasswordAndQuestions(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords)
	for _, method := range []string{"password", "keyboard-interactive"} {
		c := byPassword("node1", method, password)
		c.line = "id -un; cat; echo error >&2; exit 3"
		c.stdin = "input\n"
		n.run(c).expect(t, 3, "node1\ninput\n", "error\n")
		n.logs("method=" + method + " user=node1")
	}
}

// TestTheHelpersLinesHaveTheNodesLoginID so that one login can be followed in both.
func TestTheHelpersLinesHaveTheNodesLoginID(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords)
	n.run(byPassword("node1", "password", "wrong")).expect(t, 255, "", "Permission denied")
	n.logs(`msg="login failed"`)
	_, behind, found := strings.Cut(n.log.String(), `msg="login failed" login=`)
	id, _, _ := strings.Cut(behind, " ")
	if !found || len(id) != 16 {
		t.Fatalf("no login id in the line of a failed login:\n%s", n.log.String())
	}
	n.logs("]: login=" + id + ": ")
}

// TestNodeTellsNobodyWhoExists: all get one text.
func TestNodeTellsNobodyWhoExists(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords)
	for _, method := range []string{"password", "keyboard-interactive"} {
		var first string
		for _, who := range []struct{ user, secret string }{
			{"node1", "wrong"}, {"nobody-of-this-name", "wrong"}, {"root", rootPassword}, {zeroUser, password},
		} {
			r := n.run(byPassword(who.user, method, who.secret))
			said := strings.ReplaceAll(r.stderr, who.user, "USER")
			if first == "" {
				first = said
			}
			if r.status != 255 || r.stdout != "" || said != first || !strings.Contains(said, "Permission denied") {
				t.Errorf("%s by %s: got %+v, want status 255 and %q", who.user, method, r, first)
			}
		}
	}
}
