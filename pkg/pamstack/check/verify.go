package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// passwordless are services of display managers that ask for no password on
// purpose: for their own greeter, and for a user who is logged in automatically.
func passwordless(service string) bool {
	return strings.HasSuffix(service, "autologin") || strings.HasSuffix(service, "-greeter") || service == "gdm-launch-environment"
}

// letsOthersIn says that a service is one of a program that runs as root and logs
// in somebody else, from another machine or in front of this one.
func letsOthersIn(service string) bool {
	return slices.Contains(strings.Fields("cockpit dovecot ftp gdm-password imap kde lightdm login pop3 proftpd remote rlogin rsh "+
		"samba sddm smtp sshd vsftpd xdm xrdp-sesman"), service)
}

// assumption is what modules return when nothing is verified.
type assumption struct {
	conditions []pamstack.Code // of modules that test a condition; nil for any
	trust      *pamstack.Handler
	fixed      map[*pamstack.Handler][]pamstack.Code
}

// codes are the codes of a handler under the assumption.
func (a assumption) codes(h *pamstack.Handler, call pamstack.Call, _ bool) []pamstack.Code {
	if codes, is := a.fixed[h]; is {
		return codes
	}
	switch r := roleOf(h); {
	case r == trusts && h == a.trust:
		return []pamstack.Code{pamstack.Success}
	case r == verifies:
		return refusals(h)
	case r == trusts:
		return noSuccess
	case r == conditions && a.conditions != nil:
		return a.conditions
	}
	return codesOf(h, call)
}

var onlySuccess, noSuccess = everything[:1], everything[1:]

// verified checks that authenticate succeeds only when a module has verified
// who it is.
func (s *service) verified() {
	chain := s.own(pamstack.Auth)
	if len(chain) == 0 {
		return
	}
	hole, open := s.opens(assumption{})
	if !open {
		s.trusted()
		return
	}
	always := func(conditions []pamstack.Code) bool {
		o, open := s.opens(assumption{conditions: conditions})
		if open {
			hole = o
		}
		return open
	}
	if always(onlySuccess) && always(noSuccess) {
		s.unverified(chain, hole)
		return
	}
	s.conditional(chain, hole)
}

// opens finds a way to success under an assumption.
func (s *service) opens(a assumption) (pamstack.Outcome, bool) {
	return s.canSucceed(pamstack.Authenticate, a.codes)
}

// unverified reports a stack that lets in anybody.
func (s *service) unverified(chain []*pamstack.Handler, hole pamstack.Outcome) {
	severity := Error
	if passwordless(s.name) {
		severity = Info
	}
	s.at(hole.Decided, "auth-unverified", severity, "authenticate can succeed%s", s.withoutProof(chain, hole))
}

// withoutProof says what became of the modules that would have verified.
func (s *service) withoutProof(chain []*pamstack.Handler, hole pamstack.Outcome) string {
	any := false
	for _, h := range chain {
		if h.Kind != pamstack.KindModule || roleOf(h) != verifies {
			continue
		}
		any = true
		i := slices.IndexFunc(hole.Steps, func(step pamstack.Step) bool { return step.Handler == h })
		if i < 0 {
			return fmt.Sprintf(": %s is not asked then (%s:%d)", moduleName(h), h.Line.File, h.Line.Number)
		}
		if step := hole.Steps[i]; step.Called {
			return fmt.Sprintf(" after %s returned %s (%s:%d)", moduleName(h), step.Code, h.Line.File, h.Line.Number)
		}
	}
	if !any {
		return ", and no module of the stack verifies anything"
	}
	return ""
}

// conditional reports a stack that lets in anybody who meets a condition.
func (s *service) conditional(chain []*pamstack.Handler, hole pamstack.Outcome) {
	decides, when := hole.Decided, "some conditions are met"
	for _, h := range chain {
		if roleOf(h) != conditions {
			continue
		}
		_, met := s.opens(assumption{fixed: map[*pamstack.Handler][]pamstack.Code{h: onlySuccess}})
		_, unmet := s.opens(assumption{fixed: map[*pamstack.Handler][]pamstack.Code{h: noSuccess}})
		if met != unmet {
			decides, when = h, "the condition of "+moduleName(h)+" is met"
			if unmet {
				when = "the condition of " + moduleName(h) + " is not met"
			}
			break
		}
	}
	severity := Warning
	if passwordless(s.name) || slices.Contains(decides.Arguments, "nopasswdlogin") || isModule(decides, "pam_selinux_permit", "pam_sepermit") {
		severity = Info
	}
	s.at(decides, "auth-conditional", severity, "authenticate succeeds where %s: nothing else is asked then", when)
}

// trusted reports modules that let somebody in without a proof.
func (s *service) trusted() {
	for _, h := range s.own(pamstack.Auth) {
		if roleOf(h) != trusts || h.Kind != pamstack.KindModule {
			continue
		}
		if _, open := s.opens(assumption{trust: h}); !open {
			continue
		}
		severity, then := Info, ""
		switch {
		case isModule(h, "pam_rootok") && letsOthersIn(s.name):
			severity, then = Error, ": the program runs as root, and anybody is let in"
		case isModule(h, "pam_rhosts", "pam_rhosts_auth", "pam_wheel"):
			severity = Warning
		}
		s.at(h, "auth-trusted", severity, "the success of %s is enough%s", moduleName(h), then)
	}
}

// finalDeny reports a stack that denies only because nothing has let in.
func (s *service) finalDeny() {
	chain := s.own(pamstack.Auth)
	if len(chain) == 0 {
		return
	}
	for _, h := range chain {
		if s.told[told{"auth-unverified", h}] || s.told[told{"jump-onto-end", h}] {
			return
		}
	}
	e := s.explore(pamstack.Authenticate, func(h *pamstack.Handler, call pamstack.Call, _ bool) []pamstack.Code {
		if roleOf(h) == verifies {
			return append(refusals(h), pamstack.Success)
		}
		return codesOf(h, call)
	})
	if e != nil && succeeds(e) && slices.ContainsFunc(e.Outcomes, func(o pamstack.Outcome) bool { return o.Decided == nil && o.Undefined == nil }) {
		s.at(chain[len(chain)-1], "no-final-deny", Info, "nothing denies where no line lets in")
	}
}

// allowed checks for each module that verifies that its success leads to one of
// the stack.
func (s *service) allowed() {
	for _, v := range s.own(pamstack.Auth) {
		if v.Kind != pamstack.KindModule || roleOf(v) != verifies || !v.Module.Has(pamstack.Authenticate) || s.told[told{"jump-onto-end", v}] {
			continue
		}
		possible := func(h *pamstack.Handler, call pamstack.Call, _ bool) []pamstack.Code {
			if h == v {
				return onlySuccess
			}
			return codesOf(h, call)
		}
		e := s.explore(pamstack.Authenticate, possible)
		if e == nil || !e.Reached[v] || succeeds(e) {
			continue
		}
		reason := ""
		if o := s.first(pamstack.Authenticate, v); o.Decided != nil {
			if o.Decided.Kind != pamstack.KindModule || !o.Decided.Module.Has(pamstack.Authenticate) {
				continue // that this line fails always has been said
			}
			reason = fmt.Sprintf(": %s decides (%s:%d)", moduleName(o.Decided), o.Decided.Line.File, o.Decided.Line.Number)
		}
		s.at(v, "success-denied", Error, "the success of %s never leads to one of the stack%s", moduleName(v), reason)
	}
}

// first predicts what a call does when one verifying module is content, and no
// other is.
func (s *service) first(call pamstack.Call, v *pamstack.Handler) pamstack.Outcome {
	outcomes, err := s.stack.Predict(func(h *pamstack.Handler, call pamstack.Call, _ bool) pamstack.Code {
		if h != v && roleOf(h) == verifies {
			return pamstack.AuthErr
		}
		return pamstack.Best(h, call, false)
	}, call)
	if err != nil {
		return pamstack.Outcome{}
	}
	return outcomes[0]
}

func succeeds(e *pamstack.Exploration) bool {
	return slices.ContainsFunc(e.Outcomes, func(o pamstack.Outcome) bool { return o.Code == pamstack.Success && o.Undefined == nil })
}

// succeeds checks that a facility's calls can succeed at all.
func (s *service) succeeds(f pamstack.Facility) {
	chain := s.own(f)
	if len(chain) == 0 || deliberate(chain) || s.explains(chain) {
		return
	}
	call := callsOf[f][0]
	e := s.explore(call, realistic)
	if e == nil || succeeds(e) || slices.ContainsFunc(e.Outcomes, func(o pamstack.Outcome) bool { return o.Undefined != nil }) {
		return
	}
	decides := chain[len(chain)-1]
	if outcomes, err := s.stack.Predict(pamstack.Best, call); err == nil && outcomes[0].Decided != nil {
		decides = outcomes[0].Decided
	}
	if s.found.errorAt(decides.Line) {
		return // that it fails always has been said
	}
	s.at(decides, "never-succeeds", Error, "%s never succeeds, whatever the modules return", call)
}

// deliberate says that a stack is there to deny: pam_deny comes before anything
// that could let somebody in.
func deliberate(chain []*pamstack.Handler) bool {
	for _, h := range chain {
		switch {
		case isModule(h, "pam_deny"):
			return mandatory(h)
		case h.Kind == pamstack.KindModule && h.Module.Err == nil &&
			!isModule(h, "pam_warn", "pam_permit", "pam_env", "pam_nologin", "pam_faildelay", "pam_echo", "pam_issue"):
			return false
		}
	}
	return false
}

// explains says that a finding for one of the lines tells already why the stack
// does not succeed.
func (s *service) explains(chain []*pamstack.Handler) bool {
	for _, h := range chain {
		for _, id := range []string{"jump-onto-end", "jump-past-end", "success-denied", "local-users-denied"} {
			if s.told[told{id, h}] {
				return true
			}
		}
	}
	return false
}
