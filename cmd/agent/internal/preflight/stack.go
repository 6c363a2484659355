package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/check"
	pb "github.com/pamhelper/pamhelper/proto"
)

// service looks at the file of a PAM service: that it is there and has the lines
// that a login needs, and what pamhelper check finds.
func (r *Report) service(s service, pam pamstack.Config) {
	stack, err := pamstack.Load(s.name, pam)
	if err != nil {
		r.add(Error, s.key, "the service %s cannot be read: %v", s.name, err)
		return
	}
	if stack.File == "" {
		r.add(Error, s.key, "there is no service %s: PAM would use the service other instead; write the file %s",
			s.name, strings.Join(stack.Places, ", or "))
		return
	}
	if stack.Err != nil {
		r.add(Error, s.key, "PAM cannot start with the service %s: %v", s.name, stack.Err)
		return
	}
	r.add(OK, s.key, "the service %s is read from %s, proof %s", s.name, stack.File, s.proof)
	r.lines(s, stack)
	r.findings(s, pam)
}

// lines says which lines a login needs and the service lacks. Lines of the service
// other would be run in their place, which is hardly meant.
func (r *Report) lines(s service, stack *pamstack.Stack) {
	needed := []pamstack.Facility{pamstack.Account, pamstack.Session}
	if s.proof == pb.Service_PAM {
		needed = slices.Insert(needed, 0, pamstack.Auth)
	}
	for _, facility := range needed {
		if chain := stack.Chain(facility); len(chain) > 0 && !chain[0].Other {
			continue
		}
		if facility == pamstack.Auth {
			r.add(Error, stack.File, "there is no auth line, and PAM is to prove who logs in; write for example: auth required pam_unix.so")
			continue
		}
		r.add(Error, stack.File, "there is no %s line, and a login needs one; write at least: %s required pam_permit.so", facility, facility)
	}
	if s.proof == pb.Service_PAM && slices.ContainsFunc(stack.Chain(pamstack.Account), runsScript) {
		r.add(Note, stack.File, "account runs a script; if it creates users, the policy needs account_first: true for this service, "+
			"because auth comes before account and refuses a user who is not there")
	}
}

func runsScript(h *pamstack.Handler) bool {
	return h.Path == "pam_exec.so" || strings.HasSuffix(h.Path, "/pam_exec.so")
}

// findings are those of pamhelper check that are at least warnings. That one module's
// word is enough is normal on a machine, and not for the proof of a login: some such
// services the helper does not serve.
func (r *Report) findings(s service, pam pamstack.Config) {
	found, err := check.Run([]string{s.name}, pam)
	if err != nil {
		r.add(Error, s.key, "the service %s cannot be checked: %v", s.name, err)
		return
	}
	for _, f := range found {
		trusted := f.ID == "auth-trusted" && s.proof == pb.Service_PAM
		if f.Severity == check.Info && !trusted || !slices.Contains(f.Services, s.name) {
			continue
		}
		level := Warning
		// Where the agent proves who logs in, auth lets nobody in.
		if f.Severity == check.Error && (s.proof == pb.Service_PAM || !strings.HasPrefix(f.ID, "auth-")) {
			level = Error
		}
		about := f.File
		if f.Line > 0 {
			about = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		r.add(level, about, "%s; for more: pamhelper check %s", strings.TrimSuffix(f.Problem, "."), s.name)
	}
}
