package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// checker is one run.
type checker struct {
	config  pamstack.Config
	found   findings
	objects *objects
	owners  owners
	// changers are those that changeable has found, by path.
	changers map[string]string
	// readBy are the services that read a file, by the file's path.
	readBy map[string][]string
	// included are the files that another file includes.
	included map[string]bool
	// upper are files whose names have upper-case letters.
	upper []string
}

// Run checks services; all that there are where none are named. Files that are
// only included are checked with those that include them. The error is one
// of pamstack.Find or Detect, or a directory of services that cannot be read.
func Run(services []string, config pamstack.Config) ([]Finding, error) {
	c := &checker{
		config: config, found: findings{}, owners: ownersOf(config), readBy: map[string][]string{},
		included: map[string]bool{}, changers: map[string]string{},
	}
	var err error
	if c.config, err = config.Detected(); err != nil {
		return nil, err
	}
	c.objects = newObjects(c.config)
	if len(services) > 0 {
		return c.run(services, services)
	}
	all, err := c.services()
	if err != nil {
		return nil, err
	}
	return c.run(all, nil)
}

// run checks services, and the files that they have read. Those named are asked
// for by a person: that they have no file is worth to be said.
func (c *checker) run(services, named []string) ([]Finding, error) {
	var loaded []*service
	for _, name := range services {
		stack, err := c.load(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s := &service{checker: c, name: stack.Service, stack: stack, told: map[told]bool{}}
		s.noteFiles()
		loaded = append(loaded, s)
	}
	for _, s := range loaded {
		if slices.Contains(named, s.name) || !c.onlyIncluded(s) {
			s.check()
		} else {
			c.forget(s.name)
			s.name = ""
			s.lines()
		}
	}
	if len(named) == 0 || slices.ContainsFunc(loaded, (*service).takesOther) {
		if err := c.otherService(); err != nil {
			return nil, err
		}
	}
	c.files()
	return c.found.sorted(), nil
}

// load reads a service. One that is too large is there as far as it was read.
func (c *checker) load(name string) (*pamstack.Stack, error) {
	stack, err := pamstack.Load(name, c.config)
	if errors.Is(err, pamstack.ErrTooLarge) {
		return stack, nil
	}
	return stack, err
}

// check is all that is checked of one service.
func (s *service) check() {
	s.missing()
	s.lines()
	if s.stack.Err != nil || s.name == otherName {
		return // other is checked as what serves others
	}
	s.flow()
}

// lines checks what each line says by itself.
func (s *service) lines() {
	s.reading()
	for f := pamstack.Auth; f <= pamstack.Session; f++ {
		for _, h := range s.own(f) {
			if h.Kind == pamstack.KindModule {
				s.module(h)
				s.arguments(h)
			}
		}
	}
}

// flow checks where calls go.
func (s *service) flow() {
	s.facilities()
	for f := pamstack.Auth; f <= pamstack.Session; f++ {
		s.jumps(f)
		s.unreached(f)
		s.skips(f)
	}
	s.verified()
	s.finalDeny()
	s.allowed()
	s.faillock()
	s.remote()
	s.credentials()
	s.firstPass()
	for f := pamstack.Auth; f <= pamstack.Session; f++ {
		s.succeeds(f)
	}
}

// own returns the chain of a facility, unless it is that of the service other.
func (s *service) own(f pamstack.Facility) []*pamstack.Handler {
	chain := s.stack.Chain(f)
	if len(chain) > 0 && chain[0].Other && s.name != otherName {
		return nil
	}
	return chain
}

// noteFiles keeps which files the service reads.
func (s *service) noteFiles() {
	note := func(path string) {
		if path != "" && !slices.Contains(s.readBy[path], s.name) {
			s.readBy[path] = append(s.readBy[path], s.name)
		}
	}
	note(s.file(s.name))
	for _, line := range s.stack.Lines {
		if !s.concerns(line) {
			continue
		}
		note(line.File)
		if line.Via != nil && line.File != s.file(s.name) {
			s.included[line.File] = true
		}
	}
}

// forget drops a name that is no service's.
func (c *checker) forget(name string) {
	for path, readers := range c.readBy {
		c.readBy[path] = slices.DeleteFunc(readers, func(reader string) bool { return reader == name })
	}
}

// readers are the services that read a file, "" where there are none.
func (c *checker) readers(path string) []string {
	if readers := c.readBy[path]; len(readers) > 0 {
		return readers
	}
	return []string{""}
}

// fragmentNames are how distributions call files that services include.
var fragmentNames = []string{
	"common-", "system-", "password-auth", "fingerprint-auth", "smartcard-auth", "postlogin", "base-",
}

// onlyIncluded says that a file is no service, as far as one can tell: nobody
// starts common-auth.
func (c *checker) onlyIncluded(s *service) bool {
	for _, prefix := range fragmentNames {
		if strings.HasPrefix(s.name, prefix) {
			return true
		}
	}
	facilities := 0
	for f := pamstack.Auth; f <= pamstack.Session; f++ {
		if len(s.own(f)) > 0 {
			facilities++
		}
	}
	return c.included[s.file(s.name)] && facilities < 2
}

// file returns the file that libpam reads for a service, "" for none.
func (c *checker) file(name string) string {
	for _, path := range c.config.Places(name) {
		if _, err := c.stat(path); err == nil {
			return path
		}
	}
	return ""
}
