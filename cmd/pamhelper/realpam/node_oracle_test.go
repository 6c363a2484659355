package realpam_test

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// everyWay is the configuration of a node with passwords, questions, and questions
// behind a certificate.
const everyWay = `
  trusted_user_ca_keys: [DIR/ca.pub]
  password_service_name: sshd
  pam: {enabled: yes, use_pam_auth: yes}
`

// outsiders are whom nothing lets in, with the answer that each gives. The first is a
// user with a wrong password; to a client all are to look like that one.
var outsiders = []struct{ who, user, secret string }{
	{"a user", "node25", "wrong-password"},
	{"nobody", "nodexx", "wrong-password"},
	{"root", "root", rootPassword},
	{"root by another name", zeroUser, password},
	{"a locked user", lockedUser, password},
}

// TestTheWireTellsNobodyWhoExists: the real client gets the same messages in the same
// order, the same texts, and the same number of bytes, whoever fails.
func TestTheWireTellsNobodyWhoExists(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), everyWay)
	var principals []string
	for _, o := range outsiders {
		principals = append(principals, o.user)
	}
	certificate := n.certify("outsiders", strings.Join(principals, ","))
	for _, methods := range []string{"password", "keyboard-interactive", "publickey,keyboard-interactive"} {
		t.Run(methods, func(t *testing.T) {
			t.Parallel()
			var first transcript
			for i, o := range outsiders {
				c := byPassword(o.user, methods, o.secret)
				if strings.HasPrefix(methods, "publickey") {
					c.options = append(c.options, "IdentityFile="+n.path("key"), "CertificateFile="+certificate)
				}
				got := n.transcript(t, c)
				if i == 0 {
					first = got
				}
				if got != first {
					t.Errorf("%s got %d bytes and\n%s\nwant, as %s, %d bytes and\n%s", o.who, got.bytes, got.lines, outsiders[0].who, first.bytes, first.lines)
				}
			}
			for _, want := range []string{"receive packet: type 51\n", "too many authentication failures"} {
				if !strings.Contains(first.lines, want) {
					t.Errorf("the client says\n%s\nwant %s", first.lines, want)
				}
			}
		})
	}
}

// transcript is what a client has got of the node.
type transcript struct {
	bytes int64  // from the node
	lines string // what ssh says of each packet behind the key exchange, and to its user
}

// ofTheRun are what differs between any two runs of ssh.
var ofTheRun = regexp.MustCompile(`(?m)^debug\d: (pid|channel|fd|read_passphrase|.*askpass).*\n`)

// transcript runs a client, which makes three attempts where it can.
func (n *node) transcript(t *testing.T, c client) transcript {
	t.Helper()
	r := newRelay(t, n.address())
	c.options = append([]string{"NumberOfPasswordPrompts=3", fmt.Sprintf("Port=%d", r.port), "HostKeyAlias=[" + loopback + "]:" + fmt.Sprint(n.port)}, c.options...)
	c.args = []string{"-vvv"}
	ran := n.run(c)
	bytes := r.passed()
	if ran.status != 255 {
		t.Fatalf("%s: got status %d, want 255", c.user, ran.status)
	}
	_, behind, found := strings.Cut(strings.ReplaceAll(ran.stderr, "\r", ""), "SSH2_MSG_SERVICE_ACCEPT received\n")
	if !found {
		t.Fatalf("ssh says\n%s\nwant it to get to the authentication", ran.stderr)
	}
	behind = strings.NewReplacer(c.user, "USER", fmt.Sprintf("port %d", r.port), "port PORT").Replace(behind)
	return transcript{bytes, ofTheRun.ReplaceAllString(behind, "")}
}

// relay stands between one client and a node, and counts.
type relay struct {
	port    int
	passing sync.WaitGroup
	bytes   int64 // from the node; set when passing is done
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{port: listener.Addr().(*net.TCPAddr).Port}
	r.passing.Go(func() {
		client, err := listener.Accept()
		listener.Close()
		if err != nil {
			return
		}
		defer client.Close()
		node, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer node.Close()
		r.passing.Go(func() {
			io.Copy(node, client)
			node.(*net.TCPConn).CloseWrite()
		})
		r.bytes, _ = io.Copy(client, node)
	})
	t.Cleanup(func() { listener.Close() })
	return r
}

// passed waits for the end of the connection and returns how many bytes came from the
// node.
func (r *relay) passed() int64 {
	r.passing.Wait()
	return r.bytes
}

// leastWait is behind the answer before a failure is told, for everybody.
const leastWait = 300 * time.Millisecond

// TestAFailureIsToldAsLateToEverybody: in turns, so that what else the machine does
// hits both. Nothing is said here of how much later: that depends on the machine.
func TestAFailureIsToldAsLateToEverybody(t *testing.T) {
	t.Parallel()
	n := keyed(t, helperWith(t, unixStack, nil), everyWay)
	for _, method := range []string{"password", "keyboard-interactive"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			for range 3 {
				for _, o := range outsiders {
					took, asked := n.failing(t, method, o.user, o.secret)
					t.Logf("%s: %s", o.who, took)
					if took < leastWait {
						t.Errorf("%s was told after %s, want at least %s", o.who, took, leastWait)
					}
					if want := questionsOf[method]; asked != want {
						t.Errorf("%s was asked %q, want %q", o.who, asked, want)
					}
				}
			}
		})
	}
}

// questionsOf are what is asked of everybody.
var questionsOf = map[string]string{"password": "", "keyboard-interactive": `"" "" ["Password: "] [false]; `}

// failing is one attempt that has to fail. took is from the answer to the failure.
func (n *node) failing(t *testing.T, method, user, secret string) (took time.Duration, asked string) {
	t.Helper()
	var answered time.Time
	way := ssh.PasswordCallback(func() (string, error) {
		answered = time.Now()
		return secret, nil
	})
	if method == "keyboard-interactive" {
		way = ssh.KeyboardInteractive(func(name, instruction string, questions []string, echo []bool) (answers []string, err error) {
			asked += fmt.Sprintf("%q %q %q %v; ", name, instruction, questions, echo)
			for range questions {
				answers = append(answers, secret)
			}
			answered = time.Now()
			return answers, nil
		})
	}
	client, err := ssh.Dial("tcp", n.address(), &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{way}, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: patience,
	})
	took = time.Since(answered)
	if err == nil {
		client.Close()
		t.Fatalf("%s was let in by %s", user, method)
	}
	if !strings.Contains(err.Error(), "unable to authenticate") || answered.IsZero() {
		t.Fatalf("%s by %s: got %v, want an answer that is refused", user, method, err)
	}
	return took, asked
}
