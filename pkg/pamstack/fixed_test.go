package pamstack

import "testing"

func TestFixedCodesAreThoseOfTheModules(t *testing.T) {
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
	} {
		got := "open"
		if code, fixed := Fixed(&Handler{Path: test.path, Arguments: test.args}, test.call, test.prelim); fixed {
			got = code.String()
		}
		if got != test.want {
			t.Errorf("%s %v, %v: got %s, want %s", test.path, test.args, test.call, got, test.want)
		}
	}
}
