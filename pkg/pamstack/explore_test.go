package pamstack

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestExploreFindsEachCodeAndTheLineThatDecides(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		call        Call
		want        []string
		unreached   string
	}{
		{"Debian's common-auth", "auth [success=1 default=ignore] a.so\nauth requisite b.so\nauth required c.so", Authenticate, []string{
			"success by 2: a b c", "auth_err by 2: a b", "success by 3: a c", "auth_err by 3: a c",
		}, ""},
		{"success onto the end", "auth [success=1 default=ignore] a.so\nauth requisite b.so", Authenticate, []string{
			"perm_denied by 0: a", "auth_err by 2: a b", "success by 2: a b", "new_authtok_reqd by 2: a b",
		}, ""},
		{"a line never reached", "account [default=done] a.so\naccount required b.so", AcctMgmt, []string{
			"success by 1: a", "auth_err by 1: a", "ignore by 1: a",
		}, "b"},
		{"empty", "", OpenSession, []string{"perm_denied by 0: "}, ""},
		{"must fail", "auth optional", Authenticate, []string{"perm_denied by 0: "}, ""},
	} {
		s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": test.lines})
		e, err := s.Explore(test.call, nil, 1000)
		if err != nil || !e.Complete {
			t.Fatalf("%s: %v, complete %v", test.name, err, e.Complete)
		}
		var got []string
		for _, o := range e.Outcomes {
			got = append(got, told(o))
		}
		for _, want := range test.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s: got %q, want %q among them", test.name, got, want)
			}
		}
		for _, h := range s.Chain(test.call.Facility()) {
			if want := !strings.HasPrefix(h.Path, test.unreached) || test.unreached == ""; h.Kind == KindModule && e.Reached[h] != want {
				t.Errorf("%s: %s reached %v, want %v", test.name, h.Path, !want, want)
			}
		}
	}
}

func TestExploreTakesTheCodesThatArePossible(t *testing.T) {
	s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": "auth sufficient a.so\nauth required b.so"})
	e, err := s.Explore(Authenticate, func(h *Handler, _ Call, _ bool) []Code { return []Code{AuthErr} }, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Outcomes) != 1 || told(e.Outcomes[0]) != "auth_err by 2: a b" {
		t.Errorf("got %v, want only auth_err by 2", e.Outcomes)
	}
}

func TestExploreOfChauthtokTakesTheSecondPassAfterSuccess(t *testing.T) {
	s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": "password required a.so"})
	e, err := s.Explore(Chauthtok, func(h *Handler, _ Call, prelim bool) []Code {
		if prelim {
			return []Code{Success, TryAgain}
		}
		return []Code{AuthtokErr}
	}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range e.Outcomes {
		got = append(got, told(o))
	}
	wantStrings(t, "outcomes", got, "try_again by 1: a", "authtok_err by 1: a a")
}

// Whatever Explore says a way leads to, Predict says too.
func TestExploreAgreesWithPredict(t *testing.T) {
	s := loadSystem(t, upstream, "svc", system{
		"/etc/pam.d/svc": "auth [success=2 auth_err=die default=ignore] a.so\nauth substack deep\nauth [success=reset user_unknown=1 default=bad] b.so\n" +
			"auth sufficient c.so\nauth required d.so",
		"/etc/pam.d/deep": "auth [default=bad success=done ignore=reset] e.so\nauth [success=1 default=ok] f.so\nauth requisite g.so",
	})
	for _, call := range []Call{Authenticate, Setcred} {
		e, err := s.Explore(call, nil, 100000)
		if err != nil || !e.Complete || len(e.Outcomes) < 10 {
			t.Fatalf("%v: %v, complete %v, %d outcomes", call, err, e.Complete, len(e.Outcomes))
		}
		for _, o := range e.Outcomes {
			steps := o.Steps
			outcomes, err := s.Predict(func(h *Handler, _ Call, _ bool) Code {
				step := steps[0]
				steps = steps[1:]
				return step.Code
			}, call)
			if err != nil || told(outcomes[0]) != told(o) {
				t.Errorf("%v: predicted %q, explored %q", call, told(outcomes[0]), told(o))
			}
		}
	}
}

func TestExploreIsBounded(t *testing.T) {
	s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": strings.Repeat("auth optional a.so\n", 500)})
	e, err := s.Explore(Authenticate, nil, 100)
	if err != nil || e.Complete {
		t.Errorf("got %v, complete %v, want an incomplete exploration", err, e.Complete)
	}
}

// ways finds the outcomes of a frozen call by trying all codes, of those given.
func ways(s *Stack, first, call Call, codes []Code) map[string]bool {
	found := map[string]bool{}
	chain := s.Chain(call.Facility())
	combinations := 1
	for range 2 * len(chain) {
		combinations *= len(codes)
	}
	for n := range combinations {
		given := map[Call]map[*Handler]Code{first: {}, call: {}}
		for _, h := range chain {
			given[first][h], given[call][h] = codes[n%len(codes)], codes[n/len(codes)%len(codes)]
			n /= len(codes) * len(codes)
		}
		outcomes, _ := s.Predict(func(h *Handler, call Call, _ bool) Code { return given[call][h] }, first, call)
		if outcomes[0].Code == Success {
			found[told(outcomes[1])] = true
		}
	}
	return found
}

func TestExploreFrozenFindsAllThatSetcredCanComeTo(t *testing.T) {
	codes := []Code{Success, AuthErr, Ignore}
	possible := func(*Handler, Call, bool) []Code { return codes }
	for _, lines := range []string{
		"auth [success=1 default=ignore] a.so\nauth requisite b.so\nauth sufficient c.so\nauth required d.so",
		"auth [success=2 default=ignore] a.so\nauth [success=1 default=ignore] b.so\nauth requisite c.so\nauth required d.so",
		"auth [success=done ignore=reset default=ignore] a.so\nauth [default=ok] b.so\nauth [success=die default=1] c.so\nauth optional d.so",
	} {
		for _, libpam := range []Libpam{debian, upstream} {
			s := loadSystem(t, libpam, "svc", system{"/etc/pam.d/svc": lines})
			e, err := s.ExploreFrozen(Setcred, possible, 100000)
			if err != nil || !e.Complete {
				t.Fatalf("%v, complete %v", err, e.Complete)
			}
			got, want := map[string]bool{}, map[string]bool{}
			for _, o := range e.Outcomes {
				got[decided(told(o))] = true
			}
			for way := range ways(s, Authenticate, Setcred, codes) {
				want[decided(way)] = true
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s\nDebian %v: got %v, want %v", lines, libpam.Debian, got, want)
			}
		}
	}
}

// decided leaves out of an outcome which modules were called.
func decided(told string) string { return told[:strings.Index(told, ":")] }

func TestExploreFrozenEndsSomewhereWhenItIsBounded(t *testing.T) {
	s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": strings.Repeat("session [success=ok default=ignore] a.so\n", 50)})
	e, err := s.ExploreFrozen(CloseSession, nil, 1000)
	if err != nil || e.Complete || len(e.Outcomes) == 0 {
		t.Fatalf("got %v, complete %v, %d outcomes; want some, incomplete", err, e.Complete, len(e.Outcomes))
	}
	if o := e.Outcomes[0]; o.Call != CloseSession || len(o.Before) != 50 || len(o.Steps) != 50 {
		t.Errorf("got %v after %d steps with %d, want close_session after 50 with 50", o.Call, len(o.Before), len(o.Steps))
	}
}
