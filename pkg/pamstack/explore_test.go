package pamstack

import (
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
