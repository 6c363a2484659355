package realpam_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// keysOnly is the configuration of a node that takes keys without PAM behind them.
const keysOnly = `
  trusted_user_ca_keys: [DIR/ca.pub]
  authorized_keys: DIR/%u.keys
  pam: {enabled: yes, service_name: keys}
`

func TestNodeLetsInByKeysAloneWhereThePolicySaysSo(t *testing.T) {
	t.Parallel()
	n := keyed(t, pamhelper, keysOnly)
	writeFile(t, n.path("node1.keys"), readFile(t, n.path("key.pub")))
	c := n.byKey("node1")
	c.answers, c.line = nil, "id -un"
	n.run(c).expect(t, 0, "node1\n", "")
	c = n.byCertificate("node1", n.certify("good", "node1"))
	c.answers, c.line = nil, "id -un"
	n.run(c).expect(t, 0, "node1\n", "")
	for _, user := range []string{"root", zeroUser, expiredUser, "nobody-of-this-name"} {
		writeFile(t, n.path(user+".keys"), readFile(t, n.path("key.pub")))
		c := n.byKey(user)
		c.answers = nil
		r := n.run(c)
		r.expect(t, 255, "", "Permission denied")
		if strings.Contains(r.stderr, "Try again later") {
			t.Errorf("%s: got %q, want no promise that trying again helps", user, r.stderr)
		}
	}
}

// TestNodeHasAnExpiredPasswordChangedBehindAKey asks for it by keyboard-interactive.
func TestNodeHasAnExpiredPasswordChangedBehindAKey(t *testing.T) {
	t.Parallel()
	n := keyed(t, pamhelper, keysOnly)
	c := n.byCertificate("aged23", n.certify("aged", "aged23"))
	c.answers = []answer{{"Current password", password}, {"ew password", "An0ther-Passw0rd-9"}}
	c.line = "id -un"
	n.run(c).expect(t, 0, "aged23\n", "")
	c.answers = nil
	n.run(c).expect(t, 0, "aged23\n", "")
}

// guideScript is /etc/pam-exec.d/teleport_acct of the guide, as it is written there.
const guideScript = `#!/bin/sh
COMMENT="User ${TELEPORT_LOGIN} for ${TELEPORT_USERNAME} with roles ${TELEPORT_ROLES} created by Teleport."
/bin/id -u "${TELEPORT_LOGIN}" > /dev/null 2>&1 || /sbin/useradd -m -s /bin/bash -c "${COMMENT}" "${TELEPORT_LOGIN}" 2>> /tmp/pam.error
exit 0
`

// TestNodeMakesUsersAsTheGuideDoes with its service file and its script; the first
// login of the new user works like every one behind it.
func TestNodeMakesUsersAsTheGuideDoes(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.keygen("ca")
	n.keygen("key")
	n.configure(`
  trusted_user_ca_keys: [DIR/ca.pub]
  pam:
    enabled: yes
    service_name: teleport
    environment:
      MAIL_OF_USER: "{{ external.email }}"
`)
	// useradd puts new files in the places of /etc/passwd and others, which would
	// take away the mounts that other tests have on them.
	etc := t.TempDir()
	n.mounts = "cp -a /etc/. '" + etc + "'\nmount --bind '" + etc + "' /etc\n"
	n.start(pamhelper)
	certificate := n.certify("new", "made1", "-O", `extension:teleport-roles={"version":"v1","roles":["developer","access"]}`,
		"-O", `extension:teleport-traits={"email":["alice@example.com"]}`)
	c := n.byCertificate("made1", certificate)
	c.answers, c.line = nil, "id -un; pwd; umask; echo $SHELL"
	want := "made1\n/home/made1\n0022\n/bin/bash\n"
	n.run(c).expect(t, 0, want, "")
	n.run(c).expect(t, 0, want, "")
	comment := "User made1 for alice@example.com with roles developer access created by Teleport."
	if got := readFile(t, etc+"/passwd"); !strings.Contains(got, ":"+comment+":") {
		t.Errorf("/etc/passwd has no comment %q:\n%s", comment, got)
	}
	c.args, c.line = []string{"-tt"}, "stat -c %U $(tty); exit 6"
	n.run(c).expect(t, 6, "made1\r\n", "")
}

// TestNodeAsksUsersWhomTheGuidesScriptMakes for a password: account comes before auth
// then, as it does in Teleport, and what it says is told behind the proof only.
func TestNodeAsksUsersWhomTheGuidesScriptMakes(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.keygen("ca")
	n.keygen("key")
	n.configure(`
  trusted_user_ca_keys: [DIR/ca.pub]
  pam: {enabled: yes, service_name: teleport-asking, use_pam_auth: yes, account_first: yes}
`)
	etc := t.TempDir()
	n.mounts = "cp -a /etc/. '" + etc + "'\nmount --bind '" + etc + "' /etc\n"
	n.start(pamhelper)
	c := n.byCertificate("made2", n.certify("made2", "made2"))
	c.line = "id -un"
	const denied = "Permission denied (keyboard-interactive)"
	n.run(c).expect(t, 255, "", denied) // the user is there now, without a password
	there := func(input, line string) {
		t.Helper()
		if err := commandWith(input, "unshare", "--mount", "sh", "-ec", "mount --bind '"+etc+"' /etc; "+line); err != nil {
			t.Fatal(err)
		}
	}
	there("made2:"+password+"\n", "chpasswd --crypt-method SHA512 --sha-rounds 1000")
	n.run(c).expect(t, 0, "made2\n", "")
	there("", "chage -d 0 made2")
	c.answers = []answer{{"assword", "wrong"}}
	n.run(c).expect(t, 255, "", denied)
	c.answers = []answer{{"Current password", password}, {"ew password", "An0ther-Passw0rd-9"}, {"assword", password}}
	n.run(c).expect(t, 0, "made2\n", "")
	there("", "chage -E 0 made2")
	c.answers = []answer{{"assword", "An0ther-Passw0rd-9"}}
	n.run(c).expect(t, 255, "", denied)
	n.logs("step=authenticate code=PAM_ACCT_EXPIRED")
}

// TestNodeSaysWhereItsConfigurationIsNotThePolicys in the log: in the order of the
// steps, and in who proves who somebody is.
func TestNodeSaysWhereItsConfigurationIsNotThePolicys(t *testing.T) {
	t.Parallel()
	for pam, service := range map[string]string{
		"use_pam_auth: yes, account_first: yes": "sshd", // which the policy has as the second
		"use_pam_auth: no":                      "sshd", // which it has with proof PAM
		"use_pam_auth: yes, service_name: keys": "keys", // and this one with AGENT
	} {
		n := keyed(t, helperWith(t, unixStack, nil), "  trusted_user_ca_keys: [DIR/ca.pub]\n  pam: {enabled: yes, "+pam+"}\n")
		n.run(n.byCertificate("node3", n.certify("order", "node3"))).expect(t, 255, "", "Permission denied")
		n.logs("proof and account_first of the service " + service + " have to be in the helper's policy what agent check prints")
	}
}

// makeGuide puts the guide's script where its service looks for it.
func makeGuide() error {
	if err := os.MkdirAll("/etc/pam-exec.d", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/pam-exec.d/teleport_acct", []byte(guideScript), 0o755); err != nil {
		return fmt.Errorf("the guide's script: %w", err)
	}
	return nil
}
