// What of a service is possible, but should be meant.

package policytool

import (
	"path"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/check"
	pb "github.com/pamhelper/pamhelper/proto"
)

func (c *checker) service(at string, s *pb.Service) {
	if s.GetProof() == pb.Service_AGENT {
		c.warn(at+".proof", "AGENT: the agent alone says who somebody is; one that is taken over can log in everybody whom users admits")
		if names.ForRoot(s.GetName()) != "" {
			c.warn(at+".name", "is made for root that becomes another user; make a service of your own for logins")
		}
	}
	if s.GetAllowEmptyPassword() {
		c.warn(at+".allow_empty_password", "whoever knows the name of an account with an empty password logs in")
	}
	if s.GetAccountFirst() {
		c.warn(at+".account_first", "the modules of account run as root for people who have proved nothing")
	}
	c.users(at+".users", s.GetUsers())
	c.stack(at, s)
}

// stack looks at the PAM service's files as they are now.
func (c *checker) stack(at string, s *pb.Service) {
	name := at + ".name"
	stack, err := c.source.Load(s.GetName())
	if err != nil {
		c.warn(name, "its PAM files cannot be read: %v", err)
		return
	}
	if stack.File == "" {
		c.warn(name, `has no file, so that libpam reads "other" in its place; it is looked for in %s`, strings.Join(stack.Places, ", "))
	}
	if stack.Err != nil {
		c.warn(name, "no login would come about: %v; see: pamhelper check %s", stack.Err, s.GetName())
	}
	if s.GetProof() == pb.Service_PAM {
		c.proves(name, stack)
		c.verifies(name, s.GetName())
		c.lines(name, stack, pamstack.Auth)
	}
	c.lines(name, stack, pamstack.Account)
	c.lines(name, stack, pamstack.Session)
}

// proves refuses what a worker refuses before it asks anybody for a password.
func (c *checker) proves(at string, stack *pamstack.Stack) {
	for _, h := range stack.Chain(pamstack.Auth) {
		if h.Kind != pamstack.KindModule {
			continue
		}
		module := path.Base(h.Path)
		if why := names.WithoutProof(module); why != "" {
			c.refuse(at, "would not be served: %s in its auth lines (%s:%d) %s; use a service without it, or proof AGENT", module, h.Line.File, h.Line.Number, why)
		}
	}
}

// verifies tells where pamhelper check says of auth lines that they let in without
// having verified anything.
func (c *checker) verifies(at, service string) {
	config, err := c.source.Resolve()
	if err != nil {
		return // as Load has told
	}
	found, err := check.Run([]string{service}, config)
	if err != nil {
		c.warn(at, "its auth lines cannot be checked: %v", err)
		return
	}
	for _, f := range found {
		if f.Severity == check.Info || !strings.HasPrefix(f.ID, "auth-") || !slices.Contains(f.Services, service) {
			continue
		}
		c.warn(at, "%s (%s:%d); see: pamhelper check %s", strings.TrimSuffix(f.Problem, "."), f.File, f.Line, service)
	}
}

// lines tells where libpam has no lines of a facility, or takes those of other.
func (c *checker) lines(at string, stack *pamstack.Stack, f pamstack.Facility) {
	chain := stack.Chain(f)
	switch {
	case stack.Err != nil:
	case len(chain) == 0:
		c.warn(at, "has no %s lines, and no login would come past that", f)
	case chain[0].Other && stack.File != "":
		c.warn(at, `has no %s lines; libpam takes those of "other" (%s)`, f, stack.OtherFile)
	}
}
