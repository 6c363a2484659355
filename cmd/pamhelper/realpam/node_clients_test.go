package realpam_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestNodeServesOtherClients: PuTTY's and Dropbear's.
func TestNodeServesOtherClients(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, helperWith(t, unixStack, nil), passwords)
	runCmd(t, n.plink("node5", "id -un; exit 3")).expect(t, 3, "node5\n", "")
	runCmd(t, n.dbclient("node5", "id -un; exit 4")).expect(t, 4, "node5\n", "")
}

// fingerprint is that of the host key.
func (n *node) fingerprint() string {
	n.t.Helper()
	line, err := exec.Command("ssh-keygen", "-l", "-f", n.path("host.pub")).Output()
	if err != nil {
		n.t.Fatal(err)
	}
	return strings.Fields(string(line))[1]
}

// plink is PuTTY's client.
func (n *node) plink(user, line string) *exec.Cmd {
	n.t.Helper()
	writeFile(n.t, n.path("secret"), password+"\n")
	cmd := exec.Command("plink", "-batch", "-ssh", "-P", fmt.Sprint(n.port), "-l", user, "-hostkey", n.fingerprint(), "-pwfile", n.path("secret"), loopback, line)
	cmd.Env = []string{"HOME=" + n.dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// dbclient is Dropbear's.
func (n *node) dbclient(user, line string) *exec.Cmd {
	n.t.Helper()
	cmd := exec.Command("dbclient", "-y", "-p", fmt.Sprint(n.port), "-l", user, loopback, line)
	cmd.Env = []string{"HOME=" + n.dir, "PATH=" + os.Getenv("PATH"), "DROPBEAR_PASSWORD=" + password}
	cmd.Stdin = strings.NewReader("")
	return cmd
}

// TestOtherClientsGetInEachWay with all that is asked for behind it.
func TestOtherClientsGetInEachWay(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), `
  trusted_user_ca_keys: [DIR/ca.pub]
  authorized_keys: DIR/%u.keys
  password_service_name: sshd
  pam: {enabled: yes, use_pam_auth: yes}
auth_service: {message_of_the_day: All is logged}
`)
	writeFile(t, n.path("admin1.keys"), readFile(t, n.path("key.pub")))
	certificate := n.certify("good", "admin2")
	for _, args := range [][]string{{"puttygen", n.path("key"), "-o", n.path("key.ppk")}, {"dropbearconvert", "openssh", "dropbear", n.path("key"), n.path("key.db")}} {
		if err := command(args[0], args[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	for name, cmd := range map[string]*exec.Cmd{
		"plink by a key":         n.plinkAsked("admin1", "-i", n.path("key.ppk")),
		"plink by a certificate": n.plinkAsked("admin2", "-i", n.path("key.ppk"), "-cert", certificate),
		"plink by questions":     n.plinkAsked("admin3"),
		"dbclient by a key":      n.dbclientAsked("admin1", "-i", n.path("key.db")),
		"dbclient by questions":  n.dbclientAsked("admin3"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTerminal(t)
			p.run(cmd)
			p.shows("assword: ")
			p.typed(password + "\n")
			p.shows("All is logged")
			p.shows(acknowledged)
			p.typed("yes\n")
			p.shows("in as admin")
			p.wait()
			if got := cmd.ProcessState.ExitCode(); got != 5 {
				t.Errorf("got status %d, want 5; the terminal:\n%s", got, p)
			}
		})
	}
}

const othersLine = "echo in as $(id -un); exit 5"

// plinkAsked is one that asks on its terminal.
func (n *node) plinkAsked(user string, args ...string) *exec.Cmd {
	n.t.Helper()
	args = append([]string{"-no-antispoof", "-ssh", "-P", fmt.Sprint(n.port), "-l", user, "-hostkey", n.fingerprint()}, args...)
	cmd := exec.Command("plink", append(args, loopback, othersLine)...)
	cmd.Env = []string{"HOME=" + n.dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

func (n *node) dbclientAsked(user string, args ...string) *exec.Cmd {
	n.t.Helper()
	cmd := n.dbclient(user, othersLine)
	cmd.Args = append(append([]string{"dbclient"}, args...), cmd.Args[1:]...)
	cmd.Env = []string{"HOME=" + n.dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}
