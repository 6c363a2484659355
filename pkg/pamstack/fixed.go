package pamstack

import (
	"path"
	"strings"
)

// Fixed returns the code that a call gets from a module of Linux-PAM whatever
// happens, if there is one: pam_deny fails, pam_permit does not, pam_debug does
// as its arguments say, and of some modules setcred returns ignore. Modules are
// told by the name of their file. It is not part of what libpam does.
func Fixed(h *Handler, call Call, prelim bool) (code Code, fixed bool) {
	switch name := path.Base(h.Path); {
	case name == "pam_deny.so":
		return denials[call], true
	case name == "pam_debug.so":
		return debugCode(h.Arguments, call, prelim), true
	case name == "pam_permit.so":
		return Success, true
	case name == "pam_warn.so", call == Setcred && ignoresSetcred[name]:
		return Ignore, true
	}
	return 0, false
}

// denials are what pam_deny returns.
var denials = [callCount]Code{
	Authenticate: AuthErr, Setcred: CredErr, AcctMgmt: AuthErr, Chauthtok: AuthtokErr, OpenSession: SessionErr, CloseSession: SessionErr,
}

// ignoresSetcred are the modules whose setcred returns ignore. On a handle that
// has not authenticated, sshd's for example, a jump for their success is not
// taken (Linux-PAM issues 583 and 960).
var ignoresSetcred = map[string]bool{
	"pam_access.so": true, "pam_echo.so": true, "pam_exec.so": true, "pam_faildelay.so": true, "pam_ftp.so": true,
	"pam_issue.so": true, "pam_sepermit.so": true, "pam_succeed_if.so": true, "pam_usertype.so": true,
}

// debugPrefixes are the arguments of pam_debug(8).
var debugPrefixes = [callCount]string{
	Authenticate: "auth=", Setcred: "cred=", AcctMgmt: "acct=", Chauthtok: "chauthtok=", OpenSession: "open_session=", CloseSession: "close_session=",
}

func debugCode(arguments []string, call Call, prelim bool) Code {
	prefix := debugPrefixes[call]
	if prelim {
		prefix = "prechauthtok="
	}
	for _, argument := range arguments {
		if word, found := strings.CutPrefix(argument, prefix); found {
			if code, ok := CodeNamed(word); ok {
				return code
			}
		}
	}
	return Success
}
