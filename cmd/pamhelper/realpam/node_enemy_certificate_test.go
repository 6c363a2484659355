package realpam_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// signedBy fills in a certificate for enemy4 and the key, changes it, and has it
// signed by the key of an authority, whatever it says.
func signedBy(t *testing.T, authority ssh.Signer, key ssh.PublicKey, change func(*ssh.Certificate)) *ssh.Certificate {
	t.Helper()
	c := &ssh.Certificate{
		Nonce: []byte("nonce"), Key: key, CertType: ssh.UserCert, KeyId: "alice@example.com", ValidPrincipals: []string{"enemy4"},
		ValidBefore: ssh.CertTimeInfinity, SignatureKey: authority.PublicKey(),
		Permissions: ssh.Permissions{CriticalOptions: map[string]string{}, Extensions: map[string]string{"permit-pty": ""}},
	}
	change(c)
	unsigned := *c
	unsigned.Signature = &ssh.Signature{}
	whole := unsigned.Marshal()
	signature, err := authority.Sign(rand.Reader, whole[:len(whole)-len(wireString(string(ssh.Marshal(unsigned.Signature))))])
	if err != nil {
		t.Fatal(err)
	}
	c.Signature = signature
	return c
}

// TestNodeTakesNoCertificateThatIsNotRight in any of its parts, nor starts anything
// for it.
func TestNodeTakesNoCertificateThatIsNotRight(t *testing.T) {
	t.Parallel()
	n := keyed(t, pamhelper, keysOnly)
	n.keygen("other")
	key, authority, other := n.signer("key"), n.signer("ca"), n.signer("other")
	now := uint64(time.Now().Unix())
	critical := func(name, value string) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) { c.CriticalOptions[name] = value }
	}
	extension := func(name, value string) func(*ssh.Certificate) {
		return func(c *ssh.Certificate) { c.Extensions[name] = value }
	}
	const unclaimed = "failure: publickey"
	var attacks []siege
	for name, c := range map[string]struct {
		change func(*ssh.Certificate)
		logs   string
	}{
		"expired":              {func(c *ssh.Certificate) { c.ValidBefore = now - 1 }, "has expired"},
		"not yet valid":        {func(c *ssh.Certificate) { c.ValidAfter = now + 3600 }, "not yet valid"},
		"backwards":            {func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = now+3600, now-3600 }, ""},
		"never valid":          {func(c *ssh.Certificate) { c.ValidBefore = 0 }, "has expired"},
		"before all time":      {func(c *ssh.Certificate) { c.ValidAfter = 1<<64 - 1 }, ""},
		"of a host":            {func(c *ssh.Certificate) { c.CertType = ssh.HostCert }, "type"},
		"of no type":           {func(c *ssh.Certificate) { c.CertType = 0 }, "type"},
		"of another type":      {func(c *ssh.Certificate) { c.CertType = 3 }, "type"},
		"for nobody":           {func(c *ssh.Certificate) { c.ValidPrincipals = nil }, ""},
		"for an empty name":    {func(c *ssh.Certificate) { c.ValidPrincipals = []string{""} }, "valid principals"},
		"for another":          {func(c *ssh.Certificate) { c.ValidPrincipals = []string{"enemy5", "enemy44", "enemy", "ENEMY4"} }, "valid principals"},
		"for a pattern":        {func(c *ssh.Certificate) { c.ValidPrincipals = []string{"*", "enemy?", "enemy4,enemy5", "enemy4\x00"} }, "valid principals"},
		"unknown option":       {critical("unheard-of@example.com", "1"), "unsupported critical option"},
		"option to verify":     {critical("verify-required", ""), "unsupported critical option"},
		"option by case":       {critical("Force-Command", "true"), "unsupported critical option"},
		"another address":      {critical("source-address", "192.0.2.0/24,198.51.100.7"), "source-address restriction"},
		"no address":           {critical("source-address", ""), "source-address"},
		"address that is none": {critical("source-address", "localhost"), "source-address"},
		"address behind junk":  {critical("source-address", "junk,127.0.0.1"), "source-address"},
		"empty command":        {critical("force-command", ""), "force-command is empty"},
		"no id":                {func(c *ssh.Certificate) { c.KeyId = "" }, "the key id is empty"},
		"id of two lines":      {func(c *ssh.Certificate) { c.KeyId = "alice\nTELEPORT_ROLES=admin" }, "holds a control character"},
		"id with NUL":          {func(c *ssh.Certificate) { c.KeyId = "alice\x00" }, "holds a control character"},
		"id that is no UTF-8":  {func(c *ssh.Certificate) { c.KeyId = "\xff\xfe" }, "is not UTF-8"},
		"id of 100 KB":         {func(c *ssh.Certificate) { c.KeyId = strings.Repeat("a", 100<<10) }, `why="the key id has 102400 bytes; at most 256" key=SHA256:`},
		"roles that are text":  {extension("teleport-roles", "admin"), "not what Teleport writes"},
		"roles that are none":  {extension("teleport-roles", ""), "not what Teleport writes"},
		"roles of two":         {extension("teleport-roles", `{"roles":["a"]}{"roles":["b"]}`), "not what Teleport writes"},
		"role of a number":     {extension("teleport-roles", `{"roles":[1]}`), "not what Teleport writes"},
		"role of two words":    {extension("teleport-roles", `{"roles":["a admin"]}`), "holds a space"},
		"role with a newline":  {extension("teleport-roles", `{"roles":["a\nadmin"]}`), "holds a control character"},
		"roles of later":       {extension("teleport-roles", `{"version":"v9","roles":["a"]}`), "is not known"},
		"deep roles":           {extension("teleport-roles", strings.Repeat("[", 60<<10)), "not what Teleport writes"},
		"traits of numbers":    {extension("teleport-traits", `{"email":[1]}`), "not what Teleport writes"},
		"traits as a list":     {extension("teleport-traits", `["email"]`), "not what Teleport writes"},
		"extension of 100 KB":  {extension("email", strings.Repeat("x", 100<<10)), "bytes; at most 65536"},
		"extension no UTF-8":   {extension("email", "\xff"), "is not UTF-8"},
		"many extensions": {func(c *ssh.Certificate) {
			for i := range 3000 {
				c.Extensions[strings.Repeat("x", i%50)+string(rune('a'+i%26))+strings.Repeat("y", i/50)] = "1"
			}
		}, "at most 256"},
	} {
		certificate := signedBy(t, authority, key.PublicKey(), c.change)
		attacks = append(attacks, siege{name, []move{asksAbout("enemy4", certificate).wants(unclaimed), signs("enemy4", certificate, key).wants(unclaimed)}, c.logs})
	}
	nothing := func(*ssh.Certificate) {}
	for name, c := range map[string]struct {
		certificate *ssh.Certificate
		want, logs  string
	}{
		"another authority":     {signedBy(t, other, key.PublicKey(), nothing), unclaimed, "unrecognized authority"},
		"signed by its own key": {signedBy(t, key, key.PublicKey(), nothing), unclaimed, "unrecognized authority"},
		"authority only named": {signedBy(t, other, key.PublicKey(), func(c *ssh.Certificate) { c.SignatureKey = authority.PublicKey() }),
			unclaimed, ""},
		"a certificate for authority": {signedBy(t, other, key.PublicKey(), func(c *ssh.Certificate) {
			c.SignatureKey = signedBy(t, authority, other.PublicKey(), nothing)
		}), unclaimed, ""},
		"the authority's key as a certificate": {signedBy(t, authority, key.PublicKey(), func(c *ssh.Certificate) {
			c.SignatureKey = signedBy(t, authority, authority.PublicKey(), nothing)
		}), unclaimed, ""},
	} {
		attacks = append(attacks, siege{name, []move{signs("enemy4", c.certificate, key).wants(c.want)}, c.logs})
	}
	good := signedBy(t, authority, key.PublicKey(), nothing)
	changed := *good
	changed.ValidPrincipals = []string{"enemy5"}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	strangers, err := ssh.NewSignerFromKey(stranger)
	if err != nil {
		t.Fatal(err)
	}
	n.withstands(append(attacks,
		siege{"changed behind the signature", []move{signs("enemy5", &changed, key).wants(unclaimed)}, ""},
		siege{"without its key", []move{signs("enemy4", good, strangers).wants("closed")}, "did not verify"},
		siege{"asked about as one, used as another", []move{asksAbout("enemy4", good).wants("key"), signs("enemy5", good, key).wants(unclaimed)}, "valid principals"},
		siege{"the authority's own key", []move{signs("enemy4", authority.PublicKey(), authority).wants(unclaimed)}, ""},
	))
	if got := n.log.String(); strings.Contains(got, "step=") {
		t.Errorf("the log:\n%s\nwant no step of PAM", got)
	}
	n.nothingLeft()
	n.letsIn(asksAbout("enemy4", good).wants("key"), signs("enemy4", good, key).wants("success"))
}
