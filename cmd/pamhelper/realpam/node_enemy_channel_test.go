package realpam_test

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Messages of a channel, which is the node's channel 0 (RFC 4254, 5).
func dataOf(channel uint32, size int) []byte {
	return ssh.Marshal(struct {
		Channel uint32 `sshtype:"94"`
		Data    []byte
	}{channel, make([]byte, size)})
}

func adjusted(by uint32) []byte {
	return ssh.Marshal(struct {
		Channel, By uint32 `sshtype:"93"`
	}{0, by})
}

func requestOn(channel uint32, kind string, wantReply bool, payload []byte) []byte {
	return ssh.Marshal(struct {
		Channel   uint32 `sshtype:"98"`
		Kind      string
		WantReply bool
		Payload   []byte `ssh:"rest"`
	}{channel, kind, wantReply, payload})
}

// TestAConnectionThatBreaksTheProtocolIsClosed and its login is undone in order,
// whatever was running.
func TestAConnectionThatBreaksTheProtocolIsClosed(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, counting(t), passwords)
	attacks := map[string][][]byte{
		"more than the window":            slicesOf(dataOf(0, 32<<10), 80),
		"more than a packet may have":     {dataOf(0, 100<<10)},
		"data for no channel":             {dataOf(7, 1)},
		"data for a channel that is huge": {dataOf(huge, 1)},
		"a window that overflows":         {adjusted(huge), adjusted(huge)},
		"a request to log in":             {request("root", connections, "none")},
		"an answer":                       {answersOf(password).bytes(nil)},
		"new keys":                        {{msgNewKeys}},
		"keys that are none":              {append([]byte{msgKexInit}, make([]byte, 40)...)},
		"a key exchange in the middle":    {append([]byte{msgECDHInit}, wireString(strings.Repeat("x", 32))...)},
		"a channel without an end":        {{msgOpen, 0xff, 0xff, 0xff, 0xff}},
		"a request without an end":        {{98, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},
		"a global request without an end": {{msgGlobalRequest, 0xff, 0xff, 0xff, 0xff}},
		"a message of no kind":            {{255, 0, 0, 0, 0}},
		"a message of one byte":           {{94}},
		"a confirmation of nothing":       {append([]byte{91, 0, 0, 0, 9}, make([]byte, 12)...)},
		"the end":                         {append([]byte{msgDisconnect, 0, 0, 0, 11}, append(wireString("bye"), wireString("")...)...)},
	}
	t.Run("by", func(t *testing.T) {
		for name, packets := range attacks {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := n.raw(t)
				if err := r.plays(interactive("enemy7").wants(asked), answersOf(password).wants("success"), openChannel.wants("message 91"),
					packet("exec", requestOn(0, "exec", true, wireString("exec sleep 1000"))).wants("message 99")); err != nil {
					t.Fatal(err)
				}
				for _, packet := range packets {
					r.send(packet)
				}
				got := r.outcome()
				for strings.HasPrefix(got, "message 93") || strings.HasPrefix(got, "message 20") { // room in the window; its own offer
					got = r.outcome()
				}
				if got != "closed" && !strings.HasPrefix(got, "disconnect") {
					t.Errorf("got %q, want the connection closed", got)
				}
				r.undone()
			})
		}
	})
	n.nothingLeft()
	callsOf(t, "enemy7", len(attacks))
	eventually(t, func() bool { return len(processesOf(uidOf(t, "enemy7"))) == 0 }, "the end of all processes of enemy7")
}

// undone ends the connection, and waits until its login has been undone in order.
func (r *rawClient) undone() (lines string) {
	r.t.Helper()
	r.conn.Close()
	eventually(r.t, func() bool {
		lines = r.lines()
		return strings.Contains(lines, "msg=logout") && strings.Contains(lines, "step=end code=PAM_SUCCESS")
	}, "a login that was undone in order, in the node's log:\n%s", &r.node.log)
	return lines
}

// callsOf wants each call of a whole login, so many times, in any order.
func callsOf(t *testing.T, user string, logins int) {
	t.Helper()
	want := sorted(strings.Repeat(wholeLogin+" ", logins))
	eventually(t, func() bool { return slices.Equal(sorted(calls(user)), want) }, "calls of %d whole logins of %s: %s", logins, user, lazyCalls(user))
}

func sorted(calls string) []string {
	words := strings.Fields(calls)
	slices.Sort(words)
	return words
}

func slicesOf[T any](of T, count int) (all []T) {
	for range count {
		all = append(all, of)
	}
	return all
}

// TestNodeServesOthersWhileAClientDoesNotRead what it has asked for, and undoes its
// login when it leaves.
func TestNodeServesOthersWhileAClientDoesNotRead(t *testing.T) {
	t.Parallel()
	n := nodeWith(t, counting(t), passwords)
	in := []move{interactive("enemy8").wants(asked), answersOf(password).wants("success"), openChannel.wants("message 91")}
	for name, flood := range map[string][]byte{
		"global requests":  append(append([]byte{msgGlobalRequest}, wireString("keepalive@openssh.com")...), 1),
		"channel requests": requestOn(0, "nonsense", true, nil),
		"channels":         openChannel.bytes(nil),
		"channels of no kind": append(append([]byte{msgOpen}, wireString("nonsense")...),
			0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0x80, 0),
	} {
		r := n.raw(t)
		r.conn.(*net.TCPConn).SetReadBuffer(4096)
		if err := r.plays(in...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var packets bytes.Buffer
		for range 20000 {
			packets.Write(r.packet(flood))
		}
		r.conn.SetWriteDeadline(time.Now().Add(time.Second)) // the node stops reading at some time
		io.Copy(r.conn, &packets)
		n.letsIn(append(in, packet("exec", requestOn(0, "exec", true, wireString("true"))).wants("message 99"))...)
		if lines := r.undone(); len(lines) > 100<<10 {
			t.Errorf("%s: %d bytes in the log, want it bounded", name, len(lines))
		}
	}
	n.nothingLeft()
	callsOf(t, "enemy8", 8)
}

// TestVariablesThatAreTooLongRefuseOneLogin at once, and are not taken for a failure
// of the helper.
func TestVariablesThatAreTooLongRefuseOneLogin(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), `
  trusted_user_ca_keys: [DIR/ca.pub]
  pam:
    enabled: yes
    use_pam_auth: yes
    environment: {SITE_A: "{{ external.big }}", SITE_B: "{{ external.big }}", SITE_C: "{{ external.big }}", SITE_D: "{{ external.big }}", SITE_E: "{{ external.big }}"}
`)
	key, authority := n.signer("key"), n.signer("ca")
	for name, c := range map[string]struct{ claim, logs string }{
		"together":  {strings.Repeat("x", 16000), "have 80078 bytes together; the helper takes 65536"},
		"each":      {strings.Repeat("x", 60<<10), "the variable SITE_A: the value has 61440 bytes"},
		"a NUL":     {"x\x00y", "holds a control character"},
		"a newline": {"x\ny", "holds a control character"},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := signedBy(t, authority, key.PublicKey(), func(certificate *ssh.Certificate) {
				certificate.ValidPrincipals, certificate.Extensions["big"] = []string{"enemy1"}, c.claim
			})
			n.withstand(t, siege{moves: []move{signs("enemy1", certificate, key).wants(behindKey), interactive("enemy1").wants(onlyQuestions)}, logs: c.logs})
		})
	}
}
