package loginrecord

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
)

var files = map[string]os.FileMode{
	"/run/utmp": 0o664, "/var/log/wtmp": 0o664, "/var/log/lastlog": 0o664, "/var/log/btmp": 0o660,
}

// machine empties the login records, or skips the test where they are not ours.
func machine(t *testing.T) {
	t.Helper()
	if skipReason != "" {
		t.Skip(skipReason)
	}
	for path, mode := range files {
		os.Remove(path)
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}

func mustRecord(t *testing.T, f func(Entry) error, e Entry) {
	t.Helper()
	if err := onMain(func() error { return f(e) }); err != nil {
		t.Fatalf("record %+v: got error %v, want none", e, err)
	}
}

// shown returns what a tool prints, with its columns one space apart.
func shown(t *testing.T, tool string, args ...string) string {
	t.Helper()
	out, err := exec.Command(tool, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", tool, args, err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func wantShown(t *testing.T, want, tool string, args ...string) {
	t.Helper()
	if got := shown(t, tool, args...); !strings.Contains(got, want) {
		t.Errorf("%s %v: got\n%s\nwant a line with %q", tool, args, got, want)
	}
}

func wantNotShown(t *testing.T, unwanted, tool string, args ...string) {
	t.Helper()
	if got := shown(t, tool, args...); strings.Contains(got, unwanted) {
		t.Errorf("%s %v: got\n%s\nwant nothing with %q", tool, args, got, unwanted)
	}
}

func wantSize(t *testing.T, path string, want int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != want {
		t.Errorf("size of %s: got %d, want %d", path, info.Size(), want)
	}
}

func wantMissing(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: got %v, want it not created", path, err)
	}
}
