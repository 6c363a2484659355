package check

import (
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// role is what the success of a module in an auth stack says about who it is
// that wants in.
type role int

const (
	// verifies: a password, a token, a key or a finger was checked. A module that
	// is not known is one of these.
	verifies role = iota
	// trusts: there is another reason to believe it, such as the caller's uid.
	trusts
	// conditions: whoever it is, something is true of that user or of the way
	// they come.
	conditions
	// passes: nothing.
	passes
)

var roles = sync.OnceValue(func() map[string]role {
	m := map[string]role{}
	for r, names := range map[role]string{
		trusts:     "rootok rhosts rhosts_auth timestamp console",
		conditions: "access ftp listfile localuser selinux_permit sepermit succeed_if time usertype wheel",
		passes: "permit deny nologin faillock faildelay env warn securetty shells echo issue mail keyinit limits " +
			"lastlog lastlog2 motd cap tally tally2 selinux umask loginuid debug stress filter tty_audit mkhomedir " +
			"gnome_keyring gdm kwallet kwallet5 mount ecryptfs systemd abl xauth namespace group afs_session cgroup cgfs " +
			"ck_connector oddjob_mkhomedir",
	} {
		for name := range strings.FieldsSeq(names) {
			m["pam_"+name] = r
		}
	}
	return m
})

// moduleName returns "pam_unix" for the path of pam_unix.so.
func moduleName(h *pamstack.Handler) string {
	return strings.TrimSuffix(path.Base(h.Path), ".so")
}

func isModule(h *pamstack.Handler, names ...string) bool {
	return h.Kind == pamstack.KindModule && slices.Contains(names, moduleName(h))
}

// roleOf returns the role of a handler of an auth stack.
func roleOf(h *pamstack.Handler) role {
	switch name := moduleName(h); {
	case h.Kind != pamstack.KindModule:
		return passes
	case name == "pam_wheel" && has(h, "trust"):
		return trusts
	case name == "pam_exec" && has(h, "expose_authtok"):
		return verifies
	case name == "pam_exec":
		return conditions
	default:
		return roles()[name]
	}
}

// has says whether a handler has an argument.
func has(h *pamstack.Handler, argument string) bool { return slices.Contains(h.Arguments, argument) }

// value returns what stands after the = of an argument, "" where it is not there.
func value(h *pamstack.Handler, argument string) string {
	for _, a := range h.Arguments {
		if v, found := strings.CutPrefix(a, argument+"="); found {
			return v
		}
	}
	return ""
}

// Codes that stand for all that matters.
var (
	failures = []pamstack.Code{
		pamstack.AuthErr, pamstack.UserUnknown, pamstack.AuthinfoUnavail, pamstack.PermDenied, pamstack.Ignore, pamstack.NewAuthtokReqd,
	}
	everything = append([]pamstack.Code{pamstack.Success}, append(failures, otherFailures()...)...)
)

func otherFailures() (list []pamstack.Code) {
	for code := pamstack.Success + 1; code < pamstack.Incomplete; code++ {
		if !slices.Contains(failures, code) {
			list = append(list, code)
		}
	}
	return list
}

// refusals are what a module returns that verifies, and did not. Some leave
// users alone that are not theirs, if an argument says so.
func refusals(h *pamstack.Handler) []pamstack.Code {
	ignores := slices.ContainsFunc(h.Arguments, func(a string) bool {
		a, _, _ = strings.Cut(a, "=")
		return slices.Contains([]string{"ignore_unknown_user", "ignore_authinfo_unavail", "ignore_root", "minimum_uid", "nouserok"}, a) ||
			a == "nullok" && !isModule(h, "pam_unix")
	})
	if ignores {
		return everything[1:]
	}
	return slices.DeleteFunc(slices.Clone(everything[1:]), func(code pamstack.Code) bool { return code == pamstack.Ignore })
}

// codesOf are the codes that a module can return to a call, other than the first
// pass of chauthtok.
func codesOf(h *pamstack.Handler, call pamstack.Call) []pamstack.Code {
	return realistic(h, call, false)
}

// realistic is what modules can return, for Stack.Explore.
func realistic(h *pamstack.Handler, call pamstack.Call, prelim bool) []pamstack.Code {
	if codes := pamstack.Returns(h, call, prelim); codes != nil {
		return codes
	}
	return everything
}

// removed are modules that Linux-PAM had once, with what took their place.
var removed = map[string]string{
	"pam_tally":     "pam_faillock.so took its place in Linux-PAM 1.5.0",
	"pam_tally2":    "pam_faillock.so took its place in Linux-PAM 1.5.0",
	"pam_cracklib":  "pam_pwquality.so or pam_passwdqc.so take its place; Linux-PAM dropped it in 1.5.0",
	"pam_lastlog":   "Linux-PAM does not build it since 1.5.3; pam_lastlog2.so takes its place",
	"pam_stack":     "the control words include and substack took its place",
	"pam_console":   "systemd-logind gives access to devices instead",
	"pam_unix_auth": "pam_unix.so serves all facilities", "pam_unix_acct": "pam_unix.so serves all facilities",
	"pam_unix_passwd": "pam_unix.so serves all facilities", "pam_unix_session": "pam_unix.so serves all facilities",
	"pam_rhosts_auth": "pam_rhosts.so took its place", "pam_ck_connector": "pam_systemd.so took its place",
	"pam_pwdb": "pam_unix.so took its place", "pam_userpass": "the program that used it asks through the conversation now",
}
