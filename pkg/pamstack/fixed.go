package pamstack

import (
	"path"
	"slices"
	"strings"
)

// Returns returns the codes that a call can get from a module of Linux-PAM, where
// that is less than any: pam_deny fails, pam_permit does not, pam_debug does as
// its arguments say, of some modules setcred returns ignore, and some never
// succeed. Modules are told by the name of their file. Nil stands for any code.
// It is not part of what libpam does.
func Returns(h *Handler, call Call, prelim bool) []Code {
	name := strings.TrimSuffix(path.Base(h.Path), ".so")
	switch {
	case name == "pam_deny":
		return []Code{denials[call]}
	case name == "pam_debug":
		return []Code{debugCode(h.Arguments, call, prelim)}
	case name == "pam_permit":
		return []Code{Success}
	case name == "pam_warn", call == Setcred && ignoresSetcred(h, name):
		return []Code{Ignore}
	case call == Authenticate && !authenticates(h, name), call == AcctMgmt && name == "pam_nologin" && !h.has("successok"):
		return noSuccess
	}
	return nil
}

// Best returns what a call gets from a module that is content: success where it
// can succeed, else ignore where it can do that.
func Best(h *Handler, call Call, prelim bool) Code {
	codes := Returns(h, call, prelim)
	switch {
	case codes == nil, slices.Contains(codes, Success):
		return Success
	case slices.Contains(codes, Ignore):
		return Ignore
	}
	return codes[0]
}

// noSuccess is what a module returns that never succeeds, what it does when it is
// content first.
var noSuccess = append([]Code{Ignore}, slices.DeleteFunc(Preferred(), func(c Code) bool {
	return c == Success || c == Ignore || c == Incomplete
})...)

// denials are what pam_deny returns.
var denials = [callCount]Code{
	Authenticate: AuthErr, Setcred: CredErr, AcctMgmt: AuthErr, Chauthtok: AuthtokErr, OpenSession: SessionErr, CloseSession: SessionErr,
}

// ignoresSetcred says that a module's setcred returns ignore. On a handle that
// has not authenticated, sshd's for example, a jump for its success is not taken
// (Linux-PAM issues 583 and 960).
func ignoresSetcred(h *Handler, name string) bool {
	switch name {
	case "pam_access", "pam_echo", "pam_exec", "pam_faildelay", "pam_ftp", "pam_issue", "pam_sepermit", "pam_selinux_permit",
		"pam_succeed_if", "pam_usertype":
		return true
	}
	return name == "pam_nologin" && !h.has("successok")
}

// authenticates says that a module's authenticate can return success, not only
// ignore or a failure.
func authenticates(h *Handler, name string) bool {
	switch name {
	case "pam_env", "pam_mail", "pam_group", "pam_keyinit", "pam_issue", "pam_faildelay", "pam_selinux":
		return false
	case "pam_nologin":
		return h.has("successok")
	case "pam_faillock":
		return !h.has("authfail")
	case "pam_wheel":
		return h.has("trust")
	}
	return true
}

func (h *Handler) has(argument string) bool { return slices.Contains(h.Arguments, argument) }

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
