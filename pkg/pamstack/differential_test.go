package pamstack

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var (
	flagServices = flag.Int("services", 2500, "random services for the differential test")
	flagSeed     = flag.Uint64("seed", 1, "seed of the differential test")
	flagLibpam   = flag.String("libpam", "", "libpam.so.0 for the differential test; default: the installed one")
)

// Random services run through the real libpam and through the model: the result
// of pam_start, the modules called with their arguments in order, and the codes
// of the calls must be the same.
func TestModelAgreesWithLibpam(t *testing.T) {
	real := startReal(t)
	undefined := map[Problem]int{}
	compared := 0
	for n := range *flagServices {
		s := newScene(rand.New(rand.NewPCG(*flagSeed, uint64(n))), real.libpam)
		s.write(t, real.root)
		want, problem := s.expected(t, real)
		if problem != "" {
			undefined[problem]++
		}
		if want == nil {
			continue
		}
		compared++
		if got := real.run(t, s); !agree(got, want) {
			t.Fatalf("service %d of seed %d, with %s\n%s\n--- libpam\n%s\n--- model\n%s",
				n, *flagSeed, real.libpam.Path, s, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	t.Logf("%s: %d services agree; undefined, and compared as far as defined: %v", real.libpam.Path, compared, undefined)
	if compared < *flagServices*9/10 {
		t.Errorf("compared %d of %d services, want nine in ten", compared, *flagServices)
	}
}

// What the model calls undefined because the process does not survive it.
func TestLibpamDoesNotSurvive(t *testing.T) {
	real := startReal(t)
	for _, test := range []struct {
		problem Problem
		file    string
		here    bool // whether this libpam is one of those
		signal  syscall.Signal
	}{
		{IncludeUnnamed, "auth include\n", real.libpam.Debian, syscall.SIGSEGV},
		{LineEndless, strings.Repeat("x", bufferSize-2) + "\\\n", !real.libpam.Modern, syscall.SIGXCPU},
	} {
		s := &scene{libpam: real.libpam, files: system{"/etc/pam.d/svc": test.file}, service: "svc"}
		s.write(t, real.root)
		stack, err := Load(s.service, Config{Libpam: real.libpam, Root: real.root})
		if err != nil {
			t.Fatal(err)
		}
		want := "end\t0"
		if test.here {
			want = fmt.Sprintf("end\t%d", test.signal)
		}
		if got := real.run(t, s); got[len(got)-1] != want || errors.Is(stack.Err, ErrUndefined) != test.here {
			t.Errorf("%s: libpam %q, model %v; want %q", test.problem, got, stack.Err, want)
		}
	}
}

// agree compares what libpam did with what the model says, which may end with
// "undefined": then anything may follow.
func agree(got, want []string) bool {
	for i, event := range want {
		if event == "undefined" {
			return true
		}
		if i >= len(got) || got[i] != event {
			return false
		}
	}
	return len(got) == len(want)
}

// expected returns the events that the model predicts, and what it says is
// undefined. No events: the real libpam is not to be tried.
func (s *scene) expected(t *testing.T, r *realPAM) (events []string, undefined Problem) {
	t.Helper()
	stack, err := Load(s.service, Config{Libpam: r.libpam, Confdir: s.confdir, Root: r.root})
	if errors.Is(err, ErrTooLarge) || err == nil && len(stack.Lines) > 2000 {
		return nil, TooLarge // libpam's time grows with the square
	}
	if err != nil {
		t.Fatal(err)
	}
	var problem *Error
	switch {
	case errors.Is(stack.Err, ErrAbort):
		return []string{"start\t26", "end\t0"}, ""
	case errors.As(stack.Err, &problem) && problem.Problem == IncludeUnnamed:
		return []string{fmt.Sprintf("end\t%d", syscall.SIGSEGV)}, IncludeUnnamed
	case stack.Err != nil:
		errors.As(stack.Err, &problem)
		return nil, problem.Problem
	}
	log := &eventLog{events: []string{"start\t0"}}
	outcomes, err := stack.Predict(log.code, s.calls...)
	if err != nil {
		t.Fatal(err)
	}
	return log.merge(outcomes)
}

// eventLog notes what the program would print while the model asks for codes.
type eventLog struct {
	events        []string
	called        [][]string // what each called module prints, in order
	wasIncomplete bool
}

// code returns what the modules of the test return.
func (l *eventLog) code(h *Handler, call Call, prelim bool) Code {
	event := [callCount]string{"auth", "cred", "acct", "chauthtok", "open_session", "close_session"}[call]
	if prelim {
		event = "prechauthtok"
	}
	if filepath.Base(h.Module.File) == "pam_debug.so" {
		return l.debug(event, h.Arguments)
	}
	printed := "run\t" + event
	code := Success
	for _, argument := range h.Arguments {
		printed += fmt.Sprintf("\t%x", argument)
	}
	for _, argument := range h.Arguments {
		if value, found := strings.CutPrefix(argument, event+"="); found {
			code = leadingNumber(value)
			break
		}
	}
	l.called = append(l.called, []string{printed})
	if code == Incomplete && l.wasIncomplete {
		return Success
	}
	l.wasIncomplete = l.wasIncomplete || code == Incomplete
	return code
}

// debug does as pam_debug(8) does.
func (l *eventLog) debug(event string, arguments []string) Code {
	for _, argument := range arguments {
		value, found := strings.CutPrefix(argument, event+"=")
		if !found {
			continue
		}
		code, known := CodeNamed(value)
		if !known {
			break
		}
		l.called = append(l.called, []string{fmt.Sprintf("say\t%x", argument)})
		return code
	}
	l.called = append(l.called, nil)
	return Success
}

// leadingNumber is strtol.
func leadingNumber(s string) Code {
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && s[end] == '-') {
		end++
	}
	n, _ := strconv.Atoi(s[:end])
	return Code(n)
}

// merge puts calls, what their modules print, and their codes in order.
func (l *eventLog) merge(outcomes []Outcome) (events []string, undefined Problem) {
	for _, o := range outcomes {
		l.events = append(l.events, fmt.Sprintf("call\t%d", o.Call))
		for _, step := range o.Steps {
			if step.Called {
				l.events = append(l.events, l.called[0]...)
				l.called = l.called[1:]
			}
		}
		if o.Undefined != nil {
			return append(l.events, "undefined"), UndefinedActions
		}
		l.events = append(l.events, fmt.Sprintf("return\t%d", o.Code))
	}
	return append(l.events, "end\t0"), ""
}
