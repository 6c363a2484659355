package policy

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/pamhelper/pamhelper/proto"
)

// FuzzParse: what is read is written to the same policy, every value of it has its
// place; what is not read has a problem of one line.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		sshd, everything, string(Text(Builtin())),
		"service: < name: 'a', users: { allow: [ 'x', \"y\" ]; } >\nservice { name: 'b' tty: 'w' # comment\n 'e' \"b\" }",
		"service [ { name: \"\\141\" }, ] limits { logins: - 5 }", "servce {}", "service { name: \"", "[a.b] <1: {}>", "a: 0x1F b: 1.5e3f",
		inService(`variable: "PERL_*"`), "service { name: 'x' proof: 7 } service {}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parse(text, "F")
		if err != nil {
			wantProblems(t, err)
			return
		}
		again, err := Parse(Text(file.Policy), "F")
		if err != nil || !proto.Equal(again, file.Policy) {
			t.Errorf("got %v, %v; want %v", again, err, file.Policy)
		}
		wantPlaces(t, findPlaces(Text(file.Policy)), file.Policy.ProtoReflect(), "")
		written := &pb.Policy{} // without the defaults
		if err := prototext.Unmarshal(text, written); err != nil {
			t.Fatal(err)
		}
		wantPlaces(t, file.places(), written.ProtoReflect(), "")
	})
}

func wantProblems(t *testing.T, err error) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) {
		t.Errorf("got %T, want a *Problem: %v", err, err)
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, "F:") || strings.ContainsAny(line, "\x00\x1b\u00a0") {
			t.Errorf("%q is not a problem of F on one line", line)
		}
	}
}

func wantPlaces(t *testing.T, p places, m protoreflect.Message, path string) {
	t.Helper()
	m.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name := path + string(fd.Name())
		if !fd.IsList() {
			wantPlace(t, p, fd, value, name)
			return true
		}
		for i := range value.List().Len() {
			wantPlace(t, p, fd, value.List().Get(i), element(name, i))
		}
		return true
	})
}

func wantPlace(t *testing.T, p places, fd protoreflect.FieldDescriptor, value protoreflect.Value, path string) {
	t.Helper()
	at, found := p.at[path]
	if !found || p.values[at] != fd {
		t.Errorf("%s has no place, or one of %v", path, p.values[at])
	}
	if fd.Message() != nil {
		wantPlaces(t, p, value.Message(), path+".")
	}
}
