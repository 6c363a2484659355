package realpam_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// fail2banFilter is the one that agent(1) has, as a file.
func fail2banFilter(t *testing.T) (file string) {
	t.Helper()
	_, filter, found := strings.Cut(readFile(t, "../../agent/agent.1"), "\n[Definition]\n")
	filter, _, _ = strings.Cut(filter, "\n.Ed\n")
	if !found || !strings.Contains(filter, "failregex") {
		t.Fatalf("agent.1 has the filter %q, want one with a failregex", filter)
	}
	file = t.TempDir() + "/filter.conf"
	writeFile(t, file, "[Definition]\n"+strings.ReplaceAll(filter, `\e`, `\`)+"\n")
	return file
}

// banned are the addresses that the real fail2ban finds in a log, one for each line.
func banned(t *testing.T, filter, log string) string {
	t.Helper()
	file := t.TempDir() + "/log"
	writeFile(t, file, log)
	cmd := exec.Command("fail2ban-regex", "--out", "ip", file, filter)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1"}
	r := runCmd(t, cmd)
	if r.stderr != "" {
		t.Fatalf("fail2ban-regex: %+v", r)
	}
	return r.stdout
}

// TestFail2banFindsEachFailedLogin and nothing else, in both formats of the log, with
// the filter of the manual: whichever way in failed, and whatever the client put into
// its name to have somebody else banned.
func TestFail2banFindsEachFailedLogin(t *testing.T) {
	t.Parallel()
	filter := fail2banFilter(t)
	const everyWay = `
  authorized_keys: DIR/%u.keys
  password_service_name: sshd
  pam: {enabled: yes, use_pam_auth: yes}
`
	for format, forged := range map[string]string{
		"text": `x msg="login failed" login=0 addr=192.0.2.9 port=1 method=`,
		"json": `x","msg":"login failed","login":"0","addr":"192.0.2.9","port":1,"method":`,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			user := map[string]string{"text": "admin1", "json": "admin2"}[format]
			n := keyed(t, helperWith(t, unixStack, nil), everyWay+"log: {format: "+format+"}\n")
			writeFile(t, n.path(user+".keys"), readFile(t, n.path("key.pub")))
			wrongCode, right := n.byKey(user), byPassword(user, "password", password)
			wrongCode.answers[0].text, right.line = "wrong", "true --password=in-the-line"
			fails := []client{
				byPassword(user, "password", "wrong"), byPassword(user, "keyboard-interactive", "wrong"),
				byPassword("nobody-of-this-name", "password", "wrong"), byPassword("root", "password", rootPassword),
				byPassword("x addr=192.0.2.9", "password", "wrong"), wrongCode,
			}
			for _, c := range fails {
				n.run(c).expect(t, 255, "", "Permission denied")
			}
			n.failsAs(forged)
			n.run(right).expect(t, 0, "", "")
			asks := n.byKey("admin3") // who has no keys: a question, and no attempt
			asks.options = []string{"IdentityFile=" + n.path("key"), "PreferredAuthentications=publickey"}
			n.run(asks).expect(t, 255, "", "Permission denied")
			n.logs("logout")
			want := strings.Repeat(loopback+"\n", len(fails)+1)
			if got := banned(t, filter, n.log.String()); got != want {
				t.Errorf("fail2ban found\n%s\nwant\n%s", got, want)
			}
			if strings.Contains(n.log.String(), "in-the-line") {
				t.Errorf("the log has a command line:\n%s", n.log.String())
			}
		})
	}
}

// failsAs logs in under a name that ssh itself would not send.
func (n *node) failsAs(user string) {
	n.t.Helper()
	conn, err := ssh.Dial("tcp", n.address(), &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.Password("wrong")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err == nil {
		conn.Close()
		n.t.Errorf("%q is let in", user)
	}
}
