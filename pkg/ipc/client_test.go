package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/ipctest"
	pb "github.com/pamhelper/pamhelper/proto"
)

// person is a conversation that answers every prompt alike and notes what it saw.
type person struct {
	answer func(ctx context.Context) ([]byte, error)
	seen   []string
}

func (p *person) Prompt(ctx context.Context, echo bool, text []byte) ([]byte, error) {
	p.seen = append(p.seen, map[bool]string{true: "on:", false: "off:"}[echo]+string(text))
	if p.answer == nil {
		return []byte("secret"), nil
	}
	return p.answer(ctx)
}

func (p *person) Info(text []byte)  { p.seen = append(p.seen, "info:"+string(text)) }
func (p *person) Error(text []byte) { p.seen = append(p.seen, "error:"+string(text)) }

func (p *person) Binary(_ context.Context, control byte, data []byte) (byte, []byte, error) {
	return control + 1, append(data, '!'), nil
}

func dial(t *testing.T, h *ipctest.Helper, who ipc.Conversation) *ipc.Client {
	t.Helper()
	client, err := ipc.Dial(t.Context(), h, ipc.Options{Conversation: who})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		h.Wait()
	})
	return client
}

var alice = ipc.Login{Service: "sshd", User: "alice", Rhost: "192.0.2.7"}

func authenticating(h ipctest.Handler) *ipctest.Helper {
	return &ipctest.Helper{Steps: map[ipc.Step]ipctest.Handler{ipc.Authenticate: h}}
}

func TestLoginFromBeginToEnd(t *testing.T) {
	h := &ipctest.Helper{Steps: map[ipc.Step]ipctest.Handler{
		ipc.Authenticate: func(c *ipctest.Call) ipc.Code {
			c.Info("welcome \xff")
			c.Error("careful")
			if string(c.Prompt(false, "Password: ")) != "secret" || string(c.Prompt(true, "Code: ")) != "secret" {
				return ipc.AuthErr
			}
			return ipc.Success
		},
		ipc.OpenSession: func(c *ipctest.Call) ipc.Code {
			c.SetEnv("HOMEDIR", "/home/"+c.Login.User)
			return ipc.Success
		},
	}}
	who := &person{}
	client := dial(t, h, who)
	steps := []func(context.Context) (ipc.Result, error){
		client.Authenticate, client.Account, client.Credentials, client.OpenSession, client.CloseSession, client.End,
	}
	if _, err := client.Begin(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	for i, step := range steps {
		if result, err := step(t.Context()); err != nil {
			t.Fatalf("step %d: %v (%+v)", i, err, result)
		}
	}
	if got, want := client.Environment(), []ipc.Variable{{Name: "HOMEDIR", Value: "/home/alice"}}; !slices.Equal(got, want) {
		t.Errorf("environment %v, want %v", got, want)
	}
	if want := []string{"info:welcome \xff", "error:careful", "off:Password: ", "on:Code: "}; !slices.Equal(who.seen, want) {
		t.Errorf("saw %q, want %q", who.seen, want)
	}
	if _, err := client.Account(t.Context()); err == nil {
		t.Error("a step after End was sent")
	}
}

func TestPipelinedStepsBehindAFailureAreSkipped(t *testing.T) {
	h := authenticating(func(*ipctest.Call) ipc.Code { return ipc.AuthErr })
	client := dial(t, h, nil)
	results, err := client.Login(t.Context(), alice, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	if !errors.Is(err, ipc.AuthErr) {
		t.Errorf("error %v, want %v", err, ipc.AuthErr)
	}
	var skipped []bool
	for _, r := range results {
		skipped = append(skipped, r.Skipped)
	}
	if want := []bool{false, false, true, true, true}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	if got, want := h.Taken(), []ipc.Step{ipc.Begin, ipc.Authenticate}; !slices.Equal(got, want) {
		t.Errorf("run %v, want %v", got, want)
	}
}

func TestErrorsAreTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		step   ipctest.Handler
		target error
		text   string
	}{
		{"wrong password", func(*ipctest.Call) ipc.Code { return ipc.AuthErr }, ipc.AuthErr, "authenticate: PAM_AUTH_ERR"},
		{"unknown code", func(*ipctest.Call) ipc.Code { return 99 }, ipc.Code(99), "PAM code 99"},
		{"crash", func(c *ipctest.Call) ipc.Code { c.Crash("pam_x.so", syscall.SIGSEGV); return 0 }, ipc.ErrHelperDied, "pam_x.so crashed (segmentation fault)"},
		{"exit", func(c *ipctest.Call) ipc.Code { c.Crash("pam_x.so", 0); return 0 }, ipc.ErrHelperDied, "pam_x.so called exit"},
		{"death", func(c *ipctest.Call) ipc.Code { c.Die(); return 0 }, ipc.ErrHelperDied, "died in the middle"},
		{"hang", func(c *ipctest.Call) ipc.Code { c.Hang("pam_x.so"); return 0 }, nil, "module pam_x.so does not return"},
		{"refusal", func(c *ipctest.Call) ipc.Code { c.Refuse("not you"); return 0 }, nil, "refused by the helper: not you"},
	} {
		client := dial(t, authenticating(c.step), nil)
		_, err := client.Login(t.Context(), alice, ipc.Authenticate)
		if err == nil || !strings.Contains(err.Error(), c.text) || c.target != nil && !errors.Is(err, c.target) {
			t.Errorf("%s: error %v, want %v with %q", c.name, err, c.target, c.text)
		}
		if c.name == "wrong password" || c.name == "unknown code" {
			continue
		}
		if _, again := client.Account(t.Context()); !errors.Is(again, err) {
			t.Errorf("%s: then %v, want the same error", c.name, again)
		}
	}
}

func TestWrongOrderIsAViolation(t *testing.T) {
	client := dial(t, &ipctest.Helper{}, nil)
	_, err := client.Login(t.Context(), alice, ipc.OpenSession)
	var violation *ipc.ViolationError
	if !errors.As(err, &violation) {
		t.Errorf("error %v, want a violation", err)
	}
}

func TestVersionMismatch(t *testing.T) {
	_, err := ipc.Dial(t.Context(), &ipctest.Helper{Version: 9}, ipc.Options{})
	if !errors.Is(err, ipc.ErrVersion) || !strings.Contains(err.Error(), "1") || !strings.Contains(err.Error(), "9") {
		t.Errorf("error %v, want %v with both numbers", err, ipc.ErrVersion)
	}
}

func TestDialLoginGreetsAndLogsInAtOnce(t *testing.T) {
	var who person
	h := authenticating(func(c *ipctest.Call) ipc.Code {
		if string(c.Prompt(false, "Password: ")) != "secret" {
			return ipc.AuthErr
		}
		return ipc.Success
	})
	client, results, err := ipc.DialLogin(t.Context(), h, ipc.Options{Conversation: &who}, alice, ipc.Authenticate, ipc.Account, ipc.OpenSession)
	var violation *ipc.ViolationError
	if client == nil || len(results) != 3 || !errors.As(err, &violation) {
		t.Fatalf("got %d results and %v, want 3 and a violation: no credentials before the session", len(results), err)
	}
	client.Close()
	client, results, err = ipc.DialLogin(t.Context(), h, ipc.Options{Conversation: &who}, alice, ipc.Authenticate, ipc.Account)
	if err != nil || len(results) != 3 {
		t.Fatalf("got %d results and %v, want 3", len(results), err)
	}
	defer client.Close()
	if _, err := client.Do(t.Context(), ipc.Credentials, ipc.OpenSession, ipc.CloseSession, ipc.End); err != nil {
		t.Errorf("then: %v", err)
	}
	if want := []string{"off:Password: ", "off:Password: "}; !slices.Equal(who.seen, want) {
		t.Errorf("asked %q, want %q", who.seen, want)
	}
}

// neverAsked is a launcher that must not be asked for a worker.
type neverAsked struct{ *testing.T }

func (t neverAsked) Launch(context.Context) (net.Conn, error) {
	t.Error("a worker was started")
	return nil, errors.New("there is none")
}

func TestDialLoginGivesAClientForEveryWorkerThatAnswered(t *testing.T) {
	wrong := authenticating(func(*ipctest.Call) ipc.Code { return ipc.AuthErr })
	client, results, err := ipc.DialLogin(t.Context(), wrong, ipc.Options{}, alice, ipc.Authenticate, ipc.Account)
	if client == nil || len(results) != 3 || !results[2].Skipped || !errors.Is(err, ipc.AuthErr) {
		t.Fatalf("a wrong password: client %v, results %v, error %v; want a client, 3 results, %v", client, results, err, ipc.AuthErr)
	}
	client.Close()
	for name, h := range map[string]*ipctest.Helper{"another version": {Version: 9}, "busy": {Busy: &ipc.BusyError{RetryAfter: time.Second}}} {
		if client, results, err := ipc.DialLogin(t.Context(), h, ipc.Options{}, alice, ipc.Authenticate); client != nil || results != nil || err == nil {
			t.Errorf("%s: client %v, results %v, error %v; want an error alone", name, client, results, err)
		}
		h.Wait()
	}
	if _, _, err := ipc.DialLogin(t.Context(), neverAsked{t}, ipc.Options{}, alice, slices.Repeat([]ipc.Step{ipc.Account}, ipc.MaxQueued)...); err == nil {
		t.Error("more steps than a worker takes were sent")
	}
}

func TestBusyHelperSaysWhenToTryAgain(t *testing.T) {
	want := ipc.BusyError{RetryAfter: 1500 * time.Millisecond, Text: "100 logins have no open session yet"}
	check := func(when string, err error) {
		var busy *ipc.BusyError
		if !errors.As(err, &busy) || *busy != want || !strings.Contains(err.Error(), "try again in 1.5s") {
			t.Errorf("%s: error %v, want %+v", when, err, want)
		}
	}
	_, err := ipc.Dial(t.Context(), &ipctest.Helper{Busy: &want}, ipc.Options{})
	check("at the start", err)
	client := dial(t, &ipctest.Helper{Steps: map[ipc.Step]ipctest.Handler{ipc.Credentials: func(c *ipctest.Call) ipc.Code {
		c.Busy(want.RetryAfter, want.Text)
		return ipc.Success
	}}}, nil)
	_, err = client.Login(t.Context(), alice, ipc.Authenticate, ipc.Account, ipc.Credentials)
	check("behind the proof", err)
}

func TestLoginGoesOnBehindWhatIsTolerated(t *testing.T) {
	client := dial(t, &ipctest.Helper{Steps: map[ipc.Step]ipctest.Handler{ipc.Credentials: func(c *ipctest.Call) ipc.Code {
		c.Tolerate()
		return ipc.CredErr
	}}}, nil)
	results, err := client.Login(t.Context(), alice, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
	if err != nil || len(results) != 5 {
		t.Fatalf("%d results, %v; want all", len(results), err)
	}
	if got := results[3]; got.Code != ipc.CredErr || !got.Tolerated || got.Err() != nil {
		t.Errorf("credentials %v, tolerated %v; want PAM_CRED_ERR, which is tolerated", got.Code, got.Tolerated)
	}
}

func TestCancelledPromptEndsTheStep(t *testing.T) {
	asked := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	who := &person{answer: func(ctx context.Context) ([]byte, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	client := dial(t, authenticating(func(c *ipctest.Call) ipc.Code {
		if c.Prompt(false, "Password: ") == nil {
			return ipc.ConvErr
		}
		return ipc.Success
	}), who)
	_, err := client.Login(ctx, alice, ipc.Authenticate)
	if !errors.Is(err, ipc.ConvErr) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v because of %v", err, ipc.ConvErr, context.Canceled)
	}
}

func TestContextEndsAStepThatHangs(t *testing.T) {
	release := make(chan struct{})
	client := dial(t, authenticating(func(*ipctest.Call) ipc.Code { <-release; return ipc.Success }), nil)
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.Login(ctx, alice, ipc.Authenticate); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestContextThatEndedEndsTheWorkerToo(t *testing.T) {
	entered := make(chan struct{})
	h := authenticating(func(c *ipctest.Call) ipc.Code {
		close(entered)
		c.Prompt(false, "") // never reaches anybody: it ends when the agent has left
		return ipc.Success
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	client, err := ipc.Dial(t.Context(), h, ipc.Options{Conversation: &person{answer: func(ctx context.Context) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.Login(ctx, alice, ipc.Authenticate)
	client.Login(ctx, alice) // with a context that has ended: the login ends
	h.Wait()                 // without Close
}

func TestAStepWithAContextThatHadEndedEndsTheLogin(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // a choice by chance would show
		client := dial(t, &ipctest.Helper{}, nil)
		if _, err := client.Login(ctx, alice); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		select {
		case <-client.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("the login goes on")
		}
	}
}

func TestAnswersThatPAMCannotTakeAreCancelled(t *testing.T) {
	for _, answer := range []string{"two\n", "nul\x00", strings.Repeat("x", 64<<10+1)} {
		who := &person{answer: func(context.Context) ([]byte, error) { return []byte(answer), nil }}
		client := dial(t, authenticating(func(c *ipctest.Call) ipc.Code {
			if c.Prompt(false, "Password: ") == nil {
				return ipc.ConvErr
			}
			return ipc.Success
		}), who)
		if _, err := client.Login(t.Context(), alice, ipc.Authenticate); !errors.Is(err, ipc.ConvErr) {
			t.Errorf("%.10q: error %v, want %v", answer, err, ipc.ConvErr)
		}
	}
}

func TestAnswerIsWiped(t *testing.T) {
	secret := []byte("secret")
	who := &person{answer: func(context.Context) ([]byte, error) { return secret, nil }}
	client := dial(t, authenticating(func(c *ipctest.Call) ipc.Code { c.Prompt(false, ""); return ipc.Success }), who)
	if _, err := client.Login(t.Context(), alice, ipc.Authenticate); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(secret, make([]byte, 6)) {
		t.Errorf("the answer is still %q", secret)
	}
}

func TestBinaryPrompt(t *testing.T) {
	client := dial(t, authenticating(func(c *ipctest.Call) ipc.Code {
		control, answer, ok := c.Binary(3, []byte("\x00data"))
		if !ok || control != 4 || string(answer) != "\x00data!" {
			return ipc.ConvErr
		}
		return ipc.Success
	}), &person{})
	if _, err := client.Login(t.Context(), alice, ipc.Authenticate); err != nil {
		t.Error(err)
	}
}

func TestTooManyStepsAtOnceAreNotSent(t *testing.T) {
	h := &ipctest.Helper{}
	client := dial(t, h, nil)
	steps := slices.Repeat([]ipc.Step{ipc.Account}, ipc.MaxQueued+1)
	if _, err := client.Do(t.Context(), steps...); err == nil {
		t.Error("more steps than a worker takes were sent")
	}
	if _, err := client.Begin(t.Context(), alice); err != nil {
		t.Errorf("the connection did not survive that: %v", err)
	}
}

func TestClosingTheConnectionClosesTheSession(t *testing.T) {
	h := &ipctest.Helper{}
	client := dial(t, h, nil)
	if _, err := client.Login(t.Context(), alice, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession); err != nil {
		t.Fatal(err)
	}
	client.Close()
	h.Wait()
	if taken := h.Taken(); taken[len(taken)-1] != ipc.CloseSession {
		t.Errorf("run %v, want the session closed last", taken)
	}
}

// stray sends descriptors with a welcome.
type stray struct{ t *testing.T }

func (s stray) Launch(context.Context) (net.Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fds[1]), "peer")
	s.t.Cleanup(func() { file.Close() })
	welcome, err := ipc.AppendFrame(nil, &pb.Event{Body: &pb.Event_Welcome{Welcome: &pb.Welcome{Version: ipc.Version}}})
	if err != nil {
		return nil, err
	}
	if err := unix.Sendmsg(fds[1], welcome, unix.UnixRights(0, 1, 2), nil, 0); err != nil {
		return nil, err
	}
	return ipc.UnixConn(os.NewFile(uintptr(fds[0]), "agent"))
}

// wrapped is a connection as a launcher returns it that holds more than the socket.
type wrapped struct{ stray }

func (w wrapped) Launch(ctx context.Context) (net.Conn, error) {
	conn, err := w.stray.Launch(ctx)
	if err != nil {
		return nil, err
	}
	return struct{ *net.UnixConn }{conn.(*net.UnixConn)}, nil
}

func TestStrayDescriptorsOnAWrappedConnection(t *testing.T) {
	_, err := ipc.Dial(t.Context(), wrapped{stray{t}}, ipc.Options{})
	var violation *ipc.ViolationError
	if !errors.As(err, &violation) {
		t.Errorf("error %v, want a violation", err)
	}
}

func TestNoResultIsNoSuccess(t *testing.T) {
	if (ipc.Result{}).Err() == nil {
		t.Error("an empty result is a success")
	}
	client := dial(t, authenticating(func(*ipctest.Call) ipc.Code { return ipc.AuthErr }), nil)
	results, _ := client.Login(t.Context(), alice, ipc.Authenticate, ipc.Account)
	if skipped := results[2]; skipped.Code == ipc.Success || !errors.Is(skipped.Err(), ipc.ErrSkipped) {
		t.Errorf("skipped result %+v, want no success", skipped)
	}
	client.Close()
	if result, err := client.Account(t.Context()); err == nil || result.Code == ipc.Success {
		t.Errorf("after the end %+v, %v, want an error and no success", result, err)
	}
}

func TestStrayDescriptorsAreClosedAndEndTheConnection(t *testing.T) {
	before := openDescriptors(t)
	_, err := ipc.Dial(t.Context(), stray{t}, ipc.Options{})
	var violation *ipc.ViolationError
	if !errors.As(err, &violation) {
		t.Errorf("error %v, want a violation", err)
	}
	if after := openDescriptors(t); after > before+1 { // the peer's end stays until the cleanup
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestExecTellsWhatCannotBeStarted(t *testing.T) {
	_, err := ipc.Dial(t.Context(), ipc.Exec{Path: "/nonexistent/pamhelper"}, ipc.Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want %v", err, os.ErrNotExist)
	}
	_, err = ipc.Dial(t.Context(), ipc.Exec{Path: "/bin/true"}, ipc.Options{})
	if !errors.Is(err, ipc.ErrHelperDied) {
		t.Errorf("error %v, want %v", err, ipc.ErrHelperDied)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcode\n":    "plain ünïcode\n",
		"\x1b[31mred\x07":    `\x1b[31mred\x07`,
		"\xff\xfe":           `\xff\xfe`,
		"a\r\nb":             "a\nb",
		"\u202ereversed":     `\xe2\x80\xaereversed`,
		"\u009b31m C1":       `\xc2\x9b31m C1`,
		"tab\tstays\x00\x7f": "tab\tstays" + `\x00\x7f`,
	} {
		if got := ipc.Printable([]byte(in)); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestALoginCanBeEndedInOrderAfterACancelledPrompt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	who := &person{answer: func(ctx context.Context) ([]byte, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	h := authenticating(func(c *ipctest.Call) ipc.Code {
		if c.Prompt(false, "Password: ") == nil {
			return ipc.ConvErr
		}
		return ipc.Success
	})
	client := dial(t, h, who)
	if _, err := client.Login(ctx, alice, ipc.Authenticate); !errors.Is(err, ipc.ConvErr) {
		t.Fatalf("error %v, want %v", err, ipc.ConvErr)
	}
	if _, err := client.End(t.Context()); err != nil {
		t.Errorf("End: %v", err)
	}
}
