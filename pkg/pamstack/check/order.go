package check

import (
	"fmt"
	"slices"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// gates are modules that keep somebody out for another reason than a wrong
// password; second factors are asked after a password.
var (
	authGates = []string{
		"pam_access", "pam_nologin", "pam_listfile", "pam_time", "pam_wheel", "pam_securetty", "pam_shells", "pam_tally",
		"pam_tally2", "pam_sepermit", "pam_abl",
	}
	secondFactors = []string{
		"pam_google_authenticator", "pam_oath", "pam_duo", "pam_yubico", "pam_u2f", "pam_securid", "pam_otpw", "pam_privacyidea",
	}
	firstFactors = []string{"pam_unix", "pam_sss", "pam_ldap", "pam_krb5", "pam_winbind", "pam_pwdfile", "pam_userdb"}
	accountGates = append([]string{"pam_succeed_if", "pam_usertype", "pam_faillock"}, authGates...)
)

// skips checks that a module whose success ends the stack stands before no
// check that has to be made.
func (s *service) skips(f pamstack.Facility) {
	chain := s.own(f)
	if f == pamstack.Password || s.tooLarge(f) {
		return // changing a password is not a matter of checks
	}
	for i, h := range chain {
		if h.Kind != pamstack.KindModule || h.Table[pamstack.Success] != pamstack.ActionDone ||
			!slices.Contains(codesOf(h, callsOf[f][0]), pamstack.Success) || f == pamstack.Auth && roleOf(h) == trusts || asksCaller(h) {
			continue
		}
		for j := i + 1; j < len(chain) && chain[j].Level >= h.Level; j++ {
			if skipped := chain[j]; mandatory(skipped) && s.isCheck(f, chain, h, j) {
				s.at(h, "sufficient-skips", Warning, "after its success %s is not asked (%s:%d)", moduleName(skipped), skipped.Line.File, skipped.Line.Number)
				break
			}
		}
	}
}

// asksCaller says that a module tests who runs the program, such as root in su:
// the checks behind it are for others.
func asksCaller(h *pamstack.Handler) bool {
	return isModule(h, "pam_succeed_if") && has(h, "use_uid")
}

// mandatory says that the failure of a handler makes the stack fail.
func mandatory(h *pamstack.Handler) bool {
	action := h.Table[pamstack.PermDenied]
	return h.Kind == pamstack.KindModule && (action == pamstack.ActionBad || action == pamstack.ActionDie)
}

// isCheck says that the handler at j is a check that h must not skip.
func (s *service) isCheck(f pamstack.Facility, chain []*pamstack.Handler, h *pamstack.Handler, j int) bool {
	switch skipped := chain[j]; f {
	case pamstack.Auth:
		if isModule(h, firstFactors...) && isModule(skipped, secondFactors...) {
			return true
		}
		// What stands before another module that verifies belongs to that one.
		return isModule(skipped, authGates...) && !slices.ContainsFunc(chain[j+1:], func(later *pamstack.Handler) bool {
			return later.Kind == pamstack.KindModule && roleOf(later) == verifies
		})
	case pamstack.Account:
		return isModule(skipped, accountGates...)
	default:
		return !isModule(skipped, "pam_deny", "pam_permit")
	}
}

// faillock checks that pam_faillock.so counts what it should.
func (s *service) faillock() {
	chain := s.own(pamstack.Auth)
	var before, fail, succ, verifying []*pamstack.Handler
	for _, h := range chain {
		switch {
		case isModule(h, "pam_faillock") && has(h, "authfail"):
			fail = append(fail, h)
		case isModule(h, "pam_faillock") && has(h, "authsucc"):
			succ = append(succ, h)
		case isModule(h, "pam_faillock"):
			before = append(before, h)
		case h.Kind == pamstack.KindModule && roleOf(h) == verifies:
			verifying = append(verifying, h)
		}
	}
	if len(verifying) == 0 {
		return
	}
	s.faillockBefore(chain, before, fail, verifying)
	s.faillockCounts(fail)
	if len(fail) > 0 && !s.resets(succ) {
		s.at(fail[0], "faillock-order", Warning, "no login resets the count: neither authsucc is reached after a right password, nor is pam_faillock in the account stack")
	}
}

func (s *service) faillockBefore(chain, before, fail, verifying []*pamstack.Handler) {
	first := slices.Index(chain, verifying[0])
	switch {
	case len(before) > 0 && len(fail) == 0:
		s.at(before[0], "faillock-order", Warning, "failures are looked up, but no line with authfail counts them")
	case len(before) > 0 && slices.Index(chain, before[0]) > first:
		s.at(before[0], "faillock-order", Warning, "preauth stands behind %s (%s:%d)", moduleName(verifying[0]), verifying[0].Line.File, verifying[0].Line.Number)
	}
}

// faillockCounts checks that failures are counted, and nothing else is.
func (s *service) faillockCounts(fail []*pamstack.Handler) {
	if len(fail) == 0 {
		return
	}
	if e := s.passwords(noSuccess); e != nil && !reachesAny(e, fail) {
		s.at(fail[0], "faillock-order", Error, "a wrong password does not lead here, and is not counted")
	}
	if e := s.passwords(onlySuccess); e != nil && reachesAny(e, fail) {
		s.at(fail[0], "faillock-order", Error, "a right password leads here too, and is counted as a failure")
	}
}

// passwords explores authenticate with given codes of all that verifies, when
// nothing else fails.
func (s *service) passwords(codes []pamstack.Code) *pamstack.Exploration {
	return s.explore(pamstack.Authenticate, func(h *pamstack.Handler, call pamstack.Call, _ bool) []pamstack.Code {
		switch r := roleOf(h); {
		case r == verifies:
			return codes
		case r == trusts:
			return noSuccess // who is believed without a password gives no wrong one
		case r == conditions && h.Table[pamstack.Success] == pamstack.ActionDone:
			return []pamstack.Code{pamstack.Ignore} // nor who is let in by a condition
		}
		return []pamstack.Code{pamstack.Best(h, call, false)}
	})
}

func reachesAny(e *pamstack.Exploration, handlers []*pamstack.Handler) bool {
	return slices.ContainsFunc(handlers, func(h *pamstack.Handler) bool { return e.Reached[h] })
}

// resets says that a login resets the count of failures.
func (s *service) resets(succ []*pamstack.Handler) bool {
	for _, h := range s.stack.Chain(pamstack.Account) {
		if isModule(h, "pam_faillock") {
			return true
		}
	}
	e := s.passwords(onlySuccess)
	return e == nil || reachesAny(e, succ)
}

// remotes are modules that ask a directory which knows no local users.
var remotes = []string{"pam_sss", "pam_ldap", "pam_winbind"}

// remote checks stacks of local and other users.
func (s *service) remote() {
	for _, f := range []pamstack.Facility{pamstack.Auth, pamstack.Account} {
		chain := s.own(f)
		isRemote := func(h *pamstack.Handler) bool {
			// A smart card is not asked for where a user has none.
			return isModule(h, remotes...) && h.Module.Err == nil && !has(h, "try_cert_auth") && !has(h, "require_cert_auth")
		}
		isLocal := func(h *pamstack.Handler) bool { return isModule(h, "pam_unix") }
		remote, local := slices.IndexFunc(chain, isRemote), slices.IndexFunc(chain, isLocal)
		if remote < 0 || local < 0 {
			continue
		}
		if code, o, denied := s.localDenied(f); denied {
			s.at(decidedBy(o, chain[remote]), "local-users-denied", Error, "users that pam_unix accepts are denied where %s returns %s", moduleName(chain[remote]), code)
		}
		if f == pamstack.Auth && remote < local {
			s.at(chain[remote], "remote-before-local", Warning, "%s is asked before pam_unix (%s:%d)", moduleName(chain[remote]), chain[local].Line.File, chain[local].Line.Number)
		}
	}
}

func decidedBy(o pamstack.Outcome, otherwise *pamstack.Handler) *pamstack.Handler {
	if o.Decided != nil {
		return o.Decided
	}
	return otherwise
}

// localDenied says whether a local user is denied when the directory does not
// know them or, in an auth stack, does not answer. Account lines of sssd deny
// all while it does not answer as its own packages write them.
func (s *service) localDenied(f pamstack.Facility) (pamstack.Code, pamstack.Outcome, bool) {
	codes := []pamstack.Code{pamstack.UserUnknown, pamstack.AuthinfoUnavail}
	if f == pamstack.Account {
		codes = codes[:1]
	}
	for _, code := range codes {
		possible := func(h *pamstack.Handler, call pamstack.Call, _ bool) []pamstack.Code {
			switch {
			case isModule(h, remotes...):
				return []pamstack.Code{code}
			case isModule(h, "pam_unix"):
				return onlySuccess
			}
			return codesOf(h, call)
		}
		if e := s.explore(callsOf[f][0], possible); e == nil || succeeds(e) {
			continue
		}
		outcomes, err := s.stack.Predict(func(h *pamstack.Handler, call pamstack.Call, _ bool) pamstack.Code {
			if isModule(h, remotes...) {
				return code
			}
			return pamstack.Best(h, call, false)
		}, callsOf[f][0])
		if err == nil {
			return code, outcomes[0], true
		}
	}
	return 0, pamstack.Outcome{}, false
}

// credentials checks setcred in a process that has not called authenticate, as
// in sshd and cron: then setcred's own codes lead through the stack.
func (s *service) credentials() {
	if _, can := s.canSucceed(pamstack.Authenticate, realistic); !can || len(s.own(pamstack.Auth)) == 0 {
		return
	}
	outcomes, err := s.stack.Predict(pamstack.Best, pamstack.Setcred)
	if err != nil || outcomes[0].Code == pamstack.Success || outcomes[0].Undefined != nil {
		return
	}
	fresh := outcomes[0]
	for _, step := range fresh.Steps {
		if h := step.Handler; ignoresCredentials(h) && leads(h.Table[pamstack.Success]) &&
			h.Table[pamstack.Success] != h.Table[pamstack.Ignore] {
			s.at(h, "setcred-differs", Error, "setcred of %s returns ignore and does not lead where its success leads authenticate: setcred returns %s%s",
				moduleName(h), fresh.Code, by(fresh.Decided))
			return
		}
	}
}

// ignoresCredentials says that a module's setcred never returns but ignore.
func ignoresCredentials(h *pamstack.Handler) bool {
	return slices.Equal(codesOf(h, pamstack.Setcred), []pamstack.Code{pamstack.Ignore})
}

// leads says that an action takes the call somewhere else than to the next line.
func leads(a pamstack.Action) bool { return a > 0 || a == pamstack.ActionDone }

func by(h *pamstack.Handler) string {
	if h == nil {
		return ""
	}
	return fmt.Sprintf(" because of %s (%s:%d)", moduleName(h), h.Line.File, h.Line.Number)
}
