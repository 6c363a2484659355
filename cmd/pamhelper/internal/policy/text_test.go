package policy

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

// everything has a value other than the default in every field.
const everything = `
service {
  name: "webterm"
  proof: AGENT
  tty: "web"
  remote: false
  allow_ruser: true
  allow_canonical_user: true
  users {
    allow: ["alice", "host$"] deny: "bob" allow_group: "domain users" deny_group: "Gäste"
    minimum_uid: 500 allow_root: true
  }
  commands { shell: true line: ["/usr/lib/openssh/sftp-server", "printf '%s\n' \"\\x\" \x01"] }
  variable: ["SITE_*", "ROLE"]
  module_getenv: ["SITE_A", "TELEPORT_LOGIN"]
  client_variables { name: ["a*", "TZ"] }
}
service { name: "sshd" allow_empty_password: true account_first: true commands {} client_variables {} }
service { name: "third" }
limits { logins: 2 unopened_logins: 1 logins_per_user: 3 starts_per_second: 4 starts_at_once: 5 }
deadlines { login: 6 prompt: 7 close: 8 hangup: 9 terminate: 10 }
login_records: false
kill_leftovers: true
agent: ["agent1", "agent2"]
`

func TestTextIsTheSamePolicyAgain(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"everything": everything, "little": sshd, "few logins": sshd + "limits { logins: 5 }",
		"empty messages": sshd + "limits {} deadlines {}",
	} {
		want, err := Parse([]byte(text), "F")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantSame(t, want)
	}
	wantSame(t, Builtin())
}

func wantSame(t *testing.T, want *pb.Policy) {
	t.Helper()
	text := Text(want)
	got, err := Parse(text, "F")
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v\nwant %v\nfrom\n%s", got, err, want, text)
	}
}

func TestTextHasEveryFieldWithItsComment(t *testing.T) {
	t.Parallel()
	text := string(Text(Builtin()))
	flat := strings.Join(strings.Fields(strings.ReplaceAll(text, "#", " ")), " ")
	for fd := range schemaFields() {
		if !strings.Contains(text, string(fd.Name())+":") && !strings.Contains(text, string(fd.Name())+" {") {
			t.Errorf("%s is not shown", fd.FullName())
		}
		for _, paragraph := range commentOf(fd) {
			if !strings.Contains(flat, paragraph) {
				t.Errorf("%s: not shown is: %s", fd.FullName(), paragraph)
			}
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > width+1 {
			t.Errorf("is wider than %d: %q", width, line)
		}
	}
}

func TestTextMarksDefaultsAndOnlyThose(t *testing.T) {
	t.Parallel()
	for line := range strings.Lines(string(Text(completed()))) {
		line = strings.TrimSpace(line)
		bare := line == "" || line[0] == '#' || line == "}" || strings.HasPrefix(line, "name: ") ||
			line == "service {" || line == "commands {"
		if bare == strings.HasSuffix(line, " # default") {
			t.Errorf("all of this is default but the service and its commands: %q", line)
		}
	}
	p, err := Parse([]byte(everything), "F")
	if err != nil {
		t.Fatal(err)
	}
	p.Service = p.Service[:1]
	for line := range strings.Lines(string(Text(p))) {
		hasDefault := strings.Contains(line, "account_first:") || strings.Contains(line, "allow_empty_password:") // impossible with AGENT
		if strings.HasSuffix(line, " # default\n") != hasDefault {
			t.Errorf("nothing of this is default: %q", line)
		}
	}
}

func TestTextExplainsEachFieldOnce(t *testing.T) {
	t.Parallel()
	p := &pb.Policy{Service: []*pb.Service{{Name: "a"}, {Name: "b"}, {Name: "c", Commands: &pb.Commands{}}}}
	if n := strings.Count(string(Text(p)), "The login shell, without a command"); n != 1 {
		t.Errorf("the shell is explained %d times, want once", n)
	}
}
