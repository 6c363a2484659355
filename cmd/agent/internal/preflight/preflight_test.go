package preflight

import (
	"crypto/ed25519"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
	pb "github.com/pamhelper/pamhelper/proto"
)

// ground is a directory with all that a configuration can name.
type ground struct {
	*testing.T
	dir string
}

// newGround has a host key, the key of an authority, and the guide's service
// "teleport" with its script.
func newGround(t *testing.T) ground {
	t.Helper()
	g := ground{t, t.TempDir()}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	g.writeAsItIs("host_key", 0o600, string(pem.EncodeToMemory(block)))
	g.writeAsItIs("ca.pub", 0o644, string(ssh.MarshalAuthorizedKey(key)))
	g.writeAsItIs("keys/alice", 0o644, string(ssh.MarshalAuthorizedKey(key)))
	g.write("teleport_acct", 0o755, "#!/bin/sh\nexit 0\n")
	g.write("pam.d/teleport", 0o644, "account required pam_exec.so DIR/teleport_acct\nsession required pam_motd.so\nsession required pam_permit.so\n")
	g.write("pam.d/passwords", 0o644, "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n")
	g.write("pam.d/other", 0o644, "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\npassword required pam_deny.so\n")
	return g
}

// write makes a file below the directory; DIR in its text is the directory.
func (g ground) write(name string, mode os.FileMode, text string) {
	g.Helper()
	g.writeAsItIs(name, mode, strings.ReplaceAll(text, "DIR", g.dir))
}

// writeAsItIs is for keys: base64 can have a DIR in it.
func (g ground) writeAsItIs(name string, mode os.FileMode, text string) {
	g.Helper()
	file := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		g.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		g.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		g.Fatal(err)
	}
}

// serve has workers behind a socket.
func (g ground) serve(name string) {
	g.Helper()
	listener, err := net.Listen("unix", filepath.Join(g.dir, name))
	if err != nil {
		g.Fatal(err)
	}
	helper := &ipctest.Helper{}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			worker, err := helper.Launch(g.Context())
			if err != nil {
				g.Error(err)
				return
			}
			connections.Go(func() { io.Copy(worker, conn); worker.Close() })
			connections.Go(func() { io.Copy(conn, worker); conn.Close() })
		}
	})
	g.Cleanup(func() { listener.Close(); connections.Wait(); helper.Wait() })
}

// run checks a configuration whose paths begin with DIR. rows are its items, a
// line each, without what depends on who runs the test.
func (g ground) run(text string) (report *Report, rows string) {
	g.Helper()
	c, err := config.Parse("agent.yaml", []byte(strings.ReplaceAll(text, "DIR", g.dir)))
	if err != nil {
		g.Fatal(err)
	}
	report = Run(c, pamstack.Config{Confdir: g.dir + "/pam.d"}, g.dir+"/policy")
	var b strings.Builder
	for _, item := range report.Items {
		if item.Level == Note && item.About == "ssh_service" {
			continue // read as root
		}
		b.WriteString(string(item.Level) + " " + item.About + ": " + item.Text + "\n")
	}
	return report, strings.ReplaceAll(b.String(), g.dir, "DIR")
}

const (
	certificates = "ssh_service: {host_keys: [DIR/host_key], trusted_user_ca_keys: [DIR/ca.pub], pam: {enabled: yes, service_name: teleport}}\n"
	passwords    = `
ssh_service:
  host_keys: [DIR/host_key]
  password_service_name: passwords
  pam:
    enabled: yes
    service_name: passwords
    use_pam_auth: yes
`
	everything = `
ssh_service:
  host_keys: [DIR/host_key]
  trusted_user_ca_keys: [DIR/ca.pub]
  authorized_keys: DIR/keys/%u
  password_service_name: passwords
  pam:
    enabled: yes
    service_name: teleport
    environment: {SITE: paris, EMAIL: "{{ external.email }}"}
`
)

func TestARightConfigurationHasNothingButGoodNews(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.serve("sock")
	g.write("policy", 0o644, `service { name: "teleport" proof: AGENT variable: "SITE" variable: "EMAIL" } service { name: "passwords" variable: ["SITE", "EMAIL"] }`)
	report, rows := g.run(everything + "helper: unix:DIR/sock\n")
	if report.Failed() || strings.Contains(rows, "warning ") {
		t.Errorf("got\n%s\nwant neither errors nor warnings", rows)
	}
	for _, want := range []string{
		"ok ssh_service.trusted_user_ca_keys: a certificate, through the PAM service teleport\n",
		"ok ssh_service.authorized_keys: a public key, through the PAM service teleport\n",
		"ok ssh_service.password_service_name: what PAM asks for alone, through the PAM service passwords\n",
		"ok ssh_service.host_keys: DIR/host_key is a key of type ssh-ed25519, SHA256:",
		"ok ssh_service.trusted_user_ca_keys: DIR/ca.pub has 1 key\n",
		"ok ssh_service.authorized_keys: 1 file in place for DIR/keys/%u\n",
		"ok ssh_service.pam.service_name: the service teleport is read from DIR/pam.d/teleport, proof AGENT\n",
		"ok ssh_service.password_service_name: the service passwords is read from DIR/pam.d/passwords, proof PAM\n",
		"ok ssh_service.pam.environment.SITE: the same for every login\n",
		"ok ssh_service.pam.environment.EMAIL: of the claim email; left out where a login has none\n",
		"ok DIR/policy: has the service teleport as this configuration needs it; whether all of it is right says: pamhelper policy check DIR/policy\n",
		"ok DIR/policy: has the service passwords as this configuration needs it; ",
		"ok helper: a worker answers behind DIR/sock\n",
	} {
		if !strings.Contains(rows, want) {
			t.Errorf("got\n%s\nwant it to hold\n%s", rows, want)
		}
	}
}

func TestThePolicyIsWhatTheConfigurationNeeds(t *testing.T) {
	t.Parallel()
	service := func(name string, proof pb.Service_Proof, variables ...string) *pb.Service {
		return &pb.Service{Name: name, Proof: &proof, Variable: variables}
	}
	for name, test := range map[string]struct {
		text string
		want []*pb.Service
	}{
		"certificates": {certificates, []*pb.Service{service("teleport", pb.Service_AGENT)}},
		"everything": {everything, []*pb.Service{
			service("teleport", pb.Service_AGENT, "SITE", "EMAIL"), service("passwords", pb.Service_PAM, "SITE", "EMAIL")}},
		"certificates and PAM": {strings.Replace(certificates, "teleport}", "teleport, use_pam_auth: yes}", 1),
			[]*pb.Service{service("teleport", pb.Service_PAM)}},
		"passwords": {"ssh_service: {password_service_name: passwords, pam: {enabled: yes}}",
			[]*pb.Service{service("passwords", pb.Service_PAM)}},
		"certificates and PAM, account first": {strings.Replace(certificates, "teleport}", "teleport, use_pam_auth: yes, account_first: yes}", 1),
			[]*pb.Service{{Name: "teleport", Proof: pb.Service_PAM.Enum(), AccountFirst: proto.Bool(true)}}},
		"one service for both": {"ssh_service: {password_service_name: sshd, authorized_keys: DIR/keys/%u, pam: {enabled: yes, use_pam_auth: yes}}",
			[]*pb.Service{service("sshd", pb.Service_PAM)}},
	} {
		report, _ := newGround(t).run(test.text)
		got := &pb.Policy{}
		if err := prototext.Unmarshal([]byte(report.Policy), got); err != nil {
			t.Errorf("%s: %v in\n%s", name, err, report.Policy)
		}
		if want := (&pb.Policy{Service: test.want}); !proto.Equal(got, want) {
			t.Errorf("%s: got\n%v\nwant\n%v", name, got, want)
		}
	}
}

func TestWhatIsWrongIsAnItem(t *testing.T) {
	t.Parallel()
	secondFactor := strings.Replace(certificates, "teleport}", "teleport, use_pam_auth: yes}", 1)
	for _, test := range []struct {
		name, text string
		change     func(g ground)
		failed     bool
		want       string
	}{
		{"no way in", "ssh_service: {host_keys: [DIR/host_key], pam: {enabled: yes, service_name: teleport}}", nil, true,
			"error ssh_service: nobody could log in: "},
		{"nothing to run", "ssh_service: {enabled: no}", nil, true, "error ssh_service: ssh_service.enabled is no: there is nothing to run\n"},
		{"a port of root's", strings.Replace(certificates, "{host_keys", "{listen_addr: 127.0.0.1:22, host_keys", 1), nil, false,
			"note ssh_service.listen_addr: a port below 1024 is opened by root: pamhelper broker --listen 127.0.0.1:22, or a socket unit\n"},
		{"a host key for all", certificates, func(g ground) { g.write("host_key", 0o644, "") }, true,
			"error ssh_service.host_keys: DIR/host_key has the mode 0644: "},
		{"no host key", certificates, func(g ground) { os.Remove(g.dir + "/host_key") }, true,
			"error ssh_service.host_keys: open DIR/host_key: no such file or directory; make it: ssh-keygen -t ed25519 -N '' -f DIR/host_key\n"},
		{"no key of an authority", certificates, func(g ground) { g.write("ca.pub", 0o644, "x\n") }, true,
			"error ssh_service.trusted_user_ca_keys: DIR/ca.pub:1: no public key; "},
		{"a user's bad file", everything, func(g ground) { g.write("keys/bob", 0o644, "x\n") }, false,
			"warning ssh_service.authorized_keys: DIR/keys/bob:1: no public key; "},
		{"everybody's keys", everything, func(g ground) { os.Chmod(g.dir+"/keys", 0o777) }, true,
			"error ssh_service.authorized_keys: DIR/keys has the mode 0777: who can write it can log in as anybody; chmod go-w\n"},
		{"no directory of keys", everything, func(g ground) { os.RemoveAll(g.dir + "/keys") }, true,
			"error ssh_service.authorized_keys: stat DIR/keys: no such file or directory\n"},
		{"no service", certificates, func(g ground) { os.Remove(g.dir + "/pam.d/teleport") }, true,
			"error ssh_service.pam.service_name: there is no service teleport: PAM would use the service other instead; write the file DIR/pam.d/teleport\n"},
		{"no account line", certificates, func(g ground) { g.write("pam.d/teleport", 0o644, "session required pam_permit.so\n") }, true,
			"error DIR/pam.d/teleport: there is no account line, and a login needs one; write at least: account required pam_permit.so\n"},
		{"no session line", certificates, func(g ground) { g.write("pam.d/teleport", 0o644, "account required pam_permit.so\n") }, true,
			"error DIR/pam.d/teleport: there is no session line, and a login needs one; write at least: session required pam_permit.so\n"},
		{"no auth line", secondFactor, nil, true,
			"error DIR/pam.d/teleport: there is no auth line, and PAM is to prove who logs in; write for example: auth required pam_unix.so\n"},
		{"a script before auth", secondFactor, nil, true,
			"note DIR/pam.d/teleport: account runs a script; if it creates users, write ssh_service.pam.account_first: yes, "},
		{"a script that account runs first", strings.Replace(secondFactor, "use_pam_auth: yes", "use_pam_auth: yes, account_first: yes", 1), nil, true,
			"note DIR/pam.d/teleport: account comes first: its modules and scripts run as root "},
		{"a module that is not there", certificates, func(g ground) {
			g.write("pam.d/teleport", 0o644, "account required pam_permit.so\nsession required pam_nosuch.so\n")
		}, true, "error DIR/pam.d/teleport:2: "},
		{"an included file that is not there", certificates, func(g ground) {
			g.write("pam.d/teleport", 0o644, "account required pam_permit.so\nsession required pam_permit.so\n@include nosuch\n")
		}, true, "error DIR/pam.d/teleport:3: PAM cannot start with the service teleport because of this line, \"@include nosuch\"; " +
			"correct it, or restore the file that it names; for more: pamhelper check teleport\n"},
		{"a claim outside of braces", strings.Replace(everything, `"{{ external.email }}"`, "external.email", 1), nil, false,
			"warning ssh_service.pam.environment.EMAIL: a text, and no claim: write \"{{ external.email }}\" if it is to be one\n"},
		{"a claim in one pair of braces", strings.Replace(everything, `"{{ external.email }}"`, `"{ external.email }"`, 1), nil, false,
			"warning ssh_service.pam.environment.EMAIL: a text, and no claim: write \"{{ external.email }}\" if it is to be one\n"},
		{"a claim as in a shell", strings.Replace(everything, `"{{ external.email }}"`, `"${external.email}"`, 1), nil, false,
			"warning ssh_service.pam.environment.EMAIL: a text, and no claim: write \"{{ external.email }}\" if it is to be one\n"},
		{"a function outside of braces", strings.Replace(everything, `"{{ external.email }}"`, `'email.local(external["e-mail"])'`, 1), nil, false,
			"warning ssh_service.pam.environment.EMAIL: a text, and no claim: write '{{ email.local(external[\"e-mail\"]) }}' if it is to be one\n"},
		{"keys in homes", strings.Replace(everything, "DIR/keys/%u", "/home/%u/.ssh/authorized_keys", 1), nil, false,
			"warning ssh_service.authorized_keys: /home/%u/.ssh/authorized_keys is in the homes of users, "},
		{"a script that is not there", certificates, func(g ground) { os.Remove(g.dir + "/teleport_acct") }, true,
			"error DIR/pam.d/teleport:1: DIR/teleport_acct is not there; for more: pamhelper check teleport\n"},
		{"an open door where PAM proves", secondFactor, func(g ground) {
			g.write("pam.d/teleport", 0o644, "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n")
		}, true, "error DIR/pam.d/teleport:1: "},
		{"root is let in where PAM proves", secondFactor, func(g ground) {
			g.write("pam.d/teleport", 0o644, "auth sufficient pam_rootok.so\nauth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n")
		}, true, "error DIR/pam.d/teleport:1: the service teleport would not be served: pam_rootok.so in its auth lines lets in everybody " +
			"for a caller that is root, as the helper is; use a service without it\n"},
		{"root is let in where nobody asks", certificates, func(g ground) {
			g.write("pam.d/teleport", 0o644, "auth sufficient pam_rootok.so\nauth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n")
		}, false, "ok ssh_service.pam.service_name: the service teleport is read from DIR/pam.d/teleport, proof AGENT\n"},
		{"a service for root where PAM proves", strings.Replace(secondFactor, "teleport,", "su,", 1), func(g ground) {
			g.write("pam.d/su", 0o644, "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n")
		}, true, "error ssh_service.pam.service_name: the service su lets in everybody when it is asked by root, as the helper is, " +
			"so that it proves nothing and is not served; make a service of your own\n"},
		{"a service for root where the agent proves", strings.Replace(certificates, "teleport}", "su}", 1), func(g ground) {
			g.write("pam.d/su", 0o644, "account required pam_unix.so\nsession required pam_permit.so\n")
		}, false, "warning ssh_service.pam.service_name: the service su is made for root that becomes another user; make a service of your own for logins\n"},
		{"an open door that nobody uses", certificates, func(g ground) {
			g.write("pam.d/teleport", 0o644, "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n")
		}, false, "warning DIR/pam.d/teleport:1: "},
		{"a policy without the service", certificates, func(g ground) { g.write("policy", 0o644, `service { name: "sshd" }`) }, true,
			"error DIR/policy: the service teleport is not in it, and would be refused; compare with the policy below\n"},
		{"another proof", certificates, func(g ground) { g.write("policy", 0o644, `service { name: "teleport" }`) }, true,
			"error DIR/policy: the service teleport has proof PAM in it, and this configuration needs AGENT; compare with the policy below\n"},
		{"another order", passwords + "    account_first: yes\n", func(g ground) { g.write("policy", 0o644, `service { name: "passwords" }`) }, true,
			"error DIR/policy: the service passwords has account_first: false in it, and this configuration true; compare with the policy below\n"},
		{"no logins from elsewhere", passwords, func(g ground) { g.write("policy", 0o644, `service { name: "passwords" remote: false }`) }, true,
			"error DIR/policy: the service passwords has remote: false in it, "},
		{"variables that are not admitted", passwords + "    environment: {SITE: a, SITE_B: b, WHERE: c}\n",
			func(g ground) { g.write("policy", 0o644, `service { name: "passwords" variable: "SITE_*" }`) }, true,
			"error DIR/policy: the service passwords does not admit the variables SITE, WHERE in it, "},
		{"no policy", certificates, nil, false, "warning DIR/policy: is not there: the helper would serve sshd alone, with proof PAM; write the policy below into it\n"},
		{"a policy that is none", certificates, func(g ground) { g.write("policy", 0o644, "service: sshd\n") }, true,
			"error DIR/policy: is no policy, and the helper would serve nobody; where it is wrong says: pamhelper policy check DIR/policy\n"},
		{"a directory for a policy", certificates, func(g ground) { g.write("policy/x", 0o644, "") }, true, "error DIR/policy: the helper's policy: DIR/policy is no file of at most 2097152 bytes\n"},
		{"a broker", certificates, nil, false, "note helper: not looked at: the broker is reached only by a program that it has started; to try it, as root: pamhelper broker "},
		{"no socket", certificates + "helper: unix:DIR/sock\n", nil, true,
			"error helper: dial unix DIR/sock: connect: no such file or directory; there is no such socket; start it: systemctl start pamhelper.socket"},
		{"nobody behind the socket", certificates + "helper: unix:DIR/host_key\n", nil, true,
			"error helper: dial unix DIR/host_key: connect: connection refused; "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			if test.change != nil {
				test.change(g)
			}
			report, rows := g.run(test.text)
			if !strings.Contains(rows, test.want) || report.Failed() != test.failed {
				t.Errorf("got %v and\n%s\nwant %v and\n%s", report.Failed(), rows, test.failed, test.want)
			}
		})
	}
}
