package worker

import (
	"os"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestBeginIsHeldToItsService(t *testing.T) {
	p, err := policy.Parse([]byte(`
		service { name: "sshd" }
		service { name: "vpn" remote: false allow_ruser: true variable: ["SITE_*", "REGION"] tty: "vpn" }
	`), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		service, rhost, ruser, variable string
		refused                         string
	}{
		{"sshd", "192.0.2.7", "", "", ""},
		{"sshd", "", "", "", "not a numeric address"},
		{"sshd", "host.example", "", "", "not a numeric address"},
		{"sshd", "fe80::1%eth0", "", "", "not a numeric address"},
		{"sshd", "192.0.2.7", "bob", "", "ruser is not taken"},
		{"sshd", "192.0.2.7", "", "SITE_NAME", "is not admitted"},
		{"sshd", "192.0.2.7", "", "TELEPORT_ROLES", ""},
		{"vpn", "", "", "", ""},
		{"vpn", "192.0.2.7", "", "", "not remote"},
		{"vpn", "", "bob", "", ""},
		{"vpn", "", "bob smith", "", "no user name"},
		{"vpn", "", "-oProxy", "", "no user name"},
		{"vpn", "", "", "SITE_NAME", ""},
		{"vpn", "", "", "REGION", ""},
		{"vpn", "", "", "REGION2", "is not admitted through service \"vpn\""},
		{"vpn", "", "", "TELEPORT_LOGIN", "is not admitted"},
		{"login", "192.0.2.7", "", "", "this helper serves: sshd, vpn"},
	} {
		b := &pb.Begin{Service: c.service, User: []byte("alice"), Rhost: c.rhost, Ruser: []byte(c.ruser)}
		if c.variable != "" {
			b.Variables = []*pb.Variable{{Name: []byte(c.variable), Value: []byte("x")}}
		}
		s, err := admit(p, b)
		if c.refused == "" && (err != nil || s.GetName() != c.service) || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%+v: service %q, %v", c, s.GetName(), err)
		}
	}
}

func TestTheTerminalIsTheServices(t *testing.T) {
	l := newFakeLoginOf(t, `tty: "web"`)
	l.drive(t, hello, begin, end)
	if got := l.fake.config.Tty; got != "web" {
		t.Errorf("PAM_TTY %q, want that of the policy", got)
	}
}

func TestVariablesThatModulesReadAreSetInTheProcess(t *testing.T) {
	names := []string{"SITE_NAME", "SITE_SECRET", "TELEPORT_LOGIN", "TELEPORT_ROLES"}
	for _, name := range names {
		t.Setenv(name, "") // and what is set here goes away again
		os.Unsetenv(name)
	}
	l := newFakeLoginOf(t, `variable: "SITE_*" module_getenv: ["SITE_NAME", "TELEPORT_LOGIN"] allow_canonical_user: true`)
	l.populate()
	l.fake.renames = map[pb.Step]string{pb.Step_ACCOUNT: "bob"}
	frames := []*pb.Request{{Body: &pb.Request_Begin{Begin: &pb.Begin{Service: "sshd", User: []byte("alice"), Rhost: "192.0.2.7", Variables: []*pb.Variable{
		{Name: []byte("SITE_NAME"), Value: []byte("east")}, {Name: []byte("SITE_SECRET"), Value: []byte("x")}, {Name: []byte("TELEPORT_ROLES"), Value: []byte("y")},
	}}}}}
	served := make(chan struct{})
	go func() {
		defer close(served)
		l.serve()
	}()
	conn := ipc.NewConn(l.agent)
	conn.Write(requests[hello], frames[0], requests[authenticate], requests[account], requests[end])
	for {
		if _, _, err := conn.ReadEvent(); err != nil {
			break
		}
	}
	<-served
	for name, want := range map[string]string{"SITE_NAME": "east", "SITE_SECRET": "", "TELEPORT_LOGIN": "bob", "TELEPORT_ROLES": ""} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s=%q in the process, want %q", name, got, want)
		}
	}
}

func TestCommandsAreThoseOfThePolicy(t *testing.T) {
	const sftp = "/usr/lib/openssh/sftp-server"
	for _, c := range []struct {
		commands, command string
		permitted         bool
	}{
		{"", "", true}, {"", "id", true},
		{"commands {}", "", false}, {"commands {}", "id", false},
		{"commands { shell: true }", "", true}, {"commands { shell: true }", "id", false},
		{`commands { line: "` + sftp + `" }`, sftp, true},
		{`commands { line: "` + sftp + `" }`, "", false},
		{`commands { line: "` + sftp + `" }`, sftp + " ", false},
		{`commands { line: "` + sftp + `" }`, sftp + "; id", false},
		{`commands { line: "` + sftp + `" }`, sftp[:len(sftp)-1], false},
		{`commands { shell: true line: "` + sftp + `" }`, "", true},
	} {
		l := newFakeLoginOf(t, c.commands)
		l.served = policy.ServiceOf(l.policy, "sshd")
		err := l.permits(&pb.Start{Command: []byte(c.command)})
		if (err == nil) != c.permitted {
			t.Errorf("%s, %q: %v, want it permitted: %v", c.commands, c.command, err, c.permitted)
		}
		if err != nil && !strings.Contains(err.Error(), "the policy allows: ") {
			t.Errorf("%s, %q: %v, want it to say what is allowed", c.commands, c.command, err)
		}
	}
}
