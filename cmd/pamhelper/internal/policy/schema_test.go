package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/pamhelper/pamhelper/proto"
)

// completed is a policy in which every message is there, with the defaults.
func completed() *pb.Policy {
	p := &pb.Policy{Service: []*pb.Service{{Name: "sshd", Commands: &pb.Commands{}}}}
	complete(p)
	return p
}

func TestEveryFieldHasItsCommentInTheSchema(t *testing.T) {
	t.Parallel()
	count := 0
	for fd := range schemaFields() {
		count++
		if len(commentOf(fd)) == 0 {
			t.Errorf("%s has no comment, nor has its message: what it does, and its default, is shown from there", fd.FullName())
		}
	}
	if count < 30 {
		t.Errorf("looked at %d fields, want all of the schema", count)
	}
}

func TestDefaultsAreThoseOfTheSchemasComments(t *testing.T) {
	t.Parallel()
	checked := 0
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		for i := range m.Descriptor().Fields().Len() {
			fd := m.Descriptor().Fields().Get(i)
			value := m.Get(fd)
			switch {
			case fd.IsList() && fd.Message() != nil:
				walk(value.List().Get(0).Message())
			case fd.Name() == "client_variables":
				checked++
				wantDefault(t, fd, strings.Join(value.Message().Interface().(*pb.Names).Name, ", "))
			case fd.Message() != nil:
				walk(value.Message())
			case fd.HasPresence():
				checked++
				if !m.Has(fd) {
					t.Errorf("%s is not filled in", fd.FullName())
				}
				wantDefault(t, fd, scalar(fd, value))
			}
		}
	}
	walk(completed().ProtoReflect())
	if checked < 20 {
		t.Errorf("looked at %d defaults, want those of all optional fields", checked)
	}
}

func wantDefault(t *testing.T, fd protoreflect.FieldDescriptor, filled string) {
	t.Helper()
	comment := comments()[fd.FullName()]
	if !regexp.MustCompile(`Default: ` + regexp.QuoteMeta(filled) + `(\.|, [a-z])`).MatchString(comment) {
		t.Errorf("%s: filled in is %s, and its comment says: %s", fd.FullName(), filled, comment)
	}
}

var rangeText = regexp.MustCompile(`(\d+) to (\d+|logins)\.`)

func TestRangesAreThoseOfTheSchemasComments(t *testing.T) {
	t.Parallel()
	checked := 0
	for fd := range schemaFields() {
		if fd.Kind() != protoreflect.Uint32Kind || fd.Name() == "minimum_uid" { // any number is a uid
			continue
		}
		m := rangeText.FindStringSubmatch(comments()[fd.FullName()])
		if m == nil {
			t.Errorf("%s: its comment says no range: %s", fd.FullName(), comments()[fd.FullName()])
			continue
		}
		checked++
		least, _ := strconv.Atoi(m[1])
		most, err := strconv.Atoi(m[2])
		if err != nil {
			most = defaultLogins
		}
		wantInRange(t, fd, least, true)
		wantInRange(t, fd, most, true)
		wantInRange(t, fd, most+1, false)
		if least > 0 {
			wantInRange(t, fd, least-1, false)
		}
	}
	if checked != 10 {
		t.Errorf("looked at %d ranges, want 10", checked)
	}
}

func wantInRange(t *testing.T, fd protoreflect.FieldDescriptor, n int, good bool) {
	t.Helper()
	text := fmt.Sprintf("%s%s { %s: %d }", sshd, fieldOf(fd.ContainingMessage()), fd.Name(), n)
	if _, err := Parse([]byte(text), "F"); (err == nil) != good {
		t.Errorf("%s: got %v, want it taken: %v", text, err, good)
	}
}

func TestFewLoginsHaveNoMoreUnopenedOnes(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte(sshd+"limits { logins: 50 }"), "F")
	if err != nil || p.Limits.GetUnopenedLogins() != 50 {
		t.Errorf("got %v, %v; want 50 unopened_logins", p.GetLimits(), err)
	}
}

func TestCommandsStayLeftOut(t *testing.T) {
	t.Parallel()
	p, err := Parse([]byte(sshd+`service { name: "b" commands {} client_variables {} }`), "F")
	if err != nil {
		t.Fatal(err)
	}
	if p.Service[0].Commands != nil {
		t.Errorf("without commands: got %v, want nil: everything", p.Service[0].Commands)
	}
	if c := p.Service[1].Commands; c == nil || c.Shell == nil || *c.Shell || len(c.Line) > 0 {
		t.Errorf("commands {}: got %v, want nothing, with shell filled in", c)
	}
	if v := p.Service[1].ClientVariables; v == nil || len(v.Name) > 0 {
		t.Errorf("client_variables {}: got %v, want an empty list", v)
	}
}
