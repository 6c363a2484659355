package check

import (
	"fmt"
	"slices"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// otherName is the service whose lines are taken for what a service lacks.
const otherName = "other"

// nobody is a name that no service has. What libpam makes of it is what it makes
// of the service other alone: under its own name that is read twice.
const nobody = "\x00"

// missing reports that a service has no file: other is what answers then.
func (s *service) missing() {
	if s.file(s.name) != "" || s.stack.Err != nil || s.name == otherName || s.pamConf() {
		return
	}
	place := s.config.Places(s.name)[0]
	s.found.add(s.name, "", Finding{
		ID: "service-missing", Severity: Warning, File: place,
		Problem: fmt.Sprintf("there is no file for the service: %s serves it", s.file(otherName)),
	})
}

// takesOther says that the service other answers for some of the service's calls.
func (s *service) takesOther() bool {
	for f := pamstack.Auth; f <= pamstack.Session; f++ {
		if len(s.own(f)) == 0 {
			return true
		}
	}
	return s.name == otherName
}

// concerns says that a line matters to the service. Those of other do not where
// none of its calls are answered by them, unless pam_start fails there.
func (s *service) concerns(line *pamstack.Line) bool {
	if s.takesOther() || s.stack.Err != nil {
		return true
	}
	for line.Via != nil {
		line = line.Via
	}
	return line.File != s.stack.OtherFile || line.File == s.stack.File
}

// pamConf says that services stand in /etc/pam.conf.
func (c *checker) pamConf() bool {
	return !slices.ContainsFunc(c.config.Dirs(), func(dir string) bool {
		info, err := c.stat(dir)
		return err == nil && info.IsDir()
	})
}

// facilities reports what a service that authenticates leaves to other.
func (s *service) facilities() {
	path := s.file(s.name)
	if len(s.stack.Lines) == 0 || path == "" {
		return
	}
	if s.stack.File == "" && s.name != otherName {
		return // it does not open, which has been said
	}
	if s.empty() {
		s.found.add(s.name, "", Finding{ID: "service-empty", Severity: Warning, File: path, Problem: "the file has no lines"})
		return
	}
	if len(s.own(pamstack.Auth)) == 0 || s.name == otherName {
		return
	}
	for _, f := range []pamstack.Facility{pamstack.Account, pamstack.Session} {
		if len(s.own(f)) > 0 {
			continue
		}
		severity, then := Info, "those of "+s.file(otherName)+" are taken"
		if len(s.stack.Chain(f)) == 0 {
			severity, then = Warning, "and there are none in the service other: the call is denied"
		}
		s.found.add(s.name, f.String(), Finding{
			ID: "facility-missing", Severity: severity, File: path, Problem: fmt.Sprintf("there are no %s lines: %s", f, then),
		})
	}
}

// empty says that no line is the service's own.
func (s *service) empty() bool {
	for f := pamstack.Auth; f <= pamstack.Session; f++ {
		if len(s.own(f)) > 0 {
			return false
		}
	}
	return true
}

// otherService checks the service other: what it does for services without a
// file.
func (c *checker) otherService() error {
	if c.pamConf() {
		return nil
	}
	path := c.file(otherName)
	if path == "" {
		severity := Warning
		if c.config.Confdir != "" {
			severity = Info
		}
		c.atFile(c.config.Places(otherName)[0], "other-missing", severity, "there is no service other")
		return nil
	}
	stack, err := c.load(nobody)
	if err != nil {
		return err
	}
	s := &service{checker: c, name: otherName, stack: stack, told: map[told]bool{}}
	if stack.Err != nil {
		return nil // each service has said it
	}
	s.flow()
	if _, can := s.canSucceed(pamstack.Authenticate, realistic); can {
		s.atLine(s.own(pamstack.Auth)[0].Line, "other-permissive", Info, "the service other can let somebody in")
	}
	return nil
}
