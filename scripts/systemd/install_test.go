package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// binaries makes a directory with files in place of what is built.
func binaries(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"pamhelper", "agent"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run runs install.sh under a umask that an administrator may have.
func run(bin, root, prefix, what string) (output string, err error) {
	return runWith("077", bin, root, prefix, what)
}

func runWith(umask, bin, root, prefix, what string) (output string, err error) {
	cmd := exec.Command("sh", "-c", "umask "+umask+"; exec ../install.sh "+what)
	cmd.Env = append(os.Environ(), "BIN="+bin, "DESTDIR="+root, "prefix="+prefix)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// installed installs everything and returns the root it is in.
func installed(t *testing.T, prefix string) (root string) {
	t.Helper()
	root = t.TempDir()
	if output, err := run(binaries(t), root, prefix, "install"); err != nil || output != "" {
		t.Fatalf("install: %v, %q; want nothing printed with DESTDIR", err, output)
	}
	return root
}

// tree lists the files of a root, as "MODE PATH".
func tree(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		var stat syscall.Stat_t
		err = syscall.Lstat(path, &stat)
		files = append(files, fmt.Sprintf("%o %s", stat.Mode, strings.TrimPrefix(path, root)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestInstallPutsEveryFileWhereItBelongs(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/usr/local", "/usr", "/opt/pamhelper-1.0"} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			want := []string{
				"100755 /bin/agent",
				"100644 /lib/systemd/system/pamhelper-agent.service",
				"100644 /lib/systemd/system/pamhelper-broker.service",
				"100644 /lib/systemd/system/pamhelper.socket",
				"100644 /lib/systemd/system/pamhelper@.service",
				"100644 /lib/sysusers.d/pamhelper.conf",
				"100644 /lib/tmpfiles.d/pamhelper.conf",
				"100755 /sbin/pamhelper",
				"100644 /share/man/man1/agent.1",
				"100644 /share/man/man5/agent.yaml.5",
				"100644 /share/man/man5/pamhelper-policy.5",
				"100644 /share/man/man8/pamhelper.8",
			}
			for i, file := range want {
				want[i] = strings.Replace(file, " ", " "+prefix, 1)
			}
			if got := tree(t, installed(t, prefix)); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestDirectoriesAreReadByAllAndWrittenByRootWhateverTheUmask(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"077", "002", "000"} {
		root := filepath.Join(t.TempDir(), "a b")
		if output, err := runWith(umask, binaries(t), root, "/usr/local", "install"); err != nil {
			t.Fatalf("install: %v, %q", err, output)
		}
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm() != 0o755 {
				t.Errorf("umask %s: %s has the mode %04o, want 0755", umask, strings.TrimPrefix(path, root), info.Mode().Perm())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestEveryFileOfThisDirectoryIsInstalledAsItIs(t *testing.T) {
	t.Parallel()
	root := installed(t, "/usr") // the prefix that they are written for
	for _, file := range unitFiles(t) {
		if ours, theirs := read(t, file), read(t, filepath.Join(root, targetOf(file))); ours != theirs {
			t.Errorf("%s: installed with another text:\n%s", file, theirs)
		}
	}
}

func TestEveryManualPageIsInstalled(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../cmd/*/*.[1-8]")
	if err != nil || len(pages) == 0 {
		t.Fatalf("manual pages: got %q, %v", pages, err)
	}
	root := installed(t, "/usr")
	for _, page := range pages {
		target := "usr/share/man/man" + filepath.Ext(page)[1:] + "/" + filepath.Base(page)
		if _, err := os.Stat(filepath.Join(root, target)); err != nil {
			t.Errorf("%s: %v; want it in the list of install.sh", page, err)
		}
	}
}

// unitFiles are the files here that are to be installed.
func unitFiles(t *testing.T) (files []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".go" {
			files = append(files, entry.Name())
		}
	}
	return files
}

// targetOf is where a file of this directory goes with the prefix /usr.
func targetOf(file string) string {
	for _, kind := range []string{"tmpfiles", "sysusers"} {
		if base, is := strings.CutSuffix(file, "."+kind+".conf"); is {
			return "usr/lib/" + kind + ".d/" + base + ".conf"
		}
	}
	return "usr/lib/systemd/system/" + file
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func TestUnitsNameThePathsThatAreInstalled(t *testing.T) {
	t.Parallel()
	const prefix = "/opt/x"
	root := installed(t, prefix)
	names := 0
	for _, file := range unitFiles(t) {
		text := read(t, filepath.Join(root, strings.Replace(targetOf(file), "usr/", prefix+"/", 1)))
		for _, word := range strings.Fields(text) {
			path := strings.TrimLeft(word[strings.Index(word, "=")+1:], "-@:+!")
			if base := filepath.Base(path); !strings.HasPrefix(path, "/") || base != "pamhelper" && base != "agent" || strings.HasPrefix(path, "/run/") || strings.HasPrefix(path, "/etc/") {
				continue
			}
			names++
			if info, err := os.Stat(filepath.Join(root, path)); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("%s names %s: %v; want a program that is installed", file, path, err)
			}
		}
		for page := range strings.FieldsSeq(documentation(text)) {
			name, section, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(page, "man:"), ")"), "(")
			if _, err := os.Stat(filepath.Join(root, prefix, "share/man/man"+section, name+"."+section)); err != nil {
				t.Errorf("%s names the manual page %s: %v", file, page, err)
			}
		}
	}
	if names < 5 {
		t.Errorf("%d names of programs were found in the units, want those of every Exec line", names)
	}
}

// documentation is what a unit's Documentation= says.
func documentation(unit string) string {
	_, after, _ := strings.Cut(unit, "\nDocumentation=")
	line, _, _ := strings.Cut(after, "\n")
	return line
}

func TestUninstallRemovesWhatInstallPut(t *testing.T) {
	t.Parallel()
	root := installed(t, "/usr/local")
	own := filepath.Join(root, "usr/local/bin/of-somebody-else")
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing is there
		if output, err := run("bin", root, "/usr/local", "uninstall"); err != nil {
			t.Errorf("uninstall: %v\n%s", err, output)
		}
	}
	if got, want := tree(t, root), []string{"100600 /usr/local/bin/of-somebody-else"}; !slices.Equal(got, want) {
		t.Errorf("left: got %q, want %q", got, want)
	}
}

func TestInstallReplacesAProgramThatRuns(t *testing.T) {
	t.Parallel()
	bin, root := binaries(t), t.TempDir()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sleep)
	if err := errors.Join(err, os.WriteFile(filepath.Join(bin, "agent"), program, 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if output, err := run(bin, root, "/usr", "install"); err != nil {
			t.Fatalf("install: %v\n%s", err, output)
		}
		running := exec.Command(filepath.Join(root, "usr/bin/agent"), "1000")
		if err := running.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { running.Process.Kill(); running.Wait() })
	}
}

func TestInstallSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, bin, prefix, what, says string }{
		{"nothing is built", t.TempDir(), "/usr", "install", "run: make build"},
		{"a relative prefix", binaries(t), "usr", "install", "has to be an absolute path"},
		{"a prefix with a blank", binaries(t), "/opt/my programs", "install", "characters that unit files do not take"},
		{"a prefix with a specifier", binaries(t), "/opt/%i", "install", "characters that unit files do not take"},
		{"neither", binaries(t), "/usr", "remove", "install|uninstall"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if output, err := run(c.bin, root, c.prefix, c.what); err == nil || !strings.Contains(output, c.says) {
				t.Errorf("got %v, %q; want a failure that says %q", err, output, c.says)
			}
			if files := tree(t, root); len(files) > 0 {
				t.Errorf("installed all the same: %q", files)
			}
		})
	}
}
