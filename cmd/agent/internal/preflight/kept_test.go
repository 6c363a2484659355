package preflight

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWhatOnlyRootReadsIsNotSaidToBeMissing: the agent's user runs the check, and
// the helper reads PAM's files as root.
func TestWhatOnlyRootReadsIsNotSaidToBeMissing(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to read as a user who may not")
	}
	const looked = "warning ssh_service.pam.service_name: the service teleport was not looked at: DIR/pam.d/FILE is not for this user to read, " +
		"and the helper reads it as root; run this as root too\n"
	for _, test := range []struct {
		name   string
		change func(g ground)
		want   string
	}{
		{"the service", func(g ground) { os.Chmod(g.dir+"/pam.d/teleport", 0o600) }, strings.Replace(looked, "FILE", "teleport", 1)},
		{"the directory of services", func(g ground) { os.Chmod(g.dir+"/pam.d", 0o700) }, strings.Replace(looked, "FILE", "teleport", 1)},
		{"a file that it includes", func(g ground) {
			g.write("pam.d/teleport", 0o644, "account include DIR/pam.d/own\nsession required pam_permit.so\n")
			g.write("pam.d/own", 0o600, "account required pam_permit.so\n")
		}, strings.Replace(looked, "FILE", "own", 1)},
		{"a file that all of it includes", func(g ground) {
			g.write("pam.d/teleport", 0o644, "@include DIR/pam.d/own\n")
			g.write("pam.d/own", 0o600, "account required pam_permit.so\nsession required pam_permit.so\n")
		}, strings.Replace(looked, "FILE", "own", 1)},
		{"the directory of a script", func(g ground) {
			g.write("scripts/acct", 0o755, "#!/bin/sh\n")
			g.write("pam.d/teleport", 0o644, "account required pam_exec.so DIR/scripts/acct\nsession required pam_permit.so\n")
			os.Chmod(g.dir+"/scripts", 0o700)
		}, "warning DIR/pam.d/teleport:1: whether DIR/scripts/acct is there is not for this user to see; check it as root; for more: "},
		{"the directory of a module's file", func(g ground) {
			g.write("lists/users", 0o644, "alice\n")
			g.write("pam.d/teleport", 0o644, "account required pam_listfile.so item=user sense=allow file=DIR/lists/users\nsession required pam_permit.so\n")
			os.Chmod(g.dir+"/lists", 0o700)
		}, "warning DIR/pam.d/teleport:1: whether DIR/lists/users is there is not for this user to see; check it as root; for more: "},
	} {
		g := newGround(t)
		os.Chmod(filepath.Dir(g.dir), 0o755) // t.TempDir's own is root's
		test.change(g)
		rows := asNobody(t, func() string { _, rows := g.run(certificates); return rows })
		if !strings.Contains(rows, test.want) || strings.Contains(rows, "error DIR/pam.d") || strings.Contains(rows, "error ssh_service.pam") {
			t.Errorf("%s: got\n%s\nwant no error about PAM, and\n%s", test.name, rows, test.want)
		}
	}
}

// asNobody reads files as a user who owns none.
func asNobody(t *testing.T, read func() string) string {
	t.Helper()
	got := make(chan string)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends with its user
		if err := unix.Setfsuid(64001); err != nil {
			got <- err.Error()
			return
		}
		got <- read()
	}()
	return <-got
}
