package ipc

import (
	"errors"
	"testing"

	pb "github.com/pamhelper/pamhelper/proto"
)

func TestDecisionIsALineOfTextThatIsSafeToPrint(t *testing.T) {
	for want, d := range map[string]*pb.Decision{
		"it is not known which line decided":                                nil,
		"no line decided: there is none for this step, or all were ignored": {Code: pb.PamCode_PAM_PERM_DENIED},
		"/etc/pam.d/sshd:3: required pam_unix.so: PAM_AUTH_ERR -> bad":      {File: "/etc/pam.d/sshd", Line: 3, Control: "required", Module: "pam_unix.so", Code: 7, Action: "bad"},
		"/etc/pam.d/sshd:9: include-any-failed: \"x\" does not open":        {File: "/etc/pam.d/sshd", Line: 9, Problem: "include-any-failed: \"x\" does not open"},
		`/etc/pam.d/\x1b[2J:1: [default=bad] pam_x.so: PAM_SUCCESS -> 1`:    {File: "/etc/pam.d/\x1b[2J", Line: 1, Control: "[default=bad]", Module: "pam_x.so", Action: "1"},
	} {
		if got := newDecision(d).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDecisionGoesWithTheErrorAndNotIntoItsText(t *testing.T) {
	result, err := newResult(&pb.Result{
		Step: pb.Step_ACCOUNT, Outcome: &pb.Result_Code{Code: pb.PamCode_PAM_PERM_DENIED}, Text: "Permission denied",
		Decision: &pb.Decision{File: "/etc/pam.d/sshd", Line: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	var refused *PAMError
	if !errors.As(result.Err(), &refused) || refused.Decision == nil || refused.Decision.Line != 3 {
		t.Fatalf("got %v, want the decision in it", result.Err())
	}
	if got, want := refused.Error(), "account: PAM_PERM_DENIED: Permission denied"; got != want {
		t.Errorf("text: got %q, want %q, without the machine's configuration", got, want)
	}
}
