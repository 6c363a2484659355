package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// patience is how long anything that is waited for may take.
const patience = 10 * time.Second

// built is where the helper and the hostile module are.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(status)
}

// build compiles the helper and the module once, and returns their paths.
func build(t *testing.T) (helper, module string) {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "hostile"); built.err != nil {
			return
		}
		built.err = errors.Join(
			command("go", "build", "-o", built.dir+"/pamhelper", "github.com/pamhelper/pamhelper/cmd/pamhelper"),
			command("gcc", "-shared", "-fPIC", "-o", built.dir+"/pam_hostile.so", "testdata/hostile/pam_hostile.c", "-lpam", "-lpthread"),
		)
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir + "/pamhelper", built.dir + "/pam_hostile.so"
}

func command(name string, args ...string) error {
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	return nil
}

// stack is a directory with one service, "svc", and what its modules leave.
type stack struct {
	t   *testing.T
	dir string
	log bytes.Buffer // the worker's; to be read when the worker has gone
}

// newStack writes a service of one hostile module for every facility. When the
// test ends, the worker's log must be clean and nothing may be left running.
func newStack(t *testing.T, mode string, args ...string) *stack {
	t.Helper()
	return newStacked(t, append([]string{mode}, args...))
}

// newStacked writes a service of several hostile modules, one after the other.
func newStacked(t *testing.T, modules ...[]string) *stack {
	t.Helper()
	_, module := build(t)
	s := &stack{t: t, dir: t.TempDir()}
	var lines strings.Builder
	for _, facility := range []string{"auth", "account", "password", "session"} {
		for _, args := range modules {
			fmt.Fprintf(&lines, "%s required %s %s log=%s pids=%s\n", facility, module,
				strings.Join(args, " "), s.path("log"), s.path("pids"))
		}
	}
	if err := os.WriteFile(s.path("svc"), []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.check)
	return s
}

func (s *stack) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stack) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Error(err)
	}
	return string(text)
}

// calls returns what libpam called, in order.
func (s *stack) calls() string { return strings.Join(strings.Fields(s.read("log")), " ") }

func (s *stack) launcher() ipc.Exec {
	helper, _ := build(s.t)
	return ipc.Exec{Path: helper, Args: []string{"--debug", "--confdir", s.dir}, Log: &s.log}
}

// check is what holds after every login, however it ended.
func (s *stack) check() {
	if text := s.log.String(); strings.Contains(text, "goroutine ") || strings.Contains(text, "panic:") {
		s.t.Errorf("the worker's log has a trace of Go:\n%s", text)
	}
	for _, pid := range strings.Fields(s.read("pids")) {
		s.gone(pid)
	}
}

// gone waits until a process has ended.
func (s *stack) gone(pid string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || bytes.Contains(stat[bytes.LastIndexByte(stat, ')'):], []byte(") Z ")) {
			return
		}
	}
	s.t.Errorf("process %s is still there", pid)
}

// session is a client of a worker on a stack.
type session struct {
	*ipc.Client
	*stack
	ctx context.Context
}

// dial starts a worker on the stack and greets it.
func (s *stack) dial(options ipc.Options) *session {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*patience)
	client, err := ipc.Dial(ctx, s.launcher(), options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		client.Close()
		cancel()
	})
	return &session{Client: client, stack: s, ctx: ctx}
}

// run does a whole login, or as far as it goes, and returns the first error.
func (s *session) run(steps ...ipc.Step) ([]ipc.Result, error) {
	s.t.Helper()
	return s.Login(s.ctx, ipc.Login{Service: "svc", User: "tester"}, steps...)
}

// whole are the steps of a login that a debugging worker is asked for.
var whole = []ipc.Step{ipc.Authenticate, ipc.Account, ipc.ChangePassword, ipc.Credentials, ipc.OpenSession, ipc.CloseSession, ipc.End}

// succeeds does a whole login, with a success of every step.
func (s *session) succeeds() []ipc.Result {
	s.t.Helper()
	results, err := s.run(whole...)
	if err != nil {
		s.t.Fatalf("the login ended with %v, want a success of every step", err)
	}
	return results
}

// conversation answers every prompt through a function and keeps the messages.
type conversation struct {
	answer   func(echo bool, text []byte) ([]byte, error)
	messages []string
}

var _ ipc.Conversation = (*conversation)(nil)

func (c *conversation) Prompt(_ context.Context, echo bool, text []byte) ([]byte, error) {
	if c.answer == nil {
		return nil, errors.New("no prompt expected")
	}
	return c.answer(echo, text)
}

func (c *conversation) Info(text []byte)  { c.messages = append(c.messages, "info "+string(text)) }
func (c *conversation) Error(text []byte) { c.messages = append(c.messages, "error "+string(text)) }

func always(answer string) *conversation {
	return &conversation{answer: func(bool, []byte) ([]byte, error) { return []byte(answer), nil }}
}
