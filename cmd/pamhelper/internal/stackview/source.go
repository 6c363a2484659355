// Package stackview is what the commands that show a PAM stack have in common:
// where the stack is read from, and how its parts are named and painted. It
// decides nothing about a stack: that is package pamstack's.
package stackview

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Source is where services are read from.
type Source struct {
	// Confdir is the option: another directory of services.
	Confdir string
	// Config has what the options do not say; the libpam of this process is
	// modelled where it names none.
	Config pamstack.Config
}

// AddFlags adds the options that say where services are read from.
func (s *Source) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.Confdir, "confdir", "", "read service files from `DIR` instead of the system's")
}

// Load reads a service. That pam_start would fail is no error.
func (s Source) Load(service string) (*pamstack.Stack, error) {
	if err := IsName(service); err != nil {
		return nil, err
	}
	config, err := s.Resolve()
	if err != nil {
		return nil, err
	}
	return pamstack.Load(service, config)
}

// Services lists what there is to load, without what editors and package managers
// left.
func (s Source) Services() ([]pamstack.Service, error) {
	config, err := s.Resolve()
	if err != nil {
		return nil, err
	}
	services, err := pamstack.Services(config)
	return slices.DeleteFunc(services, func(s pamstack.Service) bool { return s.Leftover }), err
}

// IsName returns an error for what cannot be the name of a service. libpam would
// take the last part of a path, and look for that in its own directories.
func IsName(service string) error {
	if service == "" || strings.ContainsRune(service, '/') {
		return fmt.Errorf("%q is not a service's name: it is the name of a file in /etc/pam.d; for another directory use --confdir", service)
	}
	return nil
}

// Resolve returns how services are read: from the directory of the option, by
// the libpam that is to be modelled.
func (s Source) Resolve() (pamstack.Config, error) {
	config := s.Config
	if config.Libpam.ModuleDir == "" {
		path, err := libpam()
		if err != nil {
			return config, err
		}
		if config.Libpam, err = pamstack.Detect(path); err != nil {
			return config, err
		}
	}
	if s.Confdir == "" {
		return config, nil
	}
	if !config.Libpam.Confdir {
		return config, errors.New("--confdir: this libpam has no pam_start_confdir; it came with 1.4")
	}
	dir, err := filepath.Abs(s.Confdir)
	if err != nil {
		return config, err
	}
	info, err := os.Stat(config.Root + dir)
	if err != nil {
		return config, err
	}
	if !info.IsDir() {
		return config, fmt.Errorf("%s is not a directory", s.Confdir)
	}
	config.Confdir = dir
	return config, nil
}

// libpam returns the file of the libpam that this process has loaded, else one
// that it would find.
func libpam() (path string, err error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return pamstack.Find()
	}
	for line := range strings.Lines(string(maps)) {
		at := strings.IndexByte(line, '/')
		if at < 0 {
			continue
		}
		path := strings.TrimSuffix(line[at:], "\n")
		if strings.HasPrefix(filepath.Base(path), "libpam.so.") && !strings.HasSuffix(path, " (deleted)") {
			return path, nil
		}
	}
	return pamstack.Find()
}
