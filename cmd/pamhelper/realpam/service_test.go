package realpam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

var services atomic.Int32

// service writes a service file of its own and returns its name. Facilities
// that the lines leave out are permitted.
func service(t *testing.T, lines ...string) string {
	t.Helper()
	ready(t)
	name := fmt.Sprintf("test%d", services.Add(1))
	writeFile(t, "/etc/pam.d/"+name, complete(strings.Join(lines, "\n")))
	return name
}

// complete permits the facilities that a stack leaves out.
func complete(stack string) string {
	text := stack + "\n"
	for _, facility := range []string{"auth", "account", "password", "session"} {
		if !strings.Contains("\n"+text, "\n"+facility) {
			text += facility + " required pam_permit.so\n"
		}
	}
	return text
}

// script writes a shell script for pam_exec and returns the arguments that run
// it: as an argument of sh nothing that forks meanwhile can keep it busy.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	writeFile(t, path, text)
	return "/bin/sh " + path
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
