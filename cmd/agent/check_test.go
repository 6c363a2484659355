package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/preflight"
)

// checked is the output of "agent check" on a configuration, and its status.
func checked(t *testing.T, text string, args ...string) (out string, status int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	cmd := checkCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&b)
	cmd.SetArgs(append([]string{"--config", file}, args...))
	status = statusOf(cmd.Execute())
	return strings.ReplaceAll(b.String(), file, "FILE"), status
}

// confdir has a service that lets nobody in, and nothing is wrong with it.
func confdir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	deny := "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\npassword required pam_deny.so\n"
	for _, name := range []string{"passwords", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(deny), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCheckTellsAllProblemsOfAConfiguration(t *testing.T) {
	t.Parallel()
	got, status := checked(t, "ssh_service:\n  pam: {enable: yes}\n  port: 22\n")
	want := `error    FILE:2:9: ssh_service.pam.enable is not known; did you mean enabled?
error    FILE:3:3: ssh_service.port is not known; the keys of ssh_service are enabled, listen_addr, host_keys, ` +
		`trusted_user_ca_keys, authorized_keys, password_service_name, pam, login_timeout, max_unauthenticated_connections, ` +
		`max_channels, keepalive_interval, keepalive_count_max, drain_timeout
2 errors, 0 warnings
`
	if got != want || status != exitFound {
		t.Errorf("got %d and\n%s\nwant %d and\n%s", status, got, exitFound, want)
	}
}

func TestCheckPrintsItemsAndThePolicy(t *testing.T) {
	t.Parallel()
	dir := confdir(t)
	got, status := checked(t, "ssh_service: {host_keys: [/nosuch], password_service_name: passwords, pam: {enabled: yes}}", "--confdir", dir)
	for _, want := range []string{
		"ok       ssh_service.password_service_name: the service passwords is read from " + dir + "/passwords, proof PAM\n",
		"error    ssh_service.host_keys: open /nosuch: no such file or directory; make it: ssh-keygen -t ed25519 -N '' -f /nosuch\n",
		"service {\n  name: \"passwords\"\n  proof: PAM\n}\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant it to hold\n%s", got, want)
		}
	}
	if status != exitFound {
		t.Errorf("got status %d, want %d", status, exitFound)
	}
}

func TestCheckPrintsOneJSONObject(t *testing.T) {
	t.Parallel()
	got, status := checked(t, "ssh_service: {}", "--json")
	var report preflight.Report
	if err := json.Unmarshal([]byte(got), &report); err != nil || status != exitFound {
		t.Fatalf("got %v, status %d and %s, want an object and %d", err, status, got, exitFound)
	}
	if len(report.Items) != 1 || report.Items[0].Level != preflight.Error || report.Items[0].About != "FILE:1:1" {
		t.Errorf("got %+v, want one error in FILE:1:1", report.Items)
	}
}

func TestCheckHasAStatusOfItsOwnForWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no file":     {"--config", "/nosuch"},
		"a directory": {"--config", "/"},
		"an argument": {"agent.yaml"},
	} {
		if got, status := checked(t, "", args...); status != exitUsage || got != "" {
			t.Errorf("%s: got %d and %q, want %d and nothing printed", name, status, got, exitUsage)
		}
	}
}

func TestCheckOfARightConfigurationIsZero(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	text := "ssh_service: {host_keys: [" + key + "], password_service_name: passwords, pam: {enabled: yes}}"
	policy := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(policy, []byte(`service { name: "passwords" }`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, status := checked(t, text, "--confdir", confdir(t), "--policy", policy); status != 0 || !strings.HasSuffix(got, "\n0 errors, 0 warnings\n") {
		t.Errorf("got %d and\n%s\nwant 0 and no errors", status, got)
	}
}
