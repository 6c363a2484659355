package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// Whole logins beside other programs are measured by make bench, in scripts/bench.

var wholeLogin = []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.CloseSession, ipc.End}

// What it costs to know which line decided: whole logins, a worker each, through
// four lines and through as many as Debian's sshd has, with modules that work.
// The runs alternate, so that what else the machine does meets all alike, and the
// medians are shown.
func BenchmarkTracing(b *testing.B) {
	helper := buildHelper(b)
	for _, stack := range []struct {
		name  string
		lines string
	}{{"four lines", permitAll}, {"a real stack", manyLines}} {
		confdir := benchService(b, stack.lines)
		b.Run(stack.name, func(b *testing.B) {
			ways := []struct {
				name  string
				extra []string
				trace bool
				spent []time.Duration
			}{{name: "without", extra: []string{"--untraced"}}, {name: "with"}, {name: "sent", trace: true}}
			for b.Loop() {
				for i := range ways {
					way := &ways[i]
					args := append([]string{"--debug", "--confdir", confdir}, way.extra...)
					began := time.Now()
					client, err := ipc.Dial(b.Context(), ipc.Exec{Path: helper, Args: args}, ipc.Options{Trace: way.trace})
					if err != nil {
						b.Fatal(err)
					}
					login(b, client)
					client.Close()
					way.spent = append(way.spent, time.Since(began))
				}
			}
			b.ReportMetric(0, "ns/op")
			for _, way := range ways {
				slices.Sort(way.spent)
				b.ReportMetric(float64(way.spent[len(way.spent)/2].Microseconds()), "µs/"+way.name)
			}
		})
	}
}

func login(b *testing.B, client *ipc.Client) {
	if _, err := client.Login(b.Context(), ipc.Login{Service: "bench", User: "root"}, wholeLogin...); err != nil {
		b.Fatal(err)
	}
}

const permitAll = `auth required pam_permit.so
account required pam_permit.so
password required pam_permit.so
session required pam_permit.so
`

const manyLines = `auth required pam_env.so
auth requisite pam_nologin.so
auth [success=2 default=ignore] pam_rootok.so
auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
auth optional pam_group.so
account required pam_nologin.so
account [success=1 default=ignore] pam_unix.so
account requisite pam_deny.so
account required pam_permit.so
session required pam_env.so
session required pam_limits.so
session [default=1] pam_permit.so
session requisite pam_deny.so
session required pam_permit.so
session required pam_unix.so
session optional pam_mail.so standard
session optional pam_motd.so noupdate
password [success=1 default=ignore] pam_unix.so yescrypt
password requisite pam_deny.so
password required pam_permit.so
`

func benchService(b *testing.B, lines string) string {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bench"), []byte(lines), 0o644); err != nil {
		b.Fatal(err)
	}
	return dir
}

func buildHelper(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "pamhelper")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return path
}
