package realpam_test

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// besieged is a node that lets users in by a key with PAM behind it, and by
// questions.
const besieged = `
  trusted_user_ca_keys: [DIR/ca.pub]
  authorized_keys: DIR/%u.keys
  password_service_name: sshd
  pam: {enabled: yes, use_pam_auth: yes}
`

// Messages of a client that is in already.
var (
	openChannel   = packet("a channel", append(append([]byte{msgOpen}, wireString("session")...), 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0x80, 0))
	globalRequest = packet("a global request", append(append([]byte{msgGlobalRequest}, wireString("keepalive@openssh.com")...), 1))
	forwarding    = packet("tcpip-forward", append(append([]byte{msgGlobalRequest}, wireString("tcpip-forward")...),
		append([]byte{1}, append(wireString("127.0.0.1"), 0, 0, 0x20, 0)...)...))
)

const (
	onlyQuestions = "failure: keyboard-interactive"
	anyWay        = "failure: password,publickey,keyboard-interactive"
	asked         = "asked: Password: "
	behindKey     = "partial: keyboard-interactive"
	tooOften      = "disconnect: too many authentication failures"
)

// TestNodeHoldsToTheOrderOfALogin whatever a client sends in place of the next step.
func TestNodeHoldsToTheOrderOfALogin(t *testing.T) {
	t.Parallel()
	n := keyed(t, counting(t), besieged)
	n.keygen("other")
	for _, user := range []string{"enemy1", "enemy2"} {
		writeFile(t, n.path(user+".keys"), readFile(t, n.path("key.pub")))
	}
	key, other := n.signer("key"), n.signer("other")
	first := signs("enemy1", key.PublicKey(), key).wants(behindKey)
	question := interactive("enemy1").wants(asked)
	n.withstands([]siege{
		{"another user behind a factor", []move{first, interactive("enemy2").wants("closed")}, "client changed the user"},
		{"another user behind a question", []move{first, question, interactive("enemy2").wants(onlyQuestions)}, "unexpected message type 50"},
		{"another service", []move{packet("", request("enemy1", "ssh-userauth", "none")).wants("closed")}, "unknown service"},
		{"another service behind a factor", []move{first, packet("", request("enemy1", "none", "keyboard-interactive")).wants("closed")}, "unknown service"},
		{"a service behind a factor", []move{first, packet("", append([]byte{msgService}, wireString(connections)...)).wants("closed")}, ""},
		{"a channel first", []move{openChannel.wants("closed")}, ""},
		{"a channel behind a factor", []move{first, openChannel.wants("closed")}, ""},
		{"a channel behind a question", []move{first, question, openChannel.wants(onlyQuestions), openChannel.wants("closed")}, "unexpected message type 90"},
		{"a global request first", []move{globalRequest.wants("closed")}, ""},
		{"a global request behind a factor", []move{first, globalRequest.wants("closed")}, ""},
		{"forwarding behind a factor", []move{first, forwarding.wants("closed")}, ""},
		{"success, said by the client", []move{first, packet("", []byte{msgSuccess}).wants("closed")}, ""},
		{"an answer first", []move{answersOf(password).wants("closed")}, ""},
		{"an answer behind a factor", []move{first, answersOf(password).wants("closed")}, ""},
		{"a password behind a factor", []move{first, passwordFrom("enemy1", password).wants(onlyQuestions),
			none("enemy1").wants(onlyQuestions), first.wants(tooOften)}, "password auth not configured"},
		{"the key once more", []move{first, first.wants(onlyQuestions), asksAbout("enemy1", key.PublicKey()).wants(onlyQuestions)}, "publickey auth not configured"},
		{"another key's signature", []move{signs("enemy1", key.PublicKey(), other).wants("closed")}, "disconnected before a login"},
		{"another user's signature", []move{signsAs("enemy2", "enemy1", key.PublicKey(), key).wants("closed")}, "disconnected before a login"},
		{"a key of nobody", []move{signs("enemy1", other.PublicKey(), other).wants(anyWay)}, "not among those of the user"},
		{"a question taken back", []move{question, none("enemy1").wants(anyWay), question, none("enemy1").wants(anyWay)}, "unexpected message type 50"},
		{"three questions taken back", []move{first, question, none("enemy1").wants(onlyQuestions), question, none("enemy1").wants(onlyQuestions),
			question, none("enemy1").wants(tooOften)}, "PAM_AUTH_ERR"},
		{"unknown methods", []move{packet("", request("enemy1", connections, "hostbased")).wants(anyWay), packet("", request("enemy1", connections, "\x00\n\xff")).wants(anyWay),
			packet("", request("enemy1", connections, strings.Repeat("x", 100<<10))).wants(tooOften)}, "unknown method"},
		{"a request that ends early", []move{packet("", []byte{msgRequest, 0, 0, 0, 200}).wants("closed")}, ""},
		{"a change of the password", []move{packet("", request("enemy1", connections, "password",
			append([]byte{1}, append(wireString(password), wireString("other")...)...)...)).wants("closed")}, ""},
		{"an empty password", []move{passwordFrom(emptyUser, "").wants(anyWay), interactive(emptyUser).wants(asked), answersOf("").wants(anyWay)}, "PAM_AUTH_ERR"},
	})
	n.nothingLeft("enemy1", "enemy2", emptyUser)
	n.letsIn(first, question, answersOf(password).wants("success"))
}

// TestNodeTakesOnlyAnswersThatFitTheQuestion and none that C would read otherwise.
func TestNodeTakesOnlyAnswersThatFitTheQuestion(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, counting(t), passwords)
	const denied = "failure: password,keyboard-interactive"
	var attacks []siege
	for name, c := range map[string]struct {
		answers []string
		logs    string
	}{
		"none":                    {nil, "PAM_AUTH_ERR"},
		"two":                     {[]string{password, password}, "PAM_AUTH_ERR"},
		"a thousand":              {make([]string, 1000), "PAM_AUTH_ERR"},
		"empty":                   {[]string{""}, "PAM_AUTH_ERR"},
		"wrong":                   {[]string{"wrong"}, "PAM_AUTH_ERR"},
		"NUL behind the password": {[]string{password + "\x00"}, ""},
		"text behind a NUL":       {[]string{password + "\x00x"}, ""},
		"newline behind it":       {[]string{password + "\n"}, ""},
		"newline in it":           {[]string{"Tr0ub4dor\n-and-3"}, "PAM_AUTH_ERR"},
		"no UTF-8":                {[]string{"\xff\xfe\x80"}, "PAM_AUTH_ERR"},
		"long":                    {[]string{password + strings.Repeat("x", 2000)}, ""},
		"very long":               {[]string{strings.Repeat("x", 200<<10)}, ""},
	} {
		moves := []move{interactive("enemy3").wants(asked), answersOf(c.answers...).wants(denied)}
		if len(c.answers) == 1 {
			moves = append(moves, passwordFrom("enemy3", c.answers[0]).wants(denied))
		}
		attacks = append(attacks, siege{name, moves, c.logs})
	}
	n.withstands(append(attacks,
		siege{"longer than a packet", []move{interactive("enemy3").wants(asked), answersOf(strings.Repeat("x", 1<<20)).wants("closed")}, ""},
		siege{"more than it says", []move{interactive("enemy3").wants(asked), packet("", append([]byte{msgAnswer, 0, 0, 0, 1}, append(wireString(password), 0)...)).wants(denied)}, "PAM_AUTH_ERR"},
		siege{"less than it says", []move{interactive("enemy3").wants(asked), packet("", []byte{msgAnswer, 0xff, 0xff, 0xff, 0xff}).wants(denied)}, "PAM_AUTH_ERR"},
		siege{"longer than it is", []move{interactive("enemy3").wants(asked), packet("", []byte{msgAnswer, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}).wants(denied)}, "PAM_AUTH_ERR"},
	))
	n.nothingLeft("enemy3")
	n.letsIn(interactive("enemy3").wants(asked), answersOf(password).wants("success"))
	if strings.Contains(n.log.String(), "not possible") {
		t.Errorf("the log blames the helper for what a client sent:\n%s", n.log.String())
	}
}

// TestNodeKnowsNobodyWithANameThatCannotBe and starts nothing for it.
func TestNodeKnowsNobodyWithANameThatCannotBe(t *testing.T) {
	t.Parallel()
	n := keyed(t, counting(t), besieged)
	key := n.signer("key")
	for name, user := range map[string]string{
		"empty": "", "NUL": "enemy1\x00", "NUL within": "enemy1\x00root", "newline": "enemy1\nlogin=0", "escape": "\x1b]0;x\x07", "no UTF-8": "\xff\xfe",
		"a path": "../key", "percent": "%u", "10 KB": strings.Repeat("a", 10<<10), "200 KB": strings.Repeat("a", 200<<10), "option": "-froot", "space": "enemy1 ",
	} {
		r := n.raw(t)
		err := r.plays(passwordFrom(user, password).wants(anyWay), asksAbout(user, key.PublicKey()).wants(anyWay), interactive(user).wants(anyWay),
			signs(user, key.PublicKey(), key).wants(tooOften))
		lines := r.leaves()
		if err != nil || strings.Count(lines, "no user can have this name") != 4 || strings.Contains(lines, "step=") || len(lines) > 4096 || strings.ContainsAny(lines, "\x00\x1b") || !utf8.ValidString(lines) ||
			strings.Contains(lines, "\nlogin=") {
			t.Errorf("%s: %v; in the log:\n%s\nwant the name refused four times and quoted, and no step of PAM", name, err, lines)
		}
	}
	n.nothingLeft()
}
