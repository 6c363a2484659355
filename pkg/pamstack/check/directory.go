package check

import (
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// services returns the names of all services that can be started, and checks
// which files are beside them.
func (c *checker) services() (names []string, err error) {
	if c.pamConf() {
		return nil, fmt.Errorf("no directory of services: there is no %s", strings.Join(c.config.Dirs(), ", no "))
	}
	services, err := pamstack.Services(c.config)
	if err != nil {
		return nil, err
	}
	for _, s := range services {
		c.directory(s)
		if !s.Leftover && !s.Unreachable {
			names = append(names, s.Name)
		}
	}
	return names, nil
}

// directory checks a name in the directories of services.
func (c *checker) directory(s pamstack.Service) {
	for _, path := range append([]string{s.File}, s.Hides...) {
		switch {
		case s.Leftover:
			c.atFile(path, "leftover", Info, "the name is that of a copy which a package manager or an editor left")
		case s.Unreachable && s.Name != "README":
			// An include keeps the case of the name.
			c.upper = append(c.upper, path)
		}
	}
	for _, path := range s.Hides {
		if !s.Leftover {
			c.atFile(path, "vendor-shadowed", Info, "%s is read instead", s.File)
		}
	}
}

// atFile adds a finding for a file as a whole.
func (c *checker) atFile(path, id string, severity Severity, format string, args ...any) {
	found := Finding{ID: id, Severity: severity, File: path, Problem: fmt.Sprintf(format, args...)}
	for _, reader := range c.readers(path) {
		c.found.add(reader, "", found)
	}
}

// stat looks at a path below the root.
func (c *checker) stat(path string) (fs.FileInfo, error) { return os.Stat(c.config.Root + path) }
