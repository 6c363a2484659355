package pamstack

import (
	"fmt"
	"strings"
	"testing"
)

// returns makes modules return the code that stands for their letter, or for
// their letter and the call, such as "a.setcred"; else success.
func returns(codes map[string]Code) Codes {
	return func(h *Handler, call Call, prelim bool) Code {
		letter := strings.TrimSuffix(h.Path, ".so")
		if code, ok := codes[letter+"."+call.String()]; ok && !prelim {
			return code
		}
		return codes[letter]
	}
}

// told is an outcome as "code by line: modules called".
func told(o Outcome) string {
	line := 0
	if o.Decided != nil {
		line = o.Decided.Line.Number
	}
	var called []string
	for _, step := range o.Steps {
		if step.Called {
			called = append(called, strings.TrimSuffix(step.Handler.Path, ".so"))
		}
	}
	return fmt.Sprintf("%v by %d: %s", o.Code, line, strings.Join(called, " "))
}

func TestPredict(t *testing.T) {
	for _, test := range []struct {
		name  string
		auth  string // lines of svc
		deep  string // lines of a file to include
		codes map[string]Code
		calls []Call
		want  []string
	}{
		{"required fails late", "auth required a.so\nauth required b.so", "", map[string]Code{"a": AuthErr}, nil, []string{"auth_err by 1: a b"}},
		{"requisite ends", "auth requisite a.so\nauth required b.so", "", map[string]Code{"a": AuthErr}, nil, []string{"auth_err by 1: a"}},
		{"sufficient ends", "auth sufficient a.so\nauth required b.so", "", nil, nil, []string{"success by 1: a"}},
		{"sufficient after a failure", "auth required a.so\nauth sufficient b.so\nauth required c.so", "",
			map[string]Code{"a": AuthErr}, nil, []string{"auth_err by 1: a b c"}},
		{"all ignored", "auth optional a.so", "", map[string]Code{"a": AuthErr}, nil, []string{"perm_denied by 0: a"}},
		{"jump onto the end", "auth [success=1] a.so\nauth requisite b.so", "", nil, nil, []string{"perm_denied by 0: a"}},
		{"jump past the end", "auth [success=2] a.so\nauth requisite b.so", "", nil, nil, []string{"perm_denied by 1: a"}},
		{"jump over a substack", "auth [success=1] a.so\nauth substack deep\nauth required b.so", "auth required c.so\nauth required d.so", nil, nil,
			[]string{"success by 3: a b"}},
		{"jump over included lines", "auth [success=1] a.so\nauth include deep\nauth required b.so", "auth required c.so\nauth required d.so", nil, nil,
			[]string{"success by 3: a d b"}},
		{"jump out of a substack", "auth substack deep\nauth required b.so", "auth [success=1] c.so", nil, nil, []string{"perm_denied by 1: c b"}},
		{"die in a substack", "auth substack deep\nauth required b.so", "auth requisite c.so\nauth required d.so", map[string]Code{"c": AuthErr}, nil,
			[]string{"auth_err by 1: c b"}},
		{"done in a substack", "auth substack deep\nauth required b.so", "auth sufficient c.so\nauth required d.so", nil, nil, []string{"success by 2: c b"}},
		{"reset in a substack", "auth required a.so\nauth substack deep\nauth required b.so", "auth required c.so\nauth [success=reset] d.so",
			map[string]Code{"c": AuthErr}, nil, []string{"success by 3: a c d b"}},
		{"ok with a failure", "auth [auth_err=ok] a.so\nauth required b.so", "", map[string]Code{"a": AuthErr}, nil, []string{"auth_err by 1: a b"}},
		{"a code out of range", "auth optional a.so", "", map[string]Code{"a": 99}, nil, []string{"perm_denied by 1: a"}},
		{"a line that must fail", "auth required\nauth required b.so", "", nil, nil, []string{"perm_denied by 1: b"}},
		{"setcred goes the way of authenticate", "auth [success=1 default=ignore] a.so\nauth requisite b.so\nauth required c.so", "",
			map[string]Code{"a.setcred": Ignore}, []Call{Authenticate, Setcred}, []string{"success by 3: a c", "success by 3: a c"}},
		{"setcred on a new handle", "auth [success=1 default=ignore] a.so\nauth requisite b.so\nauth required c.so", "",
			map[string]Code{"a.setcred": Ignore, "b": CredErr}, []Call{Setcred}, []string{"cred_err by 2: a b"}},
		{"setcred returns its own codes", "auth required a.so\nauth required b.so", "", map[string]Code{"b.setcred": CredErr},
			[]Call{Authenticate, Setcred}, []string{"success by 2: a b", "cred_err by 2: a b"}},
		{"chauthtok has two passes", "password required a.so\npassword required b.so", "", map[string]Code{"b.chauthtok": AuthtokErr}, []Call{Chauthtok},
			[]string{"authtok_err by 2: a b a b"}},
		{"chauthtok ends after a first pass that fails", "password required a.so\npassword required b.so", "", map[string]Code{"b": TryAgain},
			[]Call{Chauthtok}, []string{"try_again by 2: a b"}},
		{"chain of other facilities only", "auth required a.so", "", nil, []Call{AcctMgmt}, []string{"perm_denied by 0: "}},
	} {
		s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": test.auth, "/etc/pam.d/deep": test.deep})
		if test.calls == nil {
			test.calls = []Call{Authenticate}
		}
		outcomes, err := s.Predict(returns(test.codes), test.calls...)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		var got []string
		for _, o := range outcomes {
			got = append(got, told(o))
		}
		wantStrings(t, test.name, got, test.want...)
	}
}

func TestJumpInSetcredCountsOnlyUpstream(t *testing.T) {
	files := system{"/etc/pam.d/svc": "auth [success=1] a.so\nauth required b.so"}
	for want, libpam := range map[Code]Libpam{PermDenied: debian, Success: upstream} {
		outcomes, err := loadSystem(t, libpam, "svc", files).Predict(returns(nil), Setcred)
		if err != nil || outcomes[0].Code != want {
			t.Errorf("Debian %v: setcred = %v, %v, want %v", libpam.Debian, outcomes[0].Code, err, want)
		}
	}
}

func TestIncompleteCallGoesOnWhereItStopped(t *testing.T) {
	s := loadSystem(t, debian, "svc", system{"/etc/pam.d/svc": "auth required a.so\nauth required b.so\nauth required c.so"})
	asked := 0
	outcomes, err := s.Predict(func(h *Handler, _ Call, _ bool) Code {
		if asked++; asked == 2 {
			return Incomplete
		}
		return Success
	}, Authenticate, Setcred, Authenticate)
	if err != nil {
		t.Fatal(err)
	}
	if step := outcomes[0].Steps[1]; step.Key != Incomplete {
		t.Errorf("incomplete is taken for %v, want itself", step.Key)
	}
	for i, want := range []string{"incomplete by 2: a b", "abort by 0: ", "success by 3: b c"} {
		if got := told(outcomes[i]); got != want {
			t.Errorf("call %d: got %q, want %q", i, got, want)
		}
	}
}
