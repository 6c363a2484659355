package realpam_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// remote is where logins come from.
const remote = "192.0.2.5"

// person answers prompts in order and keeps what was shown.
type person struct {
	answers []string
	said    []string
	asked   func() // called by the first prompt, which is then cancelled
}

var _ ipc.Conversation = (*person)(nil)

func (p *person) Prompt(_ context.Context, echo bool, text []byte) ([]byte, error) {
	p.said = append(p.said, fmt.Sprintf("prompt echo=%v: %s", echo, text))
	if p.asked != nil {
		p.asked()
		return nil, errors.New("left")
	}
	if len(p.answers) == 0 {
		return nil, errors.New("no answer left")
	}
	answer := p.answers[0]
	p.answers = p.answers[1:]
	return []byte(answer), nil
}

func (p *person) Info(text []byte) { p.said = append(p.said, "info: "+string(text)) }

func (p *person) Error(text []byte) { p.said = append(p.said, "error: "+string(text)) }

// workerLog is what a worker writes to its standard error.
type workerLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *workerLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *workerLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// dial starts a worker as an agent does: strict, under the built-in policy.
func dial(t *testing.T, p *person) *ipc.Client {
	t.Helper()
	client, _ := dialHelper(t, p, pamhelper)
	return client
}

func dialHelper(t *testing.T, p *person, helper string, args ...string) (*ipc.Client, *workerLog) {
	t.Helper()
	ready(t)
	var log workerLog
	client, err := ipc.Dial(t.Context(), ipc.Exec{Path: helper, Args: args, Log: &log}, ipc.Options{Conversation: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		for _, secret := range []string{password, rootPassword} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the worker's log holds a password:\n%s", log.String())
			}
		}
		if t.Failed() && log.String() != "" {
			t.Logf("the worker's log:\n%s", log.String())
		}
	})
	return client, &log
}

// loginOf is what an agent asks for at a login over the network.
func loginOf(user string) ipc.Login {
	return ipc.Login{Service: "sshd", User: user, Rhost: remote}
}

// show lists results as "step=CODE".
func show(results []ipc.Result) string {
	var shown []string
	for _, r := range results {
		code := r.Code.String()
		if r.Skipped {
			code = "skipped"
		}
		shown = append(shown, r.Step.String()+"="+code)
	}
	return strings.Join(shown, " ")
}

// calls lists the module calls that pam_warn saw for a user of sshd, each with
// its flags, in order.
func calls(user string) string {
	var found []string
	for _, line := range logged("pam_warn(sshd:", "user=["+user+"]") {
		_, after, _ := strings.Cut(line, "function=[pam_sm_")
		function, after, _ := strings.Cut(after, "] flags=")
		flags, _, _ := strings.Cut(after, " ")
		found = append(found, function+"("+flags+")")
	}
	return strings.Join(found, " ")
}

// waitCalls waits until pam_warn has seen just these calls for a user.
func waitCalls(t *testing.T, user, want string) {
	t.Helper()
	eventually(t, func() bool { return calls(user) == want }, "calls for %s\nwant %s\ngot  %s", user, want, lazyCalls(user))
}

// lazyCalls prints the calls for a user as they are when it is printed.
type lazyCalls string

func (user lazyCalls) String() string { return calls(string(user)) }
