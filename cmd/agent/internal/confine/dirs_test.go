package confine

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDirectoriesOfFiles(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"etc", "store"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"etc/a", "etc/b", "store/key"} {
		if err := os.WriteFile(filepath.Join(base, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../store/key", filepath.Join(base, "etc/key")); err != nil {
		t.Fatal(err)
	}
	got, err := DirsOf(filepath.Join(base, "etc/a"), filepath.Join(base, "etc/b"), filepath.Join(base, "etc/key"))
	want := []string{filepath.Join(base, "etc"), filepath.Join(base, "store")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if got, err := DirsOf(filepath.Join(base, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v, %v; want %v", got, err, os.ErrNotExist)
	}
}

// The process is not confined by a call that fails.
func TestDirectoriesThatARuleCannotBeAbout(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	toRoot := filepath.Join(dir, "root")
	if err := os.Symlink("/", toRoot); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		file:                       "name its directory",
		"/":                        "would confine nothing",
		toRoot:                     "would confine nothing",
	} {
		for _, c := range []Config{{ReadDirs: []string{path}}, {SocketDirs: []string{path}}} {
			if _, err := Confine(c); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want an error with %q", path, err, want)
			}
		}
	}
}

func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
