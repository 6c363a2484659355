package realpam_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheLogHasALineForEachEventOfALogin with the code of each step of PAM, and each
// with the login's id.
func TestTheLogHasALineForEachEventOfALogin(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords+"auth_service: {message_of_the_day: All is logged}\n")
	c := byPassword("admin4", "keyboard-interactive", password)
	c.answers = append(c.answers, answer{acknowledged, "yes"})
	c.line = "exit 3"
	n.run(c).expect(t, 3, "", "")
	n.logs("step=end ")
	expectEvents(t, n, []string{
		"connection", "begin=PAM_SUCCESS", "authenticate=PAM_SUCCESS", "message of the day acknowledged", "account=PAM_SUCCESS",
		"login accepted", "credentials=PAM_SUCCESS", "open_session=PAM_SUCCESS", "login", "process started", "process ended",
		"logout", "close_session=PAM_SUCCESS", "end=PAM_SUCCESS",
	})
}

// TestTheLogHasWhatASessionWasClosedWith where it could not be.
func TestTheLogHasWhatASessionWasClosedWith(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack+"\nsession required pam_exec.so quiet "+script(t, `[ "$PAM_TYPE" = open_session ]`+"\n"), nil), passwords)
	c := byPassword("admin4", "password", password)
	c.line = "exit 3"
	n.run(c).expect(t, 3, "", "")
	n.logs("step=close_session code=PAM_SYSTEM_ERR")
	n.logs("the login was not undone in order")
	n.logs("step=end ")
}

var eventLine = regexp.MustCompile(`level=INFO msg=("[^"]*"|\S+) login=([0-9a-f]{16}) addr=127\.0\.0\.1 port=[0-9]+(?: step=(\S+) code=(\S+))?`)

// expectEvents looks at the events of the one login that there was.
func expectEvents(t *testing.T, n *node, want []string) {
	t.Helper()
	var got, ids []string
	for _, found := range eventLine.FindAllStringSubmatch(n.log.String(), -1) {
		event := strings.Trim(found[1], `"`)
		if found[3] != "" {
			event = found[3] + "=" + found[4]
		}
		got, ids = append(got, event), append(ids, found[2])
	}
	if !slices.Equal(got, want) {
		t.Errorf("events:\ngot  %q\nwant %q", got, want)
	}
	if ids = slices.Compact(ids); len(ids) != 1 {
		t.Errorf("login ids: got %q, want one", ids)
	}
}
