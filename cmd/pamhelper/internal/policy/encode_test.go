package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

func TestWhatIsEncodedIsReadAsTheSamePolicy(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`service { name: "sshd" }`,
		`service { name: "a" proof: AGENT users { allow: "alice" allow_root: true } commands { line: "true" } variable: "SITE_NAME" }
		 service { name: "b" client_variables {} } limits { logins: 5 } deadlines { hangup: 0 } login_records: false agent: "agent"`,
	} {
		want, err := Parse([]byte(text), "text")
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(written(t, encoded), "fd:4")
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestWhatIsEncodedIsNoPolicyForAFile(t *testing.T) {
	t.Parallel()
	encoded, err := Encode(Builtin())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDraft(written(t, encoded).Name()); err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Errorf("got %v, want it refused as no text", err)
	}
}

func TestWhatIsEncodedAndCutOffIsRefused(t *testing.T) {
	t.Parallel()
	encoded, err := Encode(Builtin())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Read(written(t, encoded[:len(encoded)-1]), "fd:4"); err == nil {
		t.Errorf("got %v, want an error", p)
	}
}

func written(t *testing.T, content []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
