package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

const sshd = `service { name: "sshd" }` + "\n"

func TestTextThatIsNoPolicyIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", `F: no service; a policy names those that are served, such as: service { name: "sshd" }`},
		{"only comments", "# nothing\n", `F: no service;`},
		{"only limits", "limits { logins: 5 }", `F: no service;`},
		{"byte order mark", "\ufeff" + sshd, "F:1:1: begins with a byte order mark"},
		{"UTF-16", "\xff\xfes\x00", "F:1:1: begins with a byte order mark"},
		{"NUL", sshd + "\x00", "F:2:1: a NUL"},
		{"NUL in a comment", sshd + "# \x00", "F:2:3: a NUL"},
		{"Latin-1", sshd + "# Gr\xfc\xdfe", "F:2:5: byte 0xfc is not UTF-8"},
		{"unknown field", sshd + "servce {}", "F:2:1: unknown field servce; is service meant?"},
		{"unknown field inside", `service { name: "sshd" allow_roots: true }`, "F:1:24: unknown field allow_roots in service; allow_root is a field of users"},
		{"field of something else", sshd + "tty: \"x\"", "F:2:1: unknown field tty; tty is a field of service"},
		{"field of two others", `service { name: "sshd" login: 5 }`, "F:1:24: unknown field login in service; login is a field of deadlines"},
		{"unknown field like no other", `service { users { zzzzzz: 1 } }`, "F:1:19: unknown field zzzzzz in users; there are allow, deny, allow_group, deny_group, minimum_uid, allow_root"},
		{"letters that are not ASCII", "# äöü\n  service { ü: 1 }", "F:2:13: unknown field ü in service; there are name, "},
		{"place behind letters that are not ASCII", `service { name: "ä" proof: WRONG }`, "F:1:28: proof wants PAM or AGENT, not WRONG"},
		{"field by number", "1: 2", "F:1:1: not text format: cannot specify field by number"},
		{"unknown number", "99: 2", "F:1:1: not text format: unknown field: 99"},
		{"extension", "[foo.bar] {}", "F:1:1: not text format: unknown field: [foo.bar]"},
		{"number for a text", "service { name: 1 }", "F:1:17: name wants a text in UTF-8 and in quotes, not 1"},
		{"word for a text", `service { name: "sshd" users { deny: ["a", b] } }`, "F:1:44: deny wants a text in UTF-8 and in quotes, not b"},
		{"text for a number", `limits { logins: "5" }`, `F:1:18: logins wants a whole number from 0 to 4294967295, not "5"`},
		{"negative number", "limits { logins: -1 }", "F:1:18: logins wants a whole number from 0 to 4294967295, not -1"},
		{"fraction", "limits { logins: 1.5 }", "F:1:18: logins wants a whole number from 0 to 4294967295, not 1.5"},
		{"number that is too large", "limits { logins: 4294967296 }", "F:1:18: logins wants a whole number from 0 to 4294967295, not 4294967296"},
		{"neither true nor false", "login_records: yes", "F:1:16: login_records wants true or false, not yes"},
		{"list for one", "login_records: [true]", "F:1:16: login_records wants true or false, not ["},
		{"unknown word of an enum", `service { name: "sshd" proof: CERTIFICATE }`, "F:1:31: proof wants PAM or AGENT, not CERTIFICATE"},
		{"enum in quotes", `service { name: "sshd" proof: "PAM" }`, `F:1:31: proof wants PAM or AGENT, not "PAM"`},
		{"value for a message", "service: \"sshd\"", `F:1:10: service wants { and its fields, not "sshd"`},
		{"twice", "service { name: \"sshd\"\nname: \"su\" }", "F:2:1: name is given twice; leave one"},
		{"number twice", "limits { logins: 1\nlogins: 2 }", "F:2:1: logins is given twice; leave one"},
		{"comma behind the last", `service { name: "sshd" users { deny: ["a", ] } }`, "F:1:44: a value is missing before the ]; remove the comma"},
		{"message twice", "limits {}\nlimits {}", "F:2:1: limits is given twice; leave one"},
		{"no colon", `service { name "sshd" }`, "F:1:11: name needs a : before its value"},
		{"not closed", "service {\n  name: \"sshd\"\n", "F:3:1: the file ends in the middle"},
		{"closed too often", sshd + "}", "F:2:1: not text format: "},
		{"quote not closed", "service { name: \"sshd }\n", "F:1:17: the text of name is not right: "},
		{"wrong escape", `service { name: "\q" }`, "F:1:17: the text of name is not right: "},
		{"bytes that are not UTF-8", `service { name: "\xff" }`, "F:1:17: the text of name is not right: contains invalid UTF-8"},
		{"JSON", `{"service": [{"name": "sshd"}]}`, "F:1:1: not text format: "},
		{"YAML", "service:\n  - name: sshd\n", "F:2:3: service wants { and its fields, not -"},
		{"comment of another language", "// x\n" + sshd, "F:1:1: not text format; a comment begins with #"},
		{"control characters", "service { name: \x1b[2J }", `F:1:17: name wants a text in UTF-8 and in quotes, not \x1b`},
		{"too large", sshd + strings.Repeat("#\n", maxSize/2), "F: is larger than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse([]byte(test.text), "F")
			if err == nil {
				t.Fatalf("got %v, want an error that begins with %q", p, test.want)
			}
			if got := err.Error(); !strings.HasPrefix(got, test.want) || strings.ContainsAny(got, "\n\u00a0\x1b") {
				t.Errorf("got  %q\nwant %q at its beginning, on one line", got, test.want)
			}
		})
	}
}

func TestAllFormsOfTheTextFormatAreRead(t *testing.T) {
	t.Parallel()
	want, err := Parse([]byte(`service { name: "a" users { allow: "x" allow: "y" } } service { name: "b" tty: "web" }`), "F")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"service: < name: 'a', users: { allow: [ 'x', \"y\" ]; } >\nservice { name: 'b' tty: 'w' # comment\n 'e' \"b\" }",
		`service: [ { name: "\141" users { allow: "x" allow: "\x79" } }, { name: "b" tty: "web" } ]`,
		"service { name: \"a\" proof: 0 users { allow: \"x\" allow: \"y\" } }\r\nservice { name: \"b\" tty: \"web\" remote: 1 }\r\n",
	} {
		got, err := Parse([]byte(text), "F")
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestLargestFileIsRead(t *testing.T) {
	t.Parallel()
	text := sshd + strings.Repeat("#", maxSize-len(sshd))
	if _, err := Parse([]byte(text), "F"); err != nil {
		t.Errorf("%d bytes: got %v, want none", len(text), err)
	}
}

func TestOpenPolicyIsReadFromItsBeginningByEveryReader(t *testing.T) {
	t.Parallel()
	f := openText(t, sshd)
	for range 2 {
		p, err := Read(f, "F")
		if err != nil || !proto.Equal(p, Builtin()) {
			t.Errorf("got %v, %v; want the built-in policy", p, err)
		}
	}
	if at, err := f.Seek(0, 1); err != nil || at != 0 {
		t.Errorf("the descriptor stands at %d (%v), want 0: others read it too", at, err)
	}
}

func TestReadTakesNoPipeAndNothingLarge(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close() // nobody writes: a read would wait
	large := openText(t, sshd)
	if err := large.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, test := range []struct {
		name string
		file *os.File
		want string
	}{
		{"pipe", r, "F: is a FIFO; a policy is a regular file"},
		{"large", large, "F: is larger than 1048576 bytes, the most a policy can have"},
		{"directory", dir, "F: is a directory; name the file in it"},
	} {
		if _, err := Read(test.file, "F"); err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

func TestMemoryFileIsRead(t *testing.T) {
	t.Parallel()
	fd, err := unix.MemfdCreate("policy", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "policy")
	defer f.Close()
	if _, err := f.WriteString(sshd); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(f, "F"); err != nil {
		t.Errorf("got %v, want none", err)
	}
}

func openText(t *testing.T, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestServiceOfKnowsOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	p := &pb.Policy{Service: []*pb.Service{{Name: "a"}, {Name: "b"}}}
	for name, want := range map[string]*pb.Service{"a": p.Service[0], "b": p.Service[1], "c": nil, "": nil, "A": nil} {
		if got := ServiceOf(p, name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}
