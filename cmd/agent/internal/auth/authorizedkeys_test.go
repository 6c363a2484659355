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

func TestAKeyIsTakenThatIsListed(t *testing.T) {
	t.Parallel()
	listed := func(numbers ...byte) (keys []ssh.PublicKey) {
		for _, number := range numbers {
			keys = append(keys, publicKey(t, number))
		}
		return keys
	}
	for name, c := range map[string]struct {
		keys  []ssh.PublicKey
		taken bool
	}{"one": {listed(1), true}, "the last": {listed(2, 1), true}, "another": {listed(2), false}, "none": {nil, false}} {
		l := &Login{settings: &Settings{AuthorizedKeys: func(string) ([]ssh.PublicKey, error) { return c.keys, nil }}}
		if _, err := l.ofKey("alice", publicKey(t, 1)); (err == nil) != c.taken {
			t.Errorf("%s: got %v, want it taken: %v", name, err, c.taken)
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
