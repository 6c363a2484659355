package realpam_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// quickStart are the commands of the README's quick start, a text for each block.
func quickStart(t *testing.T) (blocks []string) {
	t.Helper()
	_, section, found := strings.Cut(readFile(t, "../../../README.md"), "\n## Quick start: an SSH service\n")
	if !found {
		t.Fatal("README.md has no quick start")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(section, -1) {
		blocks = append(blocks, block[1])
	}
	return blocks
}

// TestTheQuickStartOfTheReadmeIsALogin: its commands one by one, but for those that
// build and install, on a machine with nothing but the programs below /usr/local.
func TestTheQuickStartOfTheReadmeIsALogin(t *testing.T) {
	t.Parallel()
	ready(t)
	installing := regexp.MustCompile(`(?m)^(make|apt-get) .*\n`)
	var script, checked, policy, broker, login string
	for _, block := range quickStart(t) {
		switch block = installing.ReplaceAllString(block, ""); {
		case strings.Contains(block, "pamhelper broker"):
			broker = block
		case strings.HasPrefix(block, "ssh -p"):
			login = strings.TrimSpace(block)
		case strings.Contains(block, "agent check"):
			checked = strings.TrimSpace(block)
			script += checked + " >checked 2>&1 || { cat checked >&2; exit 1; }\n"
		default:
			if strings.Contains(block, "policy.textproto") {
				policy = block
			}
			script += block
		}
	}
	if broker == "" || login == "" || checked == "" || policy == "" {
		t.Fatalf("README.md: got the broker %q, the login %q, agent check %q and the policy %q; want all four", broker, login, checked, policy)
	}
	dir, etc := public(t), t.TempDir()
	script = "cp -a /etc/. " + etc + "; mount --bind " + etc + " /etc; rm -rf /etc/pamhelper\n" +
		"userdel bob; mount -t tmpfs -o mode=0755 tmpfs /home\n" +
		"mount --bind " + base + "/installed/usr/local /usr/local\nmount -t tmpfs -o mode=0700 tmpfs /run/pamhelper\n" + script + "exec " + broker
	var log workerLog
	cmd := exec.Command("unshare", "--mount", "sh", "-ec", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
	if err := os.MkdirAll(recordDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("the commands and the node said\n%s", log.String())
		}
	}()
	eventually(t, func() bool { return strings.Contains(log.String(), "msg=listening") }, "a node that listens:\n%s", &log)
	said := readFile(t, dir+"/checked")
	_, wanted, _ := strings.Cut(policy, "<<'END'\n")
	if wanted, _, _ = strings.Cut(wanted, "END\n"); !strings.Contains(said, "\n"+wanted) || !strings.Contains(said, "\n0 errors, 0 warnings\n") {
		t.Errorf("%s says\n%s\nwant no errors, and the policy of README.md\n%s", checked, said, wanted)
	}

	secret := strings.Fields(readFile(t, etc+"/users.oath"))[3]
	code, err := exec.Command("oathtool", "--totp", secret).Output()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, dir: dir}
	writeFile(t, dir+"/known_hosts", "[127.0.0.1]:3022 "+readFile(t, etc+"/pamhelper/ssh_host_ed25519_key.pub"))
	c := client{answers: []answer{{"One-time password", "000000"}, {acknowledged, "yes"}}}
	logIn := func() ran {
		words := strings.Fields(login)[1:]
		options := []string{"-F", "none", "-tt", "-o", "UserKnownHostsFile=known_hosts", "-o", "NumberOfPasswordPrompts=1"}
		cmd := n.withAnswers(exec.Command("ssh", append(options, append(words, "id -un; pwd; exit 3")...)...), c)
		cmd.Dir = dir
		return runCmd(t, cmd)
	}
	logIn().expect(t, 255, "", "Permission denied")
	c.answers[0].text = strings.TrimSpace(string(code))
	logIn().expect(t, 3, "bob\r\n/home/bob\r\n", "")
	if got, want := readFile(t, etc+"/passwd"), ":User bob for bob@example.com with roles developer access created by Teleport.:"; !strings.Contains(got, want) {
		t.Errorf("/etc/passwd:\n%s\nwant %s", got, want)
	}
}
