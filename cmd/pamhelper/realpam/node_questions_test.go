package realpam_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const acknowledged = `Type "yes" to acknowledge`

// greeted is a configuration with a message to acknowledge.
const greeted = `
  trusted_user_ca_keys: [DIR/ca.pub]
  password_service_name: sshd
  pam: {enabled: yes, service_name: keys}
auth_service:
  message_of_the_day: |
    All activity will be logged.
  message_of_the_day_exempt_roles: [robot]
`

func TestNodeWantsTheMessageOfTheDayAcknowledged(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), greeted)
	for _, c := range []struct {
		method  string
		answers []answer
		status  int
		said    string
	}{
		{"keyboard-interactive", []answer{{"assword", password}, {acknowledged, "yes"}}, 0, ""},
		{"keyboard-interactive", []answer{{"assword", password}, {acknowledged, "no"}}, 255, "Permission denied"},
		{"keyboard-interactive", []answer{{"assword", password}, {acknowledged, ""}}, 255, "Permission denied"},
		{"password,keyboard-interactive", []answer{{"assword", password}, {acknowledged, "YES"}}, 0, "There is a message to acknowledge"},
		{"password", []answer{{"assword", password}}, 255, "There is a message to acknowledge before you can log in: that needs the authentication method"},
	} {
		r := n.run(client{user: "node10", options: []string{"PreferredAuthentications=" + c.method}, answers: c.answers, line: "true"})
		r.expect(t, c.status, "", c.said)
		if t.Failed() {
			t.Fatalf("by %s with %q", c.method, c.answers)
		}
	}
	for role, answers := range map[string][]answer{"robot": nil, "person": {{acknowledged, "yes"}}} {
		c := n.byCertificate("node10", n.certify(role, "node10", "-O", `extension:teleport-roles={"version":"v1","roles":["`+role+`"]}`))
		c.answers, c.line = answers, "true"
		n.run(c).expect(t, 0, "", "")
		if answers != nil {
			c.answers = nil
			n.run(c).expect(t, 255, "", "There is a message to acknowledge")
		}
	}
	who := regexp.MustCompile(`msg="message of the day (acknowledged|left out)" .* user=node10( role=robot)?\n`)
	eventually(t, func() bool { return len(who.FindAllString(n.log.String(), -1)) == 4 },
		"three acknowledgements in the log, and one that was left out:\n%s", &n.log)
}

// TestNodeAsksAllThatModulesAsk one by one, with the texts that come between.
func TestNodeAsksAllThatModulesAsk(t *testing.T) {
	t.Parallel()
	motd := t.TempDir() + "/motd"
	writeFile(t, motd, "welcome \x1b[31mred\xff\n")
	n := nodeWith(t, helperWith(t, "auth required pam_echo.so file="+motd+"\n"+unixStack, nil), passwords)
	p := newTerminal(t)
	cmd := n.ssh(client{user: "node11", options: []string{"PreferredAuthentications=keyboard-interactive"}, line: "echo in"})
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	p.run(cmd)
	p.shows("assword: ")
	if got := p.String(); !strings.Contains(got, `welcome \x1b[31mred\xff`) && !strings.Contains(got, `welcome \\x1b[31mred\\xff`) {
		t.Errorf("the terminal shows %q, want the text of pam_echo without its control characters", got)
	}
	p.typed(password + "\n")
	p.shows("in\r\n")
	p.wait()
}

// TestNodeAsksForASecondFactor is a real one-time code.
func TestNodeAsksForASecondFactor(t *testing.T) {
	t.Parallel()
	const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEH"
	home := "/home/node12"
	stack := "auth required pam_unix.so nodelay\nauth required pam_google_authenticator.so nullok no_increment_hotp\naccount required pam_unix.so"
	n := nodeWith(t, helperWith(t, stack, nil), passwords)
	writeFile(t, home+"/.google_authenticator", secret+"\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n")
	if err := command("sh", "-c", "chown node12: "+home+"/.google_authenticator; chmod 400 "+home+"/.google_authenticator"); err != nil {
		t.Fatal(err)
	}
	code, err := exec.Command("oathtool", "--totp", "--base32", secret).Output()
	if err != nil {
		t.Fatal(err)
	}
	c := client{user: "node12", options: []string{"PreferredAuthentications=keyboard-interactive"}, line: "id -un",
		answers: []answer{{"assword", password}, {"erification code", "123456"}}}
	n.run(c).expect(t, 255, "", "Permission denied")
	c.answers[1].text = strings.TrimSpace(string(code))
	n.run(c).expect(t, 0, "node12\n", "")
	n.run(c).expect(t, 255, "", "Permission denied") // a code is good once
}

func TestNodeHasAnExpiredPasswordChanged(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords)
	const fresh = "An0ther-Passw0rd-9"
	n.run(byPassword("aged22", "password", password)).expect(t, 255, "", "Your password has expired. It has to be changed before you can log in")
	for user, method := range map[string]string{"aged21": "keyboard-interactive", "aged22": "password,keyboard-interactive"} {
		c := client{user: user, options: []string{"PreferredAuthentications=" + method}, line: "id -un",
			answers: []answer{{"Current password", password}, {"ew password", fresh}, {"assword", password}}}
		n.run(c).expect(t, 0, user+"\n", "")
		c.answers = []answer{{"assword", fresh}}
		n.run(c).expect(t, 0, user+"\n", "")
		c.answers = []answer{{"assword", password}}
		n.run(c).expect(t, 255, "", "Permission denied")
	}
	c := byPassword("aged22", "password", fresh)
	n.run(c).expect(t, 0, "", "")
}

// TestNodeShowsTheSessionsMessagesInAShellOnly and never in the output of a command.
func TestNodeShowsTheSessionsMessagesInAShellOnly(t *testing.T) {
	t.Parallel()
	motd := public(t) + "/motd" // read as the user
	writeFile(t, motd, "message of the session\n")
	n := nodeWith(t, helperWith(t, unixStack+"\nsession required pam_motd.so motd="+motd+" noupdate\nsession required pam_permit.so", nil), passwords)
	c := byPassword("node11", "password", password)
	c.line = "echo command"
	n.run(c).expect(t, 0, "command\n", "")
	c.line, c.args = "", []string{"-T"}
	c.stdin = "echo shell\n"
	n.run(c).expect(t, 0, "shell\n", "")
	p := newTerminal(t)
	c.args = []string{"-tt"}
	p.run(n.ssh(c))
	p.shows("message of the session\r\n")
	p.typed("exit 7\n")
	p.wait()
	if got := p.cmd.ProcessState.ExitCode(); got != 7 {
		t.Errorf("exit status: got %d, want 7", got)
	}
}
