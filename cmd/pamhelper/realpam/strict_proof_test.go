package realpam_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// helperWithOnly returns a helper whose /etc/pam.d holds just these files.
func helperWithOnly(t *testing.T, files map[string]string) string {
	t.Helper()
	ready(t)
	dir := t.TempDir()
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	helper := t.TempDir() + "/helper"
	writeFile(t, helper, `#!/bin/sh
exec unshare --mount sh -c 'mount --bind `+dir+` /etc/pam.d && exec `+pamhelper+` "$@"' sh "$@"
`)
	if err := os.Chmod(helper, 0o755); err != nil {
		t.Fatal(err)
	}
	return helper
}

func TestServiceThatProvesNothingIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sshd, refused string // "": served
	}{
		{"root is let in", "auth sufficient pam_rootok.so\nauth required pam_unix.so\n", "pam_rootok.so (/etc/pam.d/sshd:1)"},
		{"in a substack", "auth required pam_env.so\nauth substack deep\nauth required pam_unix.so\n", "pam_rhosts.so (/etc/pam.d/deep:1)"},
		{"for the account only", "auth required pam_unix.so\naccount sufficient pam_rootok.so\n", ""},
		{"in other, whose lines count", "account required pam_unix.so\n", "pam_timestamp.so (/etc/pam.d/other:1)"},
		{"in other, whose lines do not", "auth required pam_unix.so\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, _ := dialHelper(t, &person{}, helperWithOnly(t, map[string]string{
				"sshd": c.sshd, "deep": "auth optional pam_rhosts.so\n", "other": "auth sufficient pam_timestamp.so\n",
			}))
			_, err := client.Begin(t.Context(), loginOf("alice"))
			if c.refused == "" && err == nil {
				return
			}
			var refused *ipc.RefusedError
			if c.refused == "" || !errors.As(err, &refused) || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("got %v, want it refused because of %q", err, c.refused)
			}
		})
	}
}

func TestServiceWithoutAFileIsNotServedAsOther(t *testing.T) {
	t.Parallel()
	client, _ := dialHelper(t, &person{}, helperWithOnly(t, map[string]string{
		"other": "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
	}))
	_, err := client.Begin(t.Context(), loginOf("alice"))
	var refused *ipc.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "write /etc/pam.d/sshd") {
		t.Errorf("got %v, want it refused because there is no file", err)
	}
}
