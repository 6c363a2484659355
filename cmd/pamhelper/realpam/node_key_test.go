package realpam_test

import (
	"regexp"
	"strings"
	"testing"
)

// twoFactors is the configuration of a node where PAM asks behind a key.
const twoFactors = `
  trusted_user_ca_keys: [DIR/ca.pub]
  authorized_keys: DIR/%u.keys
  pam: {enabled: yes, use_pam_auth: yes}
`

// keyed is a node with an authority and a user's key.
func keyed(t *testing.T, helper, lines string) *node {
	t.Helper()
	n := newNode(t)
	n.keygen("ca")
	n.keygen("key")
	n.configure(lines)
	n.start(helper)
	return n
}

// certify makes a certificate for the user's key. Arguments are those of ssh-keygen.
func (n *node) certify(name, principal string, args ...string) (file string) {
	n.t.Helper()
	writeFile(n.t, n.path(name+".pub"), readFile(n.t, n.path("key.pub")))
	all := append([]string{"-q", "-s", n.path("ca"), "-I", "alice@example.com", "-n", principal}, args...)
	if err := command("ssh-keygen", append(all, n.path(name+".pub"))...); err != nil {
		n.t.Fatal(err)
	}
	return n.path(name + "-cert.pub")
}

// byCertificate is a client with the key and a certificate.
func (n *node) byCertificate(user, certificate string) client {
	return client{user: user, answers: []answer{{"assword", password}},
		options: []string{"IdentityFile=" + n.path("key"), "CertificateFile=" + certificate, "PreferredAuthentications=publickey,keyboard-interactive"}}
}

func (n *node) byKey(user string) client {
	return client{user: user, answers: []answer{{"assword", password}},
		options: []string{"IdentityFile=" + n.path("key"), "PreferredAuthentications=publickey,keyboard-interactive"}}
}

func TestNodeAsksPAMBehindACertificateOrKey(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), twoFactors)
	writeFile(t, n.path("node2.keys"), "# comment\n"+readFile(t, n.path("key.pub")))
	for name, c := range map[string]client{
		"certificate": n.byCertificate("node2", n.certify("good", "node2")),
		"key":         n.byKey("node2"),
	} {
		c.line = "id -un"
		n.run(c).expect(t, 0, "node2\n", "")
		c.answers[0].text = "wrong"
		n.run(c).expect(t, 255, "", "Permission denied (keyboard-interactive)")
		n.logs(`"disconnected before a login"`)
		n.logs(`why="attempts that failed: 1"`)
		c.answers, c.options = []answer{{"assword", password}}, []string{"PreferredAuthentications=keyboard-interactive,password"}
		n.run(c).expect(t, 255, "", "Permission denied (publickey)")
		if t.Failed() {
			t.Log("with the ", name)
		}
	}
	n.logs(`identity=alice@example.com`)
}

func TestNodeRefusesCertificatesThatAreNotForThisLogin(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), twoFactors)
	n.keygen("other")
	for _, c := range []struct {
		name, principal string
		args            []string
		why             string
	}{
		{"principal", "somebody", nil, "not in the set of valid principals"},
		{"expired", "node3", []string{"-V", "20200101:20200102"}, "has expired"},
		{"future", "node3", []string{"-V", "+1d:+2d"}, "not yet valid"},
		{"authority", "node3", []string{"-s", n.path("other")}, "unrecognized authority"},
		{"option", "node3", []string{"-O", "critical:unheard-of@example.com=1"}, "unsupported critical option"},
		{"address", "node3", []string{"-O", "source-address=192.0.2.0/24"}, "source-address restriction"},
	} {
		certificate := n.certify(c.name, c.principal, c.args...)
		n.run(n.byCertificate("node3", certificate)).expect(t, 255, "", "Permission denied (publickey)")
		n.logs(c.why)
		line := regexp.MustCompile(`level=WARN msg="not taken" .*` + c.why + `.* key=SHA256:\S+ identity=\S+ serial=0 authority=SHA256:`)
		eventually(t, func() bool { return line.MatchString(n.log.String()) }, "a line like %s", line)
	}
}

func TestNodeKeepsToWhatACertificatePermits(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), twoFactors)
	c := n.byCertificate("node4", n.certify("forced", "node4", "-O", "force-command=echo forced: $SSH_ORIGINAL_COMMAND", "-O", "source-address=127.0.0.1,192.0.2.0/24"))
	c.line = "echo asked"
	n.run(c).expect(t, 0, "forced: echo asked\n", "")
	c.line = ""
	n.run(c).expect(t, 0, "forced:\n", "")
	c = n.byCertificate("node4", n.certify("bare", "node4", "-O", "clear"))
	c.args, c.line = []string{"-tt"}, "tty"
	n.run(c).expect(t, 255, "", "PTY allocation request failed")
}

// TestNodeGivesModulesWhoLogsIn as Teleport does, also where the key came first.
func TestNodeGivesModulesWhoLogsIn(t *testing.T) {
	t.Parallel()
	seen := t.TempDir() + "/seen"
	n := keyed(t, helperWith(t, unixStack+"\nsession required pam_exec.so "+script(t, "[ $PAM_TYPE != open_session ] || env >"+seen+"\n"), nil), `
  trusted_user_ca_keys: [DIR/ca.pub]
  pam:
    enabled: yes
    use_pam_auth: yes
    environment:
      SITE_NAME: lab
      SITE_MAILBOX: "<{{ email.local(external.email) }}>"
      SITE_TEAMS: '{{ regexp.replace(external.groups, "^d(.*)$", "D$1") }}'
      SITE_NOTHING: "{{ external.nothing }}"
`)
	certificate := n.certify("teleport", "node5", "-O", `extension:teleport-roles={"version":"v1","roles":["developer","access"]}`,
		"-O", `extension:teleport-traits={"email":["alice@example.com"],"groups":["dev","ops"]}`)
	c := n.byCertificate("node5", certificate)
	c.line = "true"
	n.run(c).expect(t, 0, "", "")
	got := readFile(t, seen)
	for _, want := range []string{"TELEPORT_USERNAME=alice@example.com\n", "TELEPORT_ROLES=developer access\n", "TELEPORT_LOGIN=node5\n", "PAM_RHOST=127.0.0.1\n",
		"SITE_NAME=lab\n", "SITE_MAILBOX=<alice>\n", "SITE_TEAMS=Dev\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the script's environment:\n%s\nwant %s", got, want)
		}
	}
	if strings.Contains(got, "SITE_NOTHING") {
		t.Errorf("the script's environment:\n%s\nwant no variable of a claim that is not there", got)
	}
	n.logs("SITE_NOTHING is left out")
}
