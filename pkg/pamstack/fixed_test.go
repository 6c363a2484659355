package pamstack

import "testing"

func TestReturnsAreThoseOfTheModules(t *testing.T) {
	for _, test := range []struct {
		path   string
		args   []string
		call   Call
		prelim bool
		want   string
	}{
		{"pam_deny.so", nil, Authenticate, false, "auth_err"},
		{"/lib/security/pam_deny.so", nil, Chauthtok, true, "authtok_err"},
		{"pam_permit.so", nil, AcctMgmt, false, "success"},
		{"pam_debug.so", []string{"auth=nosuch", "auth=maxtries", "auth=ignore"}, Authenticate, false, "maxtries"},
		{"pam_debug.so", []string{"prechauthtok=try_again"}, Chauthtok, true, "try_again"},
		{"pam_debug.so", []string{"prechauthtok=try_again"}, Chauthtok, false, "success"},
		{"pam_succeed_if.so", nil, Setcred, false, "ignore"},
		{"pam_succeed_if.so", nil, Authenticate, false, "open"},
		{"pam_unix.so", nil, Setcred, false, "open"},
		{"pam_faildelay.so", nil, Authenticate, false, "never success, at best ignore"},
		{"pam_nologin.so", nil, Authenticate, false, "never success, at best ignore"},
		{"pam_nologin.so", nil, AcctMgmt, false, "never success, at best ignore"},
		{"pam_nologin.so", nil, Setcred, false, "ignore"},
		{"pam_nologin.so", []string{"successok"}, Authenticate, false, "open"},
		{"pam_nologin.so", []string{"successok"}, Setcred, false, "open"},
		{"pam_faillock.so", []string{"authfail"}, Authenticate, false, "never success, at best ignore"},
		{"pam_faillock.so", []string{"preauth"}, Authenticate, false, "open"},
		{"pam_wheel.so", []string{"use_uid"}, Authenticate, false, "never success, at best ignore"},
	} {
		h := &Handler{Path: test.path, Arguments: test.args}
		got := "open"
		switch codes := Returns(h, test.call, test.prelim); {
		case len(codes) == 1:
			got = codes[0].String()
		case codes != nil:
			got = "never success, at best " + Best(h, test.call, test.prelim).String()
		}
		if got != test.want {
			t.Errorf("%s %v, %v: got %s, want %s", test.path, test.args, test.call, got, test.want)
		}
	}
}
