package realpam_test

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestNobodyGetsAroundTheMessageOfTheDay by any way in: what is not a yes to it
// ends the attempt, and what was proved before counts no more.
func TestNobodyGetsAroundTheMessageOfTheDay(t *testing.T) {
	t.Parallel()
	n := keyed(t, counting(t), greeted)
	key, authority := n.signer("key"), n.signer("ca")
	certificate := signedBy(t, authority, key.PublicKey(), func(c *ssh.Certificate) { c.ValidPrincipals = []string{"enemy9"} })
	robot := func(user, roles string) *ssh.Certificate {
		return signedBy(t, authority, key.PublicKey(), func(c *ssh.Certificate) {
			c.ValidPrincipals = []string{user}
			c.Extensions["teleport-roles"] = roles
		})
	}
	const (
		message = "asked: \nAll activity will be logged.\n" + acknowledged
		denied  = "failure: password,publickey,keyboard-interactive"
	)
	first := signs("enemy9", certificate, key).wants(behindKey)
	proof := passwordFrom("enemy9", password).wants(behindKey)
	question, answer := interactive("enemy9").wants(asked), answersOf(password).wants(message)
	shown := interactive("enemy9").wants(message)
	attacks := []siege{
		{"no", []move{question, answer, answersOf("no").wants(message), answersOf("n").wants(message), answersOf("No").wants(denied)}, "was not acknowledged"},
		{"nothing", []move{question, answer, answersOf("").wants(message), answersOf("\n").wants(message), answersOf("\x00").wants(denied)}, "was not acknowledged"},
		{"almost", []move{question, answer, answersOf("yes\x00").wants(message), answersOf("yesyes").wants(message), answersOf("y").wants(denied)}, "was not acknowledged"},
		{"a lot", []move{question, answer, answersOf(strings.Repeat("yes ", 50<<10)).wants(message), answersOf("\xff").wants(message), answersOf(password).wants(denied)}, "was not acknowledged"},
		{"no answer", []move{question, answer, answersOf().wants(denied)}, "login failed"},
		{"two answers", []move{question, answer, answersOf("yes", "yes").wants(denied)}, "login failed"},
		{"taken back", []move{question, answer, none("enemy9").wants(denied)}, "login failed"},
		{"a channel", []move{question, answer, openChannel.wants(denied), openChannel.wants("closed")}, ""},
		{"another user", []move{question, answer, interactive("enemy10").wants(denied), interactive("enemy10").wants(asked), answersOf("wrong").wants(denied)}, "login failed"},
		{"asked again", []move{question, answer, answersOf().wants(denied), question, answersOf("yes").wants(denied)}, "PAM_AUTH_ERR"},
		{"certificate alone", []move{first, openChannel.wants("closed")}, "about=\"the message of the day\""},
		{"certificate twice", []move{first, first.wants(onlyQuestions), none("enemy9").wants(onlyQuestions), none("enemy9").wants(tooOften)}, ""},
		{"certificate and password", []move{first, passwordFrom("enemy9", password).wants(onlyQuestions), shown, none("enemy9").wants(onlyQuestions)}, "login failed"},
		{"certificate and no", []move{first, shown, answersOf("no").wants(message), answersOf("no").wants(message), answersOf("no").wants(onlyQuestions), shown, none("enemy9").wants(onlyQuestions)}, "was not acknowledged"},
		{"certificate and another user", []move{first, interactive("enemy10").wants("closed")}, "client changed the user"},
		{"password alone", []move{proof, openChannel.wants("closed")}, "about=\"the message of the day\""},
		{"password twice", []move{proof, passwordFrom("enemy9", password).wants(onlyQuestions)}, ""},
		{"password and no", []move{proof, shown, none("enemy9").wants(onlyQuestions), question, answersOf("wrong").wants(onlyQuestions)}, "PAM_AUTH_ERR"},
		{"password and another user", []move{proof, interactive("enemy10").wants("closed")}, "client changed the user"},
	}
	for name, roles := range map[string]string{"no roles": `{"version":"v1","roles":[]}`, "another's role": `{"version":"v1","roles":["robots","Robot","robo"]}`} {
		attacks = append(attacks, siege{name, []move{signs("enemy9", robot("enemy9", roles), key).wants(behindKey), shown, none("enemy9").wants(onlyQuestions)}, ""})
	}
	// A role lets its own login off, and none that comes behind it.
	attacks = append(attacks, siege{"an exempt role of a login that failed", []move{
		signs(expiredUser, robot(expiredUser, `{"version":"v1","roles":["robot"]}`), key).wants(denied), question, answer, answersOf("").wants(message),
		none("enemy9").wants(denied)}, "PAM_ACCT_EXPIRED"})
	n.withstands(attacks)
	if strings.Contains(n.log.String(), "message of the day acknowledged") {
		t.Errorf("the log says that the message was acknowledged:\n%s", n.log.String())
	}
	n.nothingLeft("enemy9", "enemy10")
	n.letsIn(first, shown, answersOf(" Yes ").wants("success"))
	n.letsIn(proof, shown, answersOf("yes").wants("success"))
	n.letsIn(question, answer, answersOf("what?").wants(message), answersOf("yes").wants("success"))
}
