package preflight

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc/names"
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
	if file := kept(stack); file != "" {
		r.add(Warning, s.key, "the service %s was not looked at: %s is not for this user to read, and the helper reads it as root; run this as root too",
			s.name, file)
		return
	}
	if stack.File == "" {
		r.add(Error, s.key, "there is no service %s: PAM would use the service other instead; write the file %s",
			s.name, strings.Join(stack.Places, ", or "))
		return
	}
	if stack.Err != nil {
		r.notStarting(s, stack.Err)
		return
	}
	r.add(OK, s.key, "the service %s is read from %s, proof %s", s.name, stack.File, s.proof)
	r.served(s, stack)
	r.lines(s, stack)
	r.findings(s, pam)
}

// notStarting says which line keeps PAM from starting with the service at all.
func (r *Report) notStarting(s service, err error) {
	var at *pamstack.Error
	if !errors.As(err, &at) || at.Line.Number == 0 {
		r.add(Error, s.key, "PAM cannot start with the service %s: %v", s.name, err)
		return
	}
	r.add(Error, fmt.Sprintf("%s:%d", at.Line.File, at.Line.Number), "PAM cannot start with the service %s because of this line, %q; "+
		"correct it, or restore the file that it names; for more: pamhelper check %s", s.name, strings.TrimSpace(at.Line.Text), s.name)
}

// kept is a file that the service is read from by root, and not by this user: "" for
// none. Without it, nobody can tell what the helper's PAM would do.
func kept(stack *pamstack.Stack) string {
	var files []string
	if stack.File == "" {
		files = slices.Clone(stack.Places)
	}
	for _, note := range stack.Notes {
		if note.Problem == pamstack.FileSkipped {
			files = append(files, note.Line.File)
		}
	}
	for _, file := range files {
		if errors.Is(unix.Faccessat(unix.AT_FDCWD, file, unix.R_OK, unix.AT_EACCESS), fs.ErrPermission) {
			return file
		}
	}
	return ""
}

// served says what the helper does not serve where PAM is to prove who logs in: the
// success of such a service is none.
func (r *Report) served(s service, stack *pamstack.Stack) {
	forRoot := names.ForRoot(s.name)
	if s.proof != pb.Service_PAM {
		if forRoot != "" {
			r.add(Warning, s.key, "the service %s is made for root that becomes another user; make a service of your own for logins", s.name)
		}
		return
	}
	if forRoot != "" {
		r.add(Error, s.key, "the service %s %s, so that it proves nothing and is not served; make a service of your own", s.name, forRoot)
		return
	}
	for _, h := range stack.Chain(pamstack.Auth) {
		module := path.Base(h.Path)
		if why := names.WithoutProof(module); why != "" && h.Kind == pamstack.KindModule {
			r.add(Error, fmt.Sprintf("%s:%d", h.Line.File, h.Line.Number), "the service %s would not be served: %s in its auth lines %s; "+
				"use a service without it", s.name, module, why)
		}
	}
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
	if s.proof == pb.Service_PAM && !s.first && slices.ContainsFunc(stack.Chain(pamstack.Account), runsScript) {
		r.add(Note, stack.File, "account runs a script; if it creates users, write ssh_service.pam.account_first: yes, "+
			"because auth comes before account and refuses a user who is not there")
	}
	if s.first {
		r.add(Note, stack.File, "account comes first: its modules and scripts run as root before auth has asked for anything")
	}
}

func runsScript(h *pamstack.Handler) bool {
	return h.Path == "pam_exec.so" || strings.HasSuffix(h.Path, "/pam_exec.so")
}

// findings are those of pamhelper check that are at least warnings.
func (r *Report) findings(s service, pam pamstack.Config) {
	found, err := check.Run([]string{s.name}, pam)
	if err != nil {
		r.add(Error, s.key, "the service %s cannot be checked: %v", s.name, err)
		return
	}
	for _, f := range found {
		if f.Severity == check.Info || !slices.Contains(f.Services, s.name) {
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
