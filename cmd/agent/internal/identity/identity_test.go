package identity

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// signed is a certificate that ssh-keygen made, as it comes over the wire.
func signed(t *testing.T, args ...string) *ssh.Certificate {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"-t", "ed25519", "-N", "", "-f", "ca"}, {"-t", "ed25519", "-N", "", "-f", "key"},
		append(append([]string{"-s", "ca"}, args...), "key.pub"),
	} {
		cmd := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen %v: %v\n%s", args, err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "key-cert.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ssh.Certificate)
}

func TestACertificateOfSSHKeygenHasItsExtensionsAsClaims(t *testing.T) {
	t.Parallel()
	got, err := FromCertificate(signed(t, "-I", "alice@example.com", "-n", "alice,root",
		"-O", "extension:email=alice@example.com", "-O", "extension:team@example.com=dev", "-O", "no-pty"))
	want := Identity{
		Name:   "alice@example.com",
		Claims: map[string][]string{"email": {"alice@example.com"}, "team@example.com": {"dev"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
}

func TestACertificateWithTeleportsExtensionsHasItsRolesAndTraits(t *testing.T) {
	t.Parallel()
	got, err := FromCertificate(signed(t, "-I", "alice", "-n", "alice",
		"-O", `extension:teleport-roles={"version":"v1","roles":["developer","access"]}`,
		"-O", `extension:teleport-traits={"email":["alice@example.com"],"groups":["dev","ops"],"logins":null}`,
		"-O", "extension:private-key-policy=none"))
	want := Identity{
		Name: "alice", Roles: []string{"developer", "access"},
		Claims: map[string][]string{"email": {"alice@example.com"}, "groups": {"dev", "ops"}, "logins": nil},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
}

func TestACertificateWithPermissionsOnlyHasNoClaims(t *testing.T) {
	t.Parallel()
	got, err := FromCertificate(signed(t, "-I", "alice's laptop", "-n", "alice"))
	want := Identity{Name: "alice's laptop", Claims: map[string][]string{}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
}

func TestExtensionsThatCannotBeTakenRefuseTheCertificate(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range maxClaims + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	role := strings.Repeat("r", maxName)
	for _, test := range []struct {
		name, id   string
		extensions map[string]string
		want       string
	}{
		{"no key id", "", nil, "the key id is empty"},
		{"a newline in the key id", "a\nb", nil, `the key id "a\nb" holds a control character, such as a newline`},
		{"a long key id", strings.Repeat("x", 257), nil, "the key id has 257 bytes; at most 256"},
		{"roles that are no JSON", "a", map[string]string{rolesExtension: "developer"},
			`the extension teleport-roles: not what Teleport writes, {"version":"v1","roles":["ROLE"]}: invalid character 'd' looking for beginning of value`},
		{"roles that are a list", "a", map[string]string{rolesExtension: `["a"]`},
			`the extension teleport-roles: not what Teleport writes, {"version":"v1","roles":["ROLE"]}: json: cannot unmarshal array into Go value of type identity.writtenRoles`},
		{"roles of another version", "a", map[string]string{rolesExtension: `{"version":"v2"}`}, `the extension teleport-roles: version "v2" is not known; v1 is`},
		{"a role of two words", "a", map[string]string{rolesExtension: `{"roles":["x admin"]}`},
			`the extension teleport-roles: the role "x admin" holds a space, and TELEPORT_ROLES separates roles by spaces`},
		{"an empty role", "a", map[string]string{rolesExtension: `{"roles":[""]}`}, "the extension teleport-roles: the role is empty"},
		{"a role with NUL", "a", map[string]string{rolesExtension: `{"roles":["a\u0000"]}`},
			`the extension teleport-roles: the role "a\x00" holds a control character, such as a newline`},
		{"many roles", "a", map[string]string{rolesExtension: `{"roles":["` + strings.Repeat(role+`","`, 64) + `x"]}`},
			"the extension teleport-roles: the roles have 16449 bytes; at most 16384"},
		{"traits that are no JSON", "a", map[string]string{traitsExtension: `{"email":`},
			`the extension teleport-traits: not what Teleport writes, {"CLAIM":["VALUE"]}: unexpected end of JSON input`},
		{"traits that are no lists", "a", map[string]string{traitsExtension: `{"email":"a"}`},
			`the extension teleport-traits: not what Teleport writes, {"CLAIM":["VALUE"]}: json: cannot unmarshal string into Go value of type []string`},
		{"a large extension", "a", map[string]string{"x": strings.Repeat("x", maxExtension+1)}, `the extension "x" has 65537 bytes; at most 65536`},
		{"an extension that is not UTF-8", "a", map[string]string{"x": "\xff"}, `the extension "x": its value is not UTF-8`},
		{"roles that are not UTF-8", "a", map[string]string{rolesExtension: "{\"roles\":[\"adm\xff\"]}"}, "the extension teleport-roles: its value is not UTF-8"},
		{"traits that are not UTF-8", "a", map[string]string{traitsExtension: "{\"\xff\":[\"a\"]}"}, "the extension teleport-traits: its value is not UTF-8"},
		{"many extensions", "a", many, "257 extensions with a value; at most 256"},
	} {
		_, err := FromCertificate(&ssh.Certificate{KeyId: test.id, Permissions: ssh.Permissions{Extensions: test.extensions}})
		if got := fmt.Sprint(err); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, test.want)
		}
	}
}
