package realpam_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestTheGuidesConfigurationLogsInThroughDebiansService: the sections of the guide, with a
// way in added; Debian's own service file for sshd; and the policy that agent check
// prints for them.
func TestTheGuidesConfigurationLogsInThroughDebiansService(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.keygen("ca")
	n.keygen("key")
	_, guide, found := strings.Cut(readFile(t, "../../agent/internal/config/testdata/guide.yaml"), "ssh_service:\n  enabled: true\n")
	if !found {
		t.Fatal("the guide's file does not begin with ssh_service")
	}
	n.configure("  trusted_user_ca_keys: [DIR/ca.pub]\n" + guide)
	policy, motd := t.TempDir()+"/policy", t.TempDir()+"/motd"
	writeFile(t, policy, n.neededPolicy())
	writeFile(t, motd, "the message of the machine\n")
	n.mounts = strings.Join([]string{
		"mount --bind " + policy + " " + nodePolicyFile, "mount --bind " + debiansStack + " /etc/pam.d/sshd", "mount --bind " + motd + " /etc/motd\n",
	}, "\n")
	n.start(pamhelper)
	certificate := n.certify("guide", "admin4", "-O", `extension:teleport-roles={"version":"v1","roles":["developer","access"]}`,
		"-O", `extension:teleport-traits={"email":["alice@mail.example.com"]}`)
	c := n.byCertificate("admin4", certificate)
	c.answers = append(c.answers, answer{acknowledged, "yes"})
	c.line = `echo "$FOO, $EMAIL, $TELEPORT_USERNAME, $TELEPORT_LOGIN, $TELEPORT_ROLES"`
	quiet := c // what is acknowledged is shown all the same
	quiet.options = append(slices.Clone(c.options), "LogLevel=QUIET")
	cmd := n.ssh(quiet)
	runCmd(t, cmd).expect(t, 0, "bar, alice@mail.example.com, alice@example.com, admin4, developer access\n", "")
	if asked, want := readFile(t, variableOf(cmd, "ANSWERS")+".asked"), "\nWelcome to the cluster. All activity will be logged.\n"+acknowledged; !strings.Contains(asked, want) {
		t.Errorf("asked: got %q, want %q in it", asked, want)
	}

	p := newTerminal(t)
	c.line, c.args = "", []string{"-tt"}
	p.run(n.ssh(c))
	p.shows("the message of the machine\r\n")
	p.typed("exit 7\n")
	p.wait()
	if got := p.cmd.ProcessState.ExitCode(); got != 7 {
		t.Errorf("exit status: got %d, want 7", got)
	}
	c.answers[0].text = "wrong-password"
	n.run(c).expect(t, 255, "", "Permission denied")
}

// neededPolicy is what agent check prints for the node's configuration.
func (n *node) neededPolicy() string {
	n.t.Helper()
	out, err := exec.Command(agent, "check", "--json", "--config", n.path("agent.yaml")).Output()
	var report struct{ Policy string }
	if json.Unmarshal(out, &report) != nil || report.Policy == "" {
		n.t.Fatalf("agent check: %v and\n%s\nwant a policy", err, out)
	}
	return report.Policy
}
