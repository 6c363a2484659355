package worker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// lines are those of each call in the service of newStack.
var lines = map[string]int{"auth": 1, "setcred": 1, "account": 2, "chauthtok": 3, "session": 4, "close": 4}

func TestModuleThatCrashesIsNamed(t *testing.T) {
	for _, test := range []struct {
		mode   string
		signal syscall.Signal
	}{
		{"segv", syscall.SIGSEGV},
		{"overflow", syscall.SIGSEGV},
		{"abort", syscall.SIGABRT},
		{"doublefree", syscall.SIGABRT},
		{"fpe", syscall.SIGFPE},
		{"exit", 0},
		{"exit n=3", 0},
	} {
		for _, facility := range []string{"auth", "account", "chauthtok", "setcred", "session", "close"} {
			t.Run(test.mode+" in "+facility, func(t *testing.T) {
				s := newStack(t, test.mode, "in="+facility)
				_, err := s.dial(ipc.Options{}).run(whole...)
				var crash *ipc.CrashError
				if !errors.As(err, &crash) || crash.Module != "pam_hostile.so" || crash.Signal != test.signal {
					t.Fatalf("the login ended with %v, want pam_hostile.so crashed with signal %d", err, test.signal)
				}
				if line := lines[facility]; crash.File != s.path("svc") || crash.Line != line {
					t.Errorf("the crash is in %s:%d, want %s:%d", crash.File, crash.Line, s.path("svc"), line)
				}
			})
		}
	}
}

func TestModuleThatEndsTheProcessUnseen(t *testing.T) {
	_, err := newStack(t, "quit").dial(ipc.Options{}).run(whole...)
	var crash *ipc.CrashError
	if !errors.Is(err, ipc.ErrHelperDied) || errors.As(err, &crash) {
		t.Errorf("the login ended with %v, want %v", err, ipc.ErrHelperDied)
	}
}

func TestModuleThatHangsIsNamedAndItsChildrenKilled(t *testing.T) {
	for _, mode := range []string{"loop", "pause"} {
		for _, facility := range []string{"auth", "session", "close"} {
			t.Run(mode+" in "+facility, func(t *testing.T) {
				t.Parallel()
				s := newStack(t, mode, "in="+facility).dial(ipc.Options{LoginTimeout: time.Second, CloseTimeout: 200 * time.Millisecond})
				_, err := s.run(whole...)
				var hang *ipc.HangError
				if !errors.As(err, &hang) || hang.Module != "pam_hostile.so" || hang.File != s.path("svc") || hang.Line != lines[facility] {
					t.Errorf("the login ended with %v, want that pam_hostile.so of line %d does not return", err, lines[facility])
				}
				if pids := strings.Fields(s.read("pids")); len(pids) != 2 {
					t.Errorf("the module noted %d children, want 2", len(pids))
				}
			})
		}
	}
}

func TestChildrenOfAWorkerThatDiesGoWithIt(t *testing.T) {
	for _, mode := range []string{"segv", "exit", "quit"} {
		s := newStacked(t, []string{"child"}, []string{mode, "in=account"}).dial(ipc.Options{})
		if _, err := s.run(ipc.Authenticate, ipc.Account); !errors.Is(err, ipc.ErrHelperDied) {
			t.Errorf("%s: the login ended with %v, want %v", mode, err, ipc.ErrHelperDied)
		}
		if pids := strings.Fields(s.read("pids")); len(pids) != 2 {
			t.Errorf("%s: the module noted %d children, want 2", mode, len(pids))
		}
	}
}

func TestOutputOfAModuleIsCapped(t *testing.T) {
	s := newStack(t, "print", "n=2097152").dial(ipc.Options{})
	s.succeeds()
	s.Close()
	if size := s.log.Len(); size < 64<<10 || size > 128<<10 {
		t.Errorf("the log has %d bytes, want about 64 KiB", size)
	}
	if !strings.Contains(s.log.String(), "more bytes were dropped") {
		t.Error("the log does not say that something was dropped")
	}
}

func TestTextArrivesUnchanged(t *testing.T) {
	for mode, want := range map[string]string{
		"bytes":   "info caf\xe9 \xff\xfe\x80 \x01",
		"escapes": "error \033]0;title\a\033[2J\033[31mred\r\xe2\x80\xaertl",
		"null":    "info ",
	} {
		t.Run(mode, func(t *testing.T) {
			c := always("answer")
			newStack(t, mode).dial(ipc.Options{Conversation: c}).succeeds()
			if len(c.messages) != 1 || c.messages[0] != want {
				t.Errorf("messages = %q, want %q", c.messages, want)
			}
		})
	}
}

func TestTryShowsEscapesHarmless(t *testing.T) {
	helper, _ := build(t)
	output, err := exec.Command(helper, "try", "--confdir", newStack(t, "escapes").dir, "svc", "tester").CombinedOutput()
	if err != nil {
		t.Errorf("try: %v", err)
	}
	if strings.ContainsAny(string(output), "\033\a\r\u202e") || !strings.Contains(string(output), `\x1b[31mred`) {
		t.Errorf("try printed %q, want the escapes as text", output)
	}
}

func TestTryNamesTheLineOfACrash(t *testing.T) {
	helper, _ := build(t)
	s := newStack(t, "segv", "in=account")
	output, err := exec.Command(helper, "try", "--trace", "--confdir", s.dir, "svc", "tester").CombinedOutput()
	want := fmt.Sprintf("pam_hostile.so (%s:2) crashed", s.path("svc"))
	if err == nil || !strings.Contains(string(output), want) {
		t.Errorf("try: %v\n%s\nwant in it %q", err, output, want)
	}
}

func TestTextIsCutAboveTheCap(t *testing.T) {
	s := newStack(t, "large", fmt.Sprintf("n=%d", 3<<20)).raw()
	s.begin()
	s.send(step(ipc.Authenticate))
	const kept = 256 << 10
	message := s.event().GetMessage()
	if len(message.GetText()) != kept || message.GetOmittedBytes() != 3<<20-kept {
		t.Errorf("message of %d bytes, %d omitted, want %d and %d", len(message.GetText()), message.GetOmittedBytes(), kept, 3<<20-kept)
	}
	prompt := s.event().GetPrompt()
	if len(prompt.GetText()) != kept || prompt.GetOmittedBytes() != 3<<20-kept {
		t.Errorf("prompt of %d bytes, %d omitted, want %d and %d", len(prompt.GetText()), prompt.GetOmittedBytes(), kept, 3<<20-kept)
	}
	s.send(answer(prompt.GetId(), "answer"))
	s.result(ipc.Authenticate, ipc.Success)
}

func TestThousandPrompts(t *testing.T) {
	asked := 0
	c := &conversation{answer: func(_ bool, text []byte) ([]byte, error) {
		asked++
		return slices.Clone(text), nil
	}}
	newStack(t, "prompts", "n=1000").dial(ipc.Options{Conversation: c}).succeeds()
	if asked != 1000 {
		t.Errorf("%d prompts, want 1000", asked)
	}
}

func TestBatchOfMessages(t *testing.T) {
	c := &conversation{answer: func(echo bool, text []byte) ([]byte, error) {
		if echo != (string(text) == "on") {
			return nil, fmt.Errorf("prompt %q has echo %t", text, echo)
		}
		return slices.Clone(text), nil
	}}
	newStack(t, "batch").dial(ipc.Options{Conversation: c}).succeeds()
	if want := []string{"error error", "info info"}; !slices.Equal(c.messages, want) {
		t.Errorf("messages = %q, want %q", c.messages, want)
	}
}

// What a module gets back that PAM has no name for, or is refused.
func TestCodes(t *testing.T) {
	for _, test := range []struct {
		args string
		want ipc.Code
	}{
		{"style n=42", ipc.ConvErr},
		{"style n=-1", ipc.ConvErr},
		{"style n=0", ipc.ConvErr},
		{"binary", ipc.ConvErr},
		{"binarylength n=0", ipc.ConvErr},
		{"prompt", ipc.ConvErr},
		// libpam makes "must fail" of what is not a return code.
		{"return n=-1", ipc.PermDenied},
		{"return n=99", ipc.PermDenied},
		{"return n=32", ipc.PermDenied},
		{"return n=9", ipc.AuthinfoUnavail},
		{"nosuchmode", ipc.SymbolErr},
	} {
		t.Run(test.args, func(t *testing.T) {
			s := newStack(t, test.args).dial(ipc.Options{})
			results, err := s.run(ipc.Authenticate)
			if !errors.Is(err, test.want) || results[1].Code != test.want {
				t.Errorf("authenticate: %v, want %v", err, test.want)
			}
			if _, err := s.Do(s.ctx, ipc.Account, ipc.End); err != nil {
				t.Errorf("the login did not go on: %v", err)
			}
		})
	}
}

// echoed is a conversation that answers with control 4 what it was asked.
type echoed struct{ conversation }

func (*echoed) Binary(_ context.Context, control byte, data []byte) (byte, []byte, error) {
	if control != 3 {
		return 0, nil, fmt.Errorf("control byte %d", control)
	}
	return 4, slices.Clone(data), nil
}

func TestBinaryPrompts(t *testing.T) {
	newStack(t, "binary").dial(ipc.Options{Conversation: &echoed{}}).succeeds()
}

func TestBinaryPromptOfAnImpossibleLength(t *testing.T) {
	for _, length := range []int64{0, 4, 5 + 64<<10 + 1, 1<<31 - 1, -1} {
		s := newStack(t, "binarylength", fmt.Sprintf("n=%d", length)).dial(ipc.Options{Conversation: &echoed{}})
		if _, err := s.run(ipc.Authenticate); !errors.Is(err, ipc.ConvErr) {
			t.Errorf("length %d: %v, want %v", length, err, ipc.ConvErr)
		}
	}
}

func TestChangedUserIsReported(t *testing.T) {
	s := newStack(t, "user").dial(ipc.Options{})
	if results := s.succeeds(); results[1].User != "somebody" {
		t.Errorf("user = %q, want the changed one", results[1].User)
	}
}

func TestUserBeyondAFrameEndsTheLogin(t *testing.T) {
	s := newStack(t, "largeuser", "n=2000000").dial(ipc.Options{})
	if _, err := s.run(whole...); !errors.Is(err, ipc.ErrInternal) {
		t.Errorf("the login ended with %v, want %v", err, ipc.ErrInternal)
	}
}

// libpam reads the other service's file for the next step: here there is none.
func TestChangedServiceHasNoModules(t *testing.T) {
	s := newStack(t, "service").dial(ipc.Options{})
	if _, err := s.run(ipc.Authenticate); err != nil {
		t.Errorf("authenticate: %v, want a success", err)
	}
	if _, err := s.Do(s.ctx, ipc.Account); !errors.Is(err, ipc.Abort) {
		t.Errorf("account: %v, want %v", err, ipc.Abort)
	}
	if _, err := s.Do(s.ctx, ipc.End); err != nil {
		t.Errorf("end: %v, want a success", err)
	}
}

func TestChangedConversation(t *testing.T) {
	c := &conversation{}
	newStack(t, "conv").dial(ipc.Options{Conversation: c}).succeeds()
	if len(c.messages) > 0 {
		t.Errorf("messages = %q, want none", c.messages)
	}
}

func TestManyVariables(t *testing.T) {
	for _, test := range []struct {
		size, kept int
	}{{1, 20000}, {100, 512 << 10 / (6 + 100 + 16)}} {
		t.Run(fmt.Sprint(test.size), func(t *testing.T) {
			t.Parallel()
			s := newStack(t, "variables", fmt.Sprintf("n=%d", test.size)).dial(ipc.Options{})
			got := s.succeeds()[1]
			if len(got.Environment) != test.kept || got.EnvironmentOmitted != 20000-test.kept {
				t.Errorf("%d variables, %d omitted, want %d and %d",
					len(got.Environment), got.EnvironmentOmitted, test.kept, 20000-test.kept)
			}
		})
	}
}

func TestCleanupGetsTheStatusOfTheLastStep(t *testing.T) {
	for _, code := range []ipc.Code{ipc.Success, ipc.AuthErr, ipc.UserUnknown} {
		file := t.TempDir() + "/status"
		s := newStack(t, "cleanup", "file="+file, fmt.Sprintf("n=%d", code)).dial(ipc.Options{})
		if _, err := s.run(ipc.Authenticate); code != ipc.Success && !errors.Is(err, code) {
			t.Errorf("authenticate: %v, want %v", err, code)
		}
		s.Do(s.ctx, ipc.End)
		s.Close()
		got, err := os.ReadFile(file)
		if want := fmt.Sprintln(int(code)); err != nil || string(got) != want {
			t.Errorf("cleanup got %q (%v), want %q", got, err, want)
		}
	}
}

func TestStateOfTheProcessIsPutBack(t *testing.T) {
	for _, args := range []string{"descriptors", "signals", "childcrash", "childcrash n=1", "childexit n=1"} {
		t.Run(args, func(t *testing.T) {
			newStack(t, args).dial(ipc.Options{}).succeeds()
		})
	}
}

func TestLimitsAtZero(t *testing.T) {
	for _, args := range []string{"n=0", "n=1"} { // soft, hard
		t.Run(args, func(t *testing.T) {
			c := &conversation{}
			s := newStack(t, "limits", args).dial(ipc.Options{Conversation: c})
			if _, err := s.run(ipc.Authenticate); err != nil {
				t.Errorf("authenticate: %v, want a success: the limits are not this process's", err)
			}
			if len(c.messages) != 1 {
				t.Errorf("messages = %q, want one", c.messages)
			}
			if _, err := s.Do(s.ctx, whole[1:]...); err != nil {
				t.Errorf("the login did not go on: %v", err)
			}
		})
	}
}

// The handlers of faults are the worker's again for the module behind.
func TestCrashBehindChangedSignals(t *testing.T) {
	s := newStacked(t, []string{"signals"}, []string{"segv", "in=account"}).dial(ipc.Options{})
	_, err := s.run(whole...)
	var crash *ipc.CrashError
	if !errors.As(err, &crash) || crash.Signal != syscall.SIGSEGV {
		t.Errorf("the login ended with %v, want a crash", err)
	}
}

func TestProcessesLeftBehindEnd(t *testing.T) {
	for _, facility := range []string{"auth", "session", "close"} {
		s := newStack(t, "child", "in="+facility).dial(ipc.Options{})
		s.succeeds()
		if pids := strings.Fields(s.read("pids")); len(pids) != 2 {
			t.Errorf("the module noted %d children, want 2", len(pids))
		}
	}
}

// Its code must not be unloaded under a thread that a module left running.
func TestThreadLeftRunning(t *testing.T) {
	for range 20 {
		newStack(t, "thread").dial(ipc.Options{}).succeeds()
	}
}

func TestThreadThatCrashesBetweenSteps(t *testing.T) {
	file := t.TempDir() + "/crash"
	s := newStack(t, "thread", "file="+file).raw()
	s.begin()
	s.send(step(ipc.Authenticate))
	s.result(ipc.Authenticate, ipc.Success)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if crash := s.event().GetCrash(); crash.GetSignal() != uint32(syscall.SIGSEGV) {
		t.Errorf("crash = %v, want SIGSEGV", crash)
	}
}
