package realpam_test

import (
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// debugNames are pam_debug's names of the codes, at their numbers.
var debugNames = []string{
	"success", "open_err", "symbol_err", "service_err", "system_err", "buf_err", "perm_denied", "auth_err",
	"cred_insufficient", "authinfo_unavail", "user_unknown", "maxtries", "new_authtok_reqd", "acct_expired",
	"session_err", "cred_unavail", "cred_expired", "cred_err", "no_module_data", "conv_err", "authtok_err",
	"authtok_recover_err", "authtok_lock_busy", "authtok_disable_aging", "try_again", "ignore", "abort",
	"authtok_expired", "module_unknown", "bad_item", "conv_again", "incomplete",
}

func TestEveryCodeOfAuthenticateArrives(t *testing.T) {
	for number, name := range debugNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := ipc.Code(number)
			if want == ipc.Ignore {
				want = ipc.PermDenied // nothing is left to decide
			}
			status := 1
			if want == ipc.Success {
				status = 0
			}
			r := try(t, nil, service(t, "auth required pam_debug.so auth="+name), "alice", "authenticate")
			r.expect(t, "authenticate="+want.String(), status)
			r.expectSaid(t, "info: auth="+name)
		})
	}
}
