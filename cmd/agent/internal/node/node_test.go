package node_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/auth"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/node"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
)

func TestEachAttemptHasAWorkerAndThereAreThree(t *testing.T) {
	t.Parallel()
	s := serve(t, stack(asks), nil)
	tried := 0
	_, err := s.dial(nil, ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
		tried++
		return "wrong", nil
	}), 10))
	if err == nil || tried != auth.MaxTries || s.helper.launched != auth.MaxTries {
		t.Errorf("got %v, %d attempts and %d workers; want a refusal, and %d of each", err, tried, s.helper.launched, auth.MaxTries)
	}
}

// TestTheLogCountsTheAttemptsThatFailed and nothing else: not the library's end of a
// connection that has had its three, and not a first factor.
func TestTheLogCountsTheAttemptsThatFailed(t *testing.T) {
	t.Parallel()
	wrong := func(string, string, []string, []bool) ([]string, error) { return []string{"wrong"}, nil }
	for name, c := range map[string]struct {
		ways     []ssh.AuthMethod
		failures int
	}{
		"the question for methods":    {nil, 0},
		"one password":                {[]ssh.AuthMethod{ssh.Password("wrong")}, 1},
		"as many as there may be":     {[]ssh.AuthMethod{ssh.RetryableAuthMethod(ssh.Password("wrong"), 10)}, auth.MaxTries},
		"one of each":                 {[]ssh.AuthMethod{ssh.Password("wrong"), ssh.KeyboardInteractive(wrong)}, 2},
		"a first factor alone":        {[]ssh.AuthMethod{ssh.PublicKeys(key(t, 2))}, 0},
		"a first factor and a second": {[]ssh.AuthMethod{ssh.PublicKeys(key(t, 2)), ssh.KeyboardInteractive(wrong)}, 1},
		"a first factor and many": {[]ssh.AuthMethod{ssh.PublicKeys(key(t, 2)),
			ssh.RetryableAuthMethod(ssh.KeyboardInteractive(wrong), 10)}, auth.MaxTries},
		"a key that is not listed": {[]ssh.AuthMethod{ssh.PublicKeys(key(t, 3))}, 1},
	} {
		s := serve(t, stack(asks), func(n *node.Settings) {
			n.Auth.AuthorizedKeys = func(string) ([]ssh.PublicKey, error) { return []ssh.PublicKey{key(t, 2).PublicKey()}, nil }
		})
		if _, err := s.dial(nil, c.ways...); err == nil {
			t.Errorf("%s: let in", name)
		}
		s.logs("disconnected before a login")
		if want := fmt.Sprintf("attempts that failed: %d", c.failures); !strings.Contains(s.log.String(), want) {
			t.Errorf("%s: the log is\n%s\nwant %s", name, s.log, want)
		}
		lines := strings.Count(s.log.String(), `msg="login failed"`) + strings.Count(s.log.String(), `msg="not taken"`)
		if lines != c.failures {
			t.Errorf("%s: got %d lines of failures, want %d; the log:\n%s", name, lines, c.failures, s.log)
		}
	}
}

func TestAPasswordAnswersOneHiddenQuestion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asks ipctest.Handler
		in   bool
	}{
		"one":    {asks, true},
		"none":   {func(*ipctest.Call) ipc.Code { return ipc.Success }, true},
		"two":    {func(c *ipctest.Call) ipc.Code { c.Prompt(false, "Code: "); return asks(c) }, false},
		"echoed": {func(c *ipctest.Call) ipc.Code { c.Prompt(true, "Login: "); return ipc.AuthErr }, false},
	} {
		s := serve(t, stack(c.asks), nil)
		client, err := s.dial(nil, ssh.Password("secret"))
		if (err == nil) != c.in {
			t.Errorf("%s: got %v, want to be let in: %v", name, err, c.in)
		}
		if err == nil {
			client.Close()
		}
	}
}

// noSigner has a public key only.
type noSigner struct{ ssh.Signer }

func (noSigner) Sign(io.Reader, []byte) (*ssh.Signature, error) {
	return nil, errors.New("the private key is not here")
}

func listed(keys ...ssh.PublicKey) func(*node.Settings) {
	return func(s *node.Settings) {
		s.Auth.AuthorizedKeys = func(string) ([]ssh.PublicKey, error) { return keys, nil }
		s.Auth.PAM.UsePAMAuth = false
	}
}

// TestAKeyThatIsOnlyNamedStartsNothing: whoever knows the public key can do that.
func TestAKeyThatIsOnlyNamedStartsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, stack(nil), listed(key(t, 2).PublicKey()))
	if _, err := s.dial(nil, ssh.PublicKeys(noSigner{key(t, 2)})); err == nil || !strings.Contains(err.Error(), "is not here") {
		t.Errorf("got %v, want the client to be asked for a signature", err)
	}
	if s.helper.launched != 0 {
		t.Errorf("workers: got %d, want 0", s.helper.launched)
	}
}

// TestASignatureWithSHA1LetsNobodyIn, as with sshd: neither of a client nor of an
// authority. RSA keys that sign with SHA-2 do.
func TestASignatureWithSHA1LetsNobodyIn(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, stack(asks), func(n *node.Settings) {
		n.Auth.AuthorizedKeys = func(string) ([]ssh.PublicKey, error) { return []ssh.PublicKey{whole.PublicKey()}, nil }
		n.Auth.Authorities, n.Auth.PasswordService = []ssh.PublicKey{whole.PublicKey()}, ""
	})
	for algorithm, in := range map[string]bool{ssh.KeyAlgoRSASHA256: true, ssh.KeyAlgoRSASHA512: true, ssh.KeyAlgoRSA: false} {
		signer, err := ssh.NewSignerWithAlgorithms(whole.(ssh.AlgorithmSigner), []string{algorithm})
		if err != nil {
			t.Fatal(err)
		}
		for by, signer := range map[string]ssh.Signer{"a client": signer, "an authority": certified(t, signer)} {
			client, err := s.dial(nil, ssh.PublicKeys(signer), answering("secret", new([]string)))
			if (err == nil) != in {
				t.Errorf("%s by %s: got %v, want to be let in: %v; the log:\n%s", algorithm, by, err, in, s.log)
			}
			if err == nil {
				client.Close()
			}
		}
	}
	s.logs(`algorithm \"ssh-rsa\" not accepted`)
	s.logs("its authority signed it with ssh-rsa, which is too weak")
}

// certified is alice's key with a certificate by an authority.
func certified(t *testing.T, authority ssh.Signer) ssh.Signer {
	t.Helper()
	certificate := &ssh.Certificate{CertType: ssh.UserCert, Key: key(t, 2).PublicKey(), KeyId: "alice", ValidPrincipals: []string{"alice"}, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(certificate, key(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// TestCertificatesThatLetNobodyIn are those of hosts, and those whose forced command
// would be a shell.
func TestCertificatesThatLetNobodyIn(t *testing.T) {
	t.Parallel()
	authority := key(t, 3)
	s := serve(t, stack(asks), func(n *node.Settings) {
		n.Auth.Authorities, n.Auth.PasswordService = []ssh.PublicKey{authority.PublicKey()}, ""
	})
	for name, c := range map[string]struct {
		kind    uint32
		options map[string]string
		in      bool
	}{
		"user":            {ssh.UserCert, nil, true},
		"forced":          {ssh.UserCert, map[string]string{"force-command": "id"}, true},
		"forced to empty": {ssh.UserCert, map[string]string{"force-command": ""}, false},
		"host":            {ssh.HostCert, nil, false},
	} {
		certificate := &ssh.Certificate{CertType: c.kind, Key: key(t, 2).PublicKey(), KeyId: "alice", ValidPrincipals: []string{"alice"},
			ValidBefore: ssh.CertTimeInfinity, Permissions: ssh.Permissions{CriticalOptions: c.options}}
		if err := certificate.SignCert(bytes.NewReader(bytes.Repeat([]byte{1}, 1000)), authority); err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.NewCertSigner(certificate, key(t, 2))
		if err != nil {
			t.Fatal(err)
		}
		client, err := s.dial(nil, ssh.PublicKeys(signer), answering("secret", new([]string)))
		if (err == nil) != c.in {
			t.Errorf("%s: got %v, want to be let in: %v", name, err, c.in)
		}
		if err == nil {
			client.Close()
		}
	}
	s.logs(`why="its force-command is empty, and an empty command is the login shell" key=` + ssh.FingerprintSHA256(key(t, 2).PublicKey()) + " identity=alice ")
}

// answering answers each question with a text and notes what is shown.
func answering(text string, shown *[]string) ssh.AuthMethod {
	return ssh.KeyboardInteractive(func(_, instruction string, questions []string, echo []bool) ([]string, error) {
		*shown = append(*shown, fmt.Sprint(instruction, questions, echo))
		return slices.Repeat([]string{text}, len(questions)), nil
	})
}

func TestWhatModulesSayIsShownWithTheNextQuestionOrWithout(t *testing.T) {
	t.Parallel()
	helper := stack(func(c *ipctest.Call) ipc.Code {
		c.Info("first\x1b")
		c.Error("second")
		return asks(c)
	})
	helper.Steps[ipc.Account] = func(c *ipctest.Call) ipc.Code { c.Info("expires soon"); return ipc.Success }
	s := serve(t, helper, nil)
	var shown []string
	client, err := s.dial(nil, answering("secret", &shown))
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	want := []string{"first\\x1b\nsecond\n[Password: ] [false]", "expires soon\n[] []"}
	if !slices.Equal(shown, want) {
		t.Errorf("got %q, want %q", shown, want)
	}
	var banner strings.Builder
	if client, err = s.dial(&banner, ssh.Password("secret")); err != nil {
		t.Fatal(err)
	}
	client.Close()
	if want := "first\\x1b\nsecond\nexpires soon\n"; banner.String() != want {
		t.Errorf("by password: got %q, want %q", banner.String(), want)
	}
}

// TestAFailedProofShowsNothingThatWasSaidOfIt because it could tell who exists.
func TestAFailedProofShowsNothingThatWasSaidOfIt(t *testing.T) {
	t.Parallel()
	s := serve(t, stack(func(c *ipctest.Call) ipc.Code {
		c.Prompt(false, "Password: ")
		c.Error("this account is locked")
		return ipc.AuthErr
	}), nil)
	var shown []string
	var banner strings.Builder
	if _, err := s.dial(&banner, answering("secret", &shown)); err == nil {
		t.Error("let in")
	}
	if _, err := s.dial(&banner, ssh.Password("secret")); err == nil {
		t.Error("let in")
	}
	if all := strings.Join(shown, "") + banner.String(); strings.Contains(all, "locked") {
		t.Errorf("got %q, want no word of it", all)
	}
}

func TestABusyHelperIsToldAsTryAgain(t *testing.T) {
	t.Parallel()
	helper := stack(asks)
	helper.Busy = &ipc.BusyError{Text: "10 logins"}
	s := serve(t, helper, nil)
	var banner strings.Builder
	if _, err := s.dial(&banner, ssh.Password("secret")); err == nil || !strings.Contains(banner.String(), "Try again later") {
		t.Errorf("got %v and %q, want to be told to try again", err, banner.String())
	}
	s.logs("10 logins")
}

func TestASessionThatCannotBeOpenedIsToldInWords(t *testing.T) {
	t.Parallel()
	helper := stack(asks)
	helper.Steps[ipc.OpenSession] = func(c *ipctest.Call) ipc.Code { c.Error("too many logins"); return ipc.SessionErr }
	s := serve(t, helper, nil)
	_, err := s.in(ssh.Password("secret")).NewSession()
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.Prohibited || !strings.Contains(refused.Message, "too many logins") {
		t.Errorf("got %v, want it prohibited with what the module said", err)
	}
	s.logs("session not opened")
}

func TestAClientThatGivesNoSignOfLifeIsGivenUp(t *testing.T) {
	t.Parallel()
	s := serve(t, stack(asks), func(n *node.Settings) { n.KeepaliveInterval, n.KeepaliveCount = 10*time.Millisecond, 3 })
	stream, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	conn, _, requests, err := ssh.NewClientConn(stream, s.address, &ssh.ClientConfig{
		User: "alice", Auth: []ssh.AuthMethod{ssh.Password("secret")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := <-requests; got.Type != "keepalive@openssh.com" { // and it is not answered
		t.Errorf("got a request %q, want one for a sign of life", got.Type)
	}
	s.logs("the client gives no sign of life")
	conn.Wait()
}

func TestAConnectionHasSoManyChannels(t *testing.T) {
	t.Parallel()
	const most = 3
	s := serve(t, stack(asks), func(n *node.Settings) { n.MaxChannels = most })
	client := s.in(ssh.Password("secret"))
	for range most {
		if _, err := client.NewSession(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.NewSession()
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("got %v, want a shortage", err)
	}
}

func TestAChannelHasOneProcessAndKnownSubsystems(t *testing.T) {
	t.Parallel()
	s := serve(t, stack(asks), nil)
	client := s.in(ssh.Password("secret"))
	channel, requests, err := client.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	ask := func(kind string, payload any) bool {
		t.Helper()
		ok, err := channel.SendRequest(kind, true, ssh.Marshal(payload))
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	type text struct{ Text string }
	for _, c := range []struct {
		kind    string
		payload any
		want    bool
	}{
		{"subsystem", text{"netconf"}, false},
		{"x11-req", text{""}, false},
		{"auth-agent-req@openssh.com", text{""}, false},
		{"signal", text{"TERM"}, false},
		{"window-change", struct{ A, B, C, D uint32 }{80, 24, 0, 0}, false},
		{"exec", text{""}, false},
		{"env", struct{ A, B string }{"LANG", "C"}, true},
		{"env", struct{ A, B string }{"X", strings.Repeat("x", 40<<10)}, false},
		{"exec", text{"true"}, true},
	} {
		if got := ask(c.kind, c.payload); got != c.want {
			t.Errorf("%s %v: got %v, want %v", c.kind, c.payload, got, c.want)
		}
	}
}

// TestTheLogOfAConnectionIsBounded however much a peer asks for.
func TestTheLogOfAConnectionIsBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, stack(asks), nil)
	client := s.in(ssh.Password("secret"))
	began := time.Now()
	for range 1000 {
		if _, _, err := client.SendRequest("x\nlogin=1", true, nil); err != nil {
			t.Fatal(err)
		}
	}
	client.Close()
	s.logs("msg=logout")
	s.logs(`msg="too many lines for one connection"`)
	lines, most := strings.Count(s.log.String(), "request refused"), 200+int(10*time.Since(began).Seconds())
	if lines < 100 || lines > most {
		t.Errorf("lines: got %d, want at most %d", lines, most)
	}
	leftOut := 0
	for _, line := range strings.Split(s.log.String(), "left_out=")[1:] {
		var count int
		fmt.Sscan(line, &count)
		leftOut += count
	}
	if leftOut+lines != 1000 {
		t.Errorf("lines and those that were left out: got %d and %d, want 1000 together", lines, leftOut)
	}
}
