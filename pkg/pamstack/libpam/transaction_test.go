package libpam

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

// locked keeps the PAM calls of a test on one thread.
func locked(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// scripted answers prompts from a list and notes messages.
type scripted struct {
	answers  []string
	messages []string
}

func (s *scripted) Message(_ Style, text []byte) error {
	s.messages = append(s.messages, string(text))
	return nil
}

func (s *scripted) Prompt(_ Style, text []byte) ([]byte, error) {
	if len(s.answers) == 0 {
		return nil, errors.New("no answer left for " + string(text))
	}
	answer := []byte(s.answers[0])
	s.answers = s.answers[1:]
	return answer, nil
}

func (s *scripted) Binary(byte, []byte) (byte, []byte, error) {
	return 0, nil, errors.New("not supported")
}

func service(t *testing.T, lines ...string) Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "svc"), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return Config{Service: "svc", User: "root", ConfDir: dir, Conversation: &scripted{}, CrashFD: -1}
}

func TestStepsReturnPAMsCodes(t *testing.T) {
	locked(t)
	tx, status := Start(service(t,
		"auth required pam_permit.so",
		"account required pam_deny.so",
		"session required pam_permit.so"))
	if status != Success {
		t.Fatalf("start: %d %s", status, status.Text())
	}
	for _, step := range []struct {
		name string
		got  Status
		want Status
	}{
		{"authenticate", tx.Authenticate(0), Success},
		{"account", tx.Account(0), AuthErr},
		{"credentials", tx.Credentials(0), Success},
		{"open session", tx.OpenSession(0), Success},
		{"undo", tx.Undo(0), Success},
	} {
		if step.got != step.want {
			t.Errorf("%s = %d, want %d", step.name, step.got, step.want)
		}
	}
}

func TestMissingServiceIsAbort(t *testing.T) {
	locked(t)
	config := service(t)
	config.Service = "nosuch"
	if _, status := Start(config); status != Abort {
		t.Errorf("start = %d, want %d", status, Abort)
	}
}

func TestEnvironmentIsSortedAndKept(t *testing.T) {
	locked(t)
	config := service(t, "auth required pam_permit.so")
	config.Environment = []Variable{{"ZED", "z=1"}, {"ALPHA", ""}}
	tx, status := Start(config)
	if status != Success {
		t.Fatal(status.Text())
	}
	defer tx.End()
	got := tx.Environment()
	if len(got) != 2 || got[0] != (Variable{"ALPHA", ""}) || got[1] != (Variable{"ZED", "z=1"}) {
		t.Errorf("environment = %v", got)
	}
}

func TestCrashFrameIsTheSchemas(t *testing.T) {
	for _, c := range []struct {
		module, file string
		line         int
	}{
		{"", "", 0},
		{"pam_unix.so", "", 0},
		{"pam_unix.so", "/etc/pam.d/sshd", 3},
		{strings.Repeat("m", 99), strings.Repeat("f", 255), 65536},
		{strings.Repeat("m", 300), strings.Repeat("f", 300), 1},
	} {
		frame := crashFrame(11, c.module, c.file, c.line)
		var event pb.Event
		if err := proto.Unmarshal(frame[4:], &event); err != nil {
			t.Fatal(err)
		}
		want := &pb.Crash{Signal: 11, Module: c.module[:min(len(c.module), 99)], File: c.file[:min(len(c.file), 255)], Line: uint32(c.line)}
		length := len(frame) - 4
		if !bytes.Equal(frame[:4], []byte{0, 0, byte(length >> 8), byte(length)}) || !proto.Equal(event.GetCrash(), want) {
			t.Errorf("frame %x decodes to %v, want %v", frame, &event, want)
		}
	}
}
