package realpam_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// quickStart are the commands of the README's quick start, but for those that build
// and install.
type quickStart struct {
	before string // up to the broker; what agent check says goes to the file checked
	policy string // what is put into the policy's file
	broker string
	login  string
}

func readQuickStart(t *testing.T) (q quickStart) {
	t.Helper()
	_, section, _ := strings.Cut(readFile(t, "../../../README.md"), "\n## Quick start: an SSH service\n")
	section, _, _ = strings.Cut(section, "\n## ")
	installing := regexp.MustCompile(`(?m)^(make|apt-get) .*\n`)
	for _, found := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(section, -1) {
		switch block := installing.ReplaceAllString(found[1], ""); {
		case strings.HasPrefix(block, "ssh -p"):
			q.login = strings.TrimSpace(block)
		case strings.Contains(block, "agent check"):
			q.before += strings.TrimSpace(block) + " >>checked 2>&1 || { cat checked >&2; exit 1; }\n"
		case strings.Contains(block, "pamhelper broker"):
			q.broker = block
		case strings.Contains(block, "policy.textproto"):
			_, q.policy, _ = strings.Cut(block, "<<'END'\n")
			q.policy, _, _ = strings.Cut(q.policy, "END\n")
			fallthrough
		default:
			q.before += block
		}
	}
	if q.broker == "" || q.login == "" || q.policy == "" || !strings.Contains(q.before, "checked") {
		t.Fatalf("README.md: got %+v, want agent check, the policy, the broker and a login", q)
	}
	return q
}

// start types the commands on a machine with nothing but the programs below
// /usr/local and an empty /home, whose /etc is to be seen in etc.
func (q quickStart) start(t *testing.T, dir, etc string) {
	t.Helper()
	if err := os.MkdirAll(recordDir, 0o700); err != nil {
		t.Fatal(err)
	}
	machine := strings.Join([]string{
		"cp -a /etc/. " + etc,
		// Not userdel: it refuses while another test runs something as bob.
		"(cd " + etc + " && sed -i /^bob:/d passwd shadow group gshadow subuid subgid)",
		"mount --bind " + etc + " /etc",
		"rm -rf /etc/pamhelper",
		"mount --bind " + base + "/installed/usr/local /usr/local",
		"mount -t tmpfs -o mode=0700 tmpfs " + recordDir,
		"mount -t tmpfs -o mode=0755 tmpfs /home\n",
	}, "\n")
	var log workerLog
	cmd := exec.Command("unshare", "--mount", "sh", "-ec", machine+q.before+"exec "+q.broker)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("the commands and the node said\n%s", log.String())
		}
	})
	eventually(t, func() bool { return strings.Contains(log.String(), "msg=listening") }, "a node that listens:\n%s", &log)
}

// logIn runs its ssh, with answers and a command in the place of a person.
func (q quickStart) logIn(t *testing.T, dir, code, line string) ran {
	t.Helper()
	n := &node{t: t, dir: dir}
	options := []string{"-F", "none", "-tt", "-o", "UserKnownHostsFile=known_hosts", "-o", "NumberOfPasswordPrompts=1"}
	cmd := exec.Command("ssh", append(append(options, strings.Fields(q.login)[1:]...), line)...)
	cmd = n.withAnswers(cmd, client{answers: []answer{{"One-time password", code}, {acknowledged, "yes"}}})
	cmd.Dir = dir
	return runCmd(t, cmd)
}

func TestTheQuickStartOfTheReadmeIsALogin(t *testing.T) {
	t.Parallel()
	ready(t)
	q, dir, etc := readQuickStart(t), public(t), t.TempDir()
	q.start(t, dir, etc)
	said := readFile(t, dir+"/checked")
	for _, want := range []string{"\n" + q.policy, "0 errors, 1 warning\n", "ok       helper: the broker that started this program gives workers\n", "0 errors, 0 warnings\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("agent check, before and behind the policy of README.md, says\n%s\nwant it to say\n%s", said, want)
		}
	}
	writeFile(t, dir+"/known_hosts", "[127.0.0.1]:3022 "+readFile(t, etc+"/pamhelper/ssh_host_ed25519_key.pub"))
	secret := strings.Fields(readFile(t, etc+"/users.oath"))[3]
	code, err := exec.Command("oathtool", "--totp", secret).Output()
	if err != nil {
		t.Fatal(err)
	}
	q.logIn(t, dir, "000000", "true").expect(t, 255, "", "Permission denied")
	q.logIn(t, dir, strings.TrimSpace(string(code)), "id -un; pwd; exit 3").expect(t, 3, "bob\r\n/home/bob\r\n", "")
	if got, want := readFile(t, etc+"/passwd"), ":User bob for bob@example.com with roles developer access created by Teleport.:"; !strings.Contains(got, want) {
		t.Errorf("/etc/passwd:\n%s\nwant %s", got, want)
	}
}
