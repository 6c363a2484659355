package auth

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func publicKey(t *testing.T, number byte) ssh.PublicKey {
	t.Helper()
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+number)), ed25519.SeedSize))).Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestOptionsOfAListedKey(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]struct {
		permits Permits
		err     string
	}{
		"":                              {everything(), ""},
		"no-pty ":                       {Permits{}, ""},
		"restrict ":                     {Permits{}, ""},
		"restrict,pty ":                 {Permits{Terminal: true}, ""},
		"no-X11-forwarding,NO-USER-RC ": {everything(), ""},
		`command="echo \"a,b\"" `:       {Permits{Terminal: true, Command: `echo "a,b"`, Forced: true}, ""},
		`command="" `:                   {Permits{Terminal: true, Forced: true}, ""},
		`from="192.0.2.0/24,::1" `:      {Permits{Terminal: true, SourceAddress: "192.0.2.0/24,::1", Restricted: true}, ""},
		"verify-required ":              {Permits{}, "verify-required"},
		"cert-authority ":               {Permits{}, "cert-authority"},
		`environment="A=b" `:            {Permits{}, "environment"},
	} {
		key := publicKey(t, 1)
		text := string(ssh.MarshalAuthorizedKey(publicKey(t, 2))) + "# comment\n" + options + string(ssh.MarshalAuthorizedKey(key))
		l := &Login{settings: &Settings{AuthorizedKeys: func(string) ([]byte, error) { return []byte(text), nil }}}
		found, err := l.ofKey("alice", key)
		if want.err != "" {
			if err == nil || !strings.Contains(err.Error(), want.err) {
				t.Errorf("%q: got %v, want it refused because of %s", options, err, want.err)
			}
			continue
		}
		if err != nil || found.permits != want.permits {
			t.Errorf("%q: got %+v, %v; want %+v", options, found.permits, err, want.permits)
		}
	}
}

func TestAKeyThatIsNotListedIsNotTaken(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"other": string(ssh.MarshalAuthorizedKey(publicKey(t, 2))), "empty": "", "comment": "#" + string(ssh.MarshalAuthorizedKey(publicKey(t, 1))),
	} {
		l := &Login{settings: &Settings{AuthorizedKeys: func(string) ([]byte, error) { return []byte(text), nil }}}
		if _, err := l.ofKey("alice", publicKey(t, 1)); err == nil {
			t.Errorf("%s: taken, want it refused", name)
		}
	}
	if _, err := (&Login{settings: &Settings{}}).ofKey("alice", publicKey(t, 1)); err == nil {
		t.Error("taken where no key is, want it refused")
	}
}

func TestNamesThatNoUserCanHave(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "../alice", "a/b", ".alice", "-x", "1a", "a b", "a\n", "a\x00", "ä", "%u", strings.Repeat("a", 257)} {
		if userName.MatchString(name) {
			t.Errorf("%q could be a user's, want it refused", name)
		}
	}
	for _, name := range []string{"alice", "_x", "host$", "alice@example.com", "A.b-c_9", strings.Repeat("a", 255) + "$"} {
		if !userName.MatchString(name) {
			t.Errorf("%q is refused, want it taken", name)
		}
	}
}
