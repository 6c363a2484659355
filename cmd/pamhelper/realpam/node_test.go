package realpam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// node is "agent run" with a configuration, under a broker.
type node struct {
	t    *testing.T
	dir  string // the agent's own
	host string // where it listens
	port int
	runs string // its agent
	cmd  *exec.Cmd
	log  workerLog
	// secrets are what clients have answered: none may be in the log.
	secrets sync.Map
	// mounts are lines of shell that come before the broker, in its own mount
	// namespace.
	mounts string
}

// passwords is the configuration of a node that has passwords only.
const passwords = `
  password_service_name: sshd
  pam: {enabled: yes, service_name: keys}
`

// nodePolicy is that of the brokers: passwords and second factors through sshd,
// and keys and certificates alone through two other services.
const nodePolicy = `
service { name: "sshd" variable: "SITE_*" }
service { name: "keys" proof: AGENT }
service { name: "sftponly" proof: AGENT commands { line: "/usr/lib/openssh/sftp-server" } }
service { name: "teleport" proof: AGENT variable: "MAIL_OF_USER" }
service { name: "teleport-asking" account_first: true }
service {
  name: "getenv"
  variable: "SITE_*"
  module_getenv: ["SITE_GETENV_MAILBOX", "SITE_GETENV_TEAMS", "SITE_GETENV_NONE", "SITE_GETENV_ABSENT"]
}
`

// nodeServices are their stacks, but for that of sshd, which each helper has its
// own of. teleport is the guide's, as it is written there.
var nodeServices = map[string]string{
	"/etc/pam.d/keys":     "auth required pam_deny.so\naccount required pam_unix.so\npassword required pam_unix.so sha512\nsession required pam_permit.so\n",
	"/etc/pam.d/sftponly": "auth required pam_deny.so\naccount required pam_unix.so\nsession required pam_permit.so\n",
	"/etc/pam.d/getenv":   "", // a test puts its own there
	"/etc/pam.d/teleport": `account   required   pam_exec.so /etc/pam-exec.d/teleport_acct
session   required   pam_motd.so
session   required   pam_permit.so
`,
	"/etc/pam.d/teleport-asking": `auth required pam_unix.so nodelay
account required pam_exec.so /etc/pam-exec.d/teleport_acct
account required pam_unix.so
password required pam_unix.so sha512
session required pam_permit.so
`,
}

// nodePolicyFile is where it is: nobody but root can write there.
const nodePolicyFile = "/etc/pamhelper/nodes.textproto"

// agentUser is whom the agents run as.
const agentUser = "agent"

func makeNodes() error {
	if err := command("useradd", "--no-log-init", "--system", "--shell", "/usr/sbin/nologin", agentUser); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(nodePolicyFile), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(nodePolicyFile, []byte(nodePolicy), 0o644); err != nil {
		return err
	}
	if err := makeGuide(); err != nil {
		return err
	}
	for path, text := range nodeServices {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// nodeWith starts a node. lines are those of ssh_service, and what follows.
func nodeWith(t *testing.T, helper, lines string) *node {
	t.Helper()
	n := newNode(t)
	n.configure(lines)
	n.start(helper)
	return n
}

func newNode(t *testing.T) *node {
	t.Helper()
	ready(t)
	n := &node{t: t, dir: public(t), host: loopback, runs: agent, port: int(ports.Add(1))}
	n.keygen("host")
	writeFile(t, n.path("known_hosts"), fmt.Sprintf("[%s]:%d %s", loopback, n.port, readFile(t, n.path("host.pub"))))
	return n
}

func (n *node) path(name string) string { return filepath.Join(n.dir, name) }

// keygen makes a key of a name. Files of ssh are the caller's only.
func (n *node) keygen(name string) {
	n.t.Helper()
	if err := command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", n.path(name)); err != nil {
		n.t.Fatal(err)
	}
	if err := command("chown", agentUser, n.path(name)); err != nil {
		n.t.Fatal(err)
	}
}

// configure writes agent.yaml, where DIR is the node's directory.
func (n *node) configure(lines string) {
	n.t.Helper()
	text := fmt.Sprintf("ssh_service:\n  enabled: yes\n  listen_addr: %s:%d\n  host_keys: [%s]\n", n.host, n.port, n.path("host"))
	if !strings.Contains(lines, "drain_timeout") {
		text += "  drain_timeout: 1s\n"
	}
	text += strings.ReplaceAll(strings.Trim(lines, "\n"), "DIR", n.dir) + "\n"
	writeFile(n.t, n.path("agent.yaml"), text)
}

// broker is the command that runs the node, with a helper for its broker.
func (n *node) broker(helper string, args ...string) *exec.Cmd {
	n.t.Helper()
	args = append(args, "--user", agentUser, "--policy", nodePolicyFile, "--", n.runs, "run", "--config", n.path("agent.yaml"))
	// Records of its own: a broker sweeps, and would close what other tests left.
	records := n.t.TempDir()
	if err := os.MkdirAll(recordDir, 0o700); err != nil {
		n.t.Fatal(err)
	}
	start := n.mounts + "mount --bind '" + records + "' " + recordDir + "\nexec '" + helper + "' broker \"$@\"\n"
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-ec", start, "sh"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}

// start starts the node, and waits until it listens.
func (n *node) start(helper string, args ...string) {
	n.t.Helper()
	n.cmd = n.broker(helper, args...)
	n.cmd.Stderr = &n.log
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		n.cmd.Process.Signal(syscall.SIGTERM)
		n.cmd.Wait()
		if n.t.Failed() {
			n.t.Logf("the node's log:\n%s", n.log.String())
		}
		n.secrets.Range(func(secret, _ any) bool {
			if strings.Contains(n.log.String(), secret.(string)) {
				n.t.Errorf("the node's log has what a client answered: %s", secret)
			}
			return true
		})
	})
	n.logs("listening")
}

// logs waits for a line in the log.
func (n *node) logs(wanted string) {
	n.t.Helper()
	eventually(n.t, func() bool { return strings.Contains(n.log.String(), wanted) }, "%q in the node's log:\n%s", wanted, &n.log)
}

// client is what Debian's ssh is started with.
type client struct {
	user    string
	options []string // of ssh -o
	// answers are given to prompts that contain their names, in turn.
	answers []answer
	args    []string // before the host
	line    string   // "": the login shell
	stdin   string
}

type answer struct{ prompt, text string }

// answerScript is an askpass that notes each prompt and answers by a table:
// lines of what the prompt has to contain, a tab, and the answer.
const answerScript = `#!/bin/sh
printf '%s\n' "$1" >>"$ANSWERS.asked"
while IFS="	" read -r part answer; do
	case $1 in
	*"$part"*) printf '%s\n' "$answer"; exit 0 ;;
	esac
done <"$ANSWERS"
exit 1
`

// ssh is the command of a client. What it shows before the session is on standard
// error.
func (n *node) ssh(c client) *exec.Cmd {
	n.t.Helper()
	return n.withAnswers(exec.Command("ssh", append(append(n.sshOptions(c), c.args...), n.destination(c)...)...), c)
}

func (n *node) destination(c client) []string {
	words := []string{"-p", fmt.Sprint(n.port), "-l", c.user, n.host}
	if c.line != "" {
		words = append(words, c.line)
	}
	return words
}

// sshOptions are those of ssh, scp and sftp alike.
func (n *node) sshOptions(c client) []string {
	args := []string{"-F", "none"}
	for _, option := range append(c.options, "UserKnownHostsFile="+n.path("known_hosts"), "GlobalKnownHostsFile=none",
		"StrictHostKeyChecking=yes", "UpdateHostKeys=no", "IdentitiesOnly=yes", "NumberOfPasswordPrompts=1", "IdentityFile=none") {
		args = append(args, "-o", option)
	}
	return args
}

func (n *node) withAnswers(cmd *exec.Cmd, c client) *exec.Cmd {
	n.t.Helper()
	table := ""
	for _, a := range c.answers {
		table += a.prompt + "\t" + a.text + "\n"
		if len(a.text) > 5 { // and no word such as "yes"
			n.secrets.Store(a.text, true)
		}
	}
	file, err := os.CreateTemp(n.dir, "answers")
	if err != nil {
		n.t.Fatal(err)
	}
	file.WriteString(table)
	file.Close()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TERM=" + terminalType, "SSH_ASKPASS=" + answering, "SSH_ASKPASS_REQUIRE=force",
		"ANSWERS=" + file.Name(), "HOME=" + n.dir}
	cmd.Stdin = strings.NewReader(c.stdin)
	return cmd
}

// run runs a client to its end.
func (n *node) run(c client) ran {
	n.t.Helper()
	return runCmd(n.t, n.ssh(c))
}

func runCmd(t *testing.T, cmd *exec.Cmd) ran {
	t.Helper()
	var stdout, stderr workerLog
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Run()
	return ran{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
