package realpam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stacked is what every helper of helperWith is a symbolic link to: a script
// that nobody writes any more when it is run.
const stacked = base + "/stacked"

// stackedScript enters a mount namespace with the files that lie beside its
// name, and becomes the helper. Like withPID it first writes its process id.
const stackedScript = `#!/bin/sh
[ -n "${STACKED-}" ] || STACKED=${0%/*} exec unshare --mount "$0" "$@"
echo pid=$$ >&2
. "$STACKED/mounts" || exit 1
unset STACKED
exec ` + pamhelper + ` "$@"
`

// makeStacked is part of making the machine.
func makeStacked() error { return os.WriteFile(stacked, []byte(stackedScript), 0o755) }

// helperWith returns a helper that sees a stack of its own as the service sshd,
// and files of its own in place of the machine's, by their paths, which have to
// exist there. Facilities that the stack leaves out are permitted. It takes all
// arguments of pamhelper ("sweep" too), and pidOf reads its log.
func helperWith(t *testing.T, stack string, files map[string]string) string {
	t.Helper()
	ready(t)
	dir := t.TempDir()
	mounts := "set -e\n"
	mount := func(path, text string) {
		own := filepath.Join(dir, strings.ReplaceAll(path, "/", "+"))
		writeFile(t, own, text)
		mounts += fmt.Sprintf("mount --bind '%s' '%s'\n", own, path)
	}
	mount("/etc/pam.d/sshd", complete(stack))
	for path, text := range files {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("a file to put another one over: %v", err)
		}
		mount(path, text)
	}
	writeFile(t, filepath.Join(dir, "mounts"), mounts)
	helper := filepath.Join(dir, "pamhelper")
	if err := os.Symlink(stacked, helper); err != nil {
		t.Fatal(err)
	}
	return helper
}

func TestAHelperCanHaveItsOwnStackAndFiles(t *testing.T) {
	t.Parallel()
	helper := helperWith(t, "session required pam_env.so", map[string]string{"/etc/environment": "COLOUR=blue\n"})
	client, log := openSessionWith(t, loginOf("alice"), helper)
	if got := runIn(t, client, `echo "$COLOUR"`, ""); got.stdout != "blue\n" {
		t.Errorf("got %q, want COLOUR of the helper's own /etc/environment", got.stdout)
	}
	name := readFile(t, fmt.Sprintf("/proc/%d/comm", pidOf(t, log)))
	if name != "pamhelper\n" {
		t.Errorf("the process in the log is %q, want the worker", name)
	}
	if got := readFile(t, "/etc/environment"); got != "" {
		t.Errorf("/etc/environment of the machine: got %q, want it as it was", got)
	}
}
