package keyfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// generated is a key that ssh-keygen made, without and with .pub.
func generated(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	args = append([]string{"-q", "-f", file, "-C", "comment"}, args...)
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %v: %v\n%s", args, err, out)
	}
	return file
}

func wrote(t *testing.T, mode os.FileMode, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func content(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHostKeysOfSSHKeygenAreRead(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"ed25519": "ssh-ed25519", "ecdsa": "ecdsa-sha2-nistp256", "rsa": "ssh-rsa"} {
		key, err := HostKey(generated(t, "-N", "", "-t", kind))
		if err != nil || key.PublicKey().Type() != want {
			t.Errorf("%s: got %v, want a key of type %s", kind, err, want)
		}
	}
}

func TestHostKeysThatAreOfNoUseAreToldApart(t *testing.T) {
	t.Parallel()
	key := content(t, generated(t, "-N", "", "-t", "ed25519"))
	for _, test := range []struct{ name, file, want string }{
		{"not there", "/nosuch", "open /nosuch: no such file or directory; make it: ssh-keygen -t ed25519 -N '' -f /nosuch"},
		{"a directory", "/tmp", "/tmp is no regular file of at most 1048576 bytes"},
		{"readable by all", wrote(t, 0o644, key), "FILE has the mode 0644: a private key is for its owner; chmod 0600, or 0640 for a group of the agent alone"},
		{"writable by its group", wrote(t, 0o660, key), "FILE has the mode 0660: a private key is for its owner; chmod 0600, or 0640 for a group of the agent alone"},
		{"empty", wrote(t, 0o600, ""), "FILE is no private key: ssh: no key found"},
		{"cut", wrote(t, 0o600, key[:len(key)/2]), "FILE is no private key: ssh: no key found"},
		{"the public one", wrote(t, 0o600, "ssh-ed25519 AAAA\n"), "FILE is no private key: ssh: no key found"},
		{"the public one of ssh-keygen", generated(t, "-N", "", "-t", "ed25519") + ".pub", "FILE is a public key; name the file of the private one, mostly the same without .pub"},
		{"with a passphrase", generated(t, "-N", "secret", "-t", "ed25519"), "FILE has a passphrase, and nobody is there to type it; remove it: ssh-keygen -p -N '' -f FILE"},
		{"short", generated(t, "-N", "", "-t", "rsa", "-b", "1024"), "FILE: an RSA key of 1024 bits, which is too weak; make another: ssh-keygen -t ed25519"},
	} {
		_, err := HostKey(test.file)
		if got := strings.ReplaceAll(fmt.Sprint(err), test.file, "FILE"); got != strings.ReplaceAll(test.want, test.file, "FILE") {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, test.want)
		}
	}
	if _, err := HostKey(wrote(t, 0o640, key)); err != nil {
		t.Errorf("readable by its group: got %v, want it to be taken", err)
	}
}

// Root reads everything: the test reads as another user.
func TestFilesThatTheAgentCannotReadAreToldWithTheRemedy(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to read as a user who may not")
	}
	file := wrote(t, 0o600, content(t, generated(t, "-N", "", "-t", "ed25519")))
	const public = "the agent's user has to be able to read it: chmod a+r, and a+x for the directories above"
	for name, test := range map[string]struct {
		read func() error
		want string
	}{
		"a host key":    {func() error { _, err := HostKey(file); return err }, "let the agent's own group read it: chgrp GROUP " + file + "; chmod 0640 " + file},
		"an authority":  {func() error { _, err := PublicKeys(file); return err }, public},
		"a user's keys": {func() error { _, err := AuthorizedKeys(file); return err }, public},
	} {
		if err := asNobody(test.read); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

// asNobody reads as a user who owns nothing.
func asNobody(read func() error) error {
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends with its user
		if err := unix.Setfsuid(64001); err != nil {
			failed <- err
			return
		}
		failed <- read()
	}()
	return <-failed
}

func TestEachLineIsAPublicKeyOrRefused(t *testing.T) {
	t.Parallel()
	key := content(t, generated(t, "-N", "", "-t", "ed25519")+".pub")
	short := content(t, generated(t, "-N", "", "-t", "rsa", "-b", "1024")+".pub")
	for _, test := range []struct {
		name, text string
		mode       os.FileMode
		keys       int
		want       string
	}{
		{"comments, what they are, and CRLF", "# ours\r\n\r\n" + key + "cert-authority " + key, 0o644, 2, "<nil>"},
		{"for some names", key + "cert-authority,principals=\"alice\" " + key, 0o644, 0,
			`FILE:2: the option "principals", which is not followed here; a line is the key alone`},
		{"revoked", "@revoked " + key, 0o644, 0, `FILE:1: the option "@revoked", which is not followed here; a line is the key alone`},
		{"empty", "# none\n", 0o644, 0, "FILE has no public key in it; write those of the authorities, a line each"},
		{"a line that is none", key + "ssh-ed25519 AAAA\n" + key, 0o644, 0, "FILE:2: no public key; a line is a type such as ssh-ed25519, and the key in base64"},
		{"a private key", "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o600, 0, "FILE:1: a private key; write the line of its .pub here, and keep the private one off this machine"},
		{"weak", key + short, 0o644, 0, "FILE:2: an RSA key of 1024 bits, which is too weak; make another: ssh-keygen -t ed25519"},
		{"writable by its group", key, 0o664, 0, "FILE has the mode 0664: who can write it can log in; chmod go-w"},
	} {
		file := wrote(t, test.mode, test.text)
		keys, err := PublicKeys(file)
		if got := strings.ReplaceAll(fmt.Sprint(err), file, "FILE"); got != test.want || len(keys) != test.keys {
			t.Errorf("%s: got %d keys and %s, want %d and %s", test.name, len(keys), got, test.keys, test.want)
		}
	}
}

func TestAFileOfAuthoritiesThatIsNotThereIsToldWithTheRemedy(t *testing.T) {
	t.Parallel()
	want := "open /nosuch: no such file or directory; write the public keys of the authorities into it, a line each"
	if _, err := PublicKeys("/nosuch"); fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAUsersFileMayHoldNoKeys(t *testing.T) {
	t.Parallel()
	if _, err := AuthorizedKeys(wrote(t, 0o644, "# none\n")); err != nil {
		t.Errorf("got %v, want it to be taken", err)
	}
	file := wrote(t, 0o644, "no key\n")
	if _, err := AuthorizedKeys(file); fmt.Sprint(err) != file+":1: no public key; a line is a type such as ssh-ed25519, and the key in base64" {
		t.Errorf("got %v, want the line", err)
	}
}

// A key that is for one machine or one command must not become one for everything.
func TestAUsersKeyWithOptionsIsRefused(t *testing.T) {
	t.Parallel()
	key := content(t, generated(t, "-N", "", "-t", "ed25519")+".pub")
	for options, want := range map[string]string{
		`from="192.0.2.1"`:            "from",
		`command="/bin/true a, b"`:    "command",
		"restrict,pty":                "restrict",
		`expiry-time="20200101"`:      "expiry-time",
		"cert-authority":              "cert-authority",
		"@revoked":                    "@revoked",
		`environment="A=B",no-pty`:    "environment",
		"sk-option-that-nobody-knows": "sk-option-that-nobody-knows",
	} {
		file := wrote(t, 0o644, key+options+" "+key)
		want := fmt.Sprintf("%s:2: the option %q, which is not followed here; a line is the key alone", file, want)
		if _, err := AuthorizedKeys(file); fmt.Sprint(err) != want {
			t.Errorf("%s:\ngot  %v\nwant %s", options, err, want)
		}
	}
}
