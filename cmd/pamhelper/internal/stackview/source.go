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
	// The options: another directory of services, another machine's files, and
	// another file of libpam.
	Confdir, Root, Libpam string
	// Config has what the options do not say; the libpam of this process is
	// modelled where it names none.
	Config pamstack.Config
}

// AddFlags adds the options that say where services are read from.
func (s *Source) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.Confdir, "confdir", "", "read service files from `DIR` instead of the system's")
	flags.StringVar(&s.Root, "root", "", "read another machine's files, those below `DIR`, by the rules of its libpam")
	flags.StringVar(&s.Libpam, "libpam", "", "read services as the libpam.so.0 in `FILE` does, which is not run")
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

// Resolve returns how services are read: from the directories of the options, by
// the libpam that is to be modelled.
func (s Source) Resolve() (config pamstack.Config, err error) {
	config = s.Config
	if s.Root != "" {
		if config.Root, err = directory(s.Root); err != nil {
			return config, fmt.Errorf("--root: %w", err)
		}
		config.Root = strings.TrimSuffix(config.Root, "/")
	}
	if config.Libpam, err = s.libpam(config); err != nil {
		return config, err
	}
	if s.Confdir == "" {
		return config, nil
	}
	if !config.Libpam.Confdir {
		return config, errors.New("--confdir: this libpam has no pam_start_confdir; it came with 1.4")
	}
	config.Confdir, err = confdir(config.Root, s.Confdir)
	return config, err
}

// directory returns the path of a directory from the root.
func directory(path string) (string, error) {
	dir, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", path)
	}
	return dir, err
}

// confdir returns the path of a directory of services, which is one below root
// where there is a root.
func confdir(root, path string) (string, error) {
	if root != "" {
		path = root + filepath.Join("/", path)
	}
	dir, err := directory(path)
	return strings.TrimPrefix(dir, root), err
}

// libpam returns the build that is modelled: that of the option, of the config, of
// the root, or of this process.
func (s Source) libpam(config pamstack.Config) (found pamstack.Libpam, err error) {
	switch {
	case s.Libpam != "":
		if found, err = pamstack.Detect(s.Libpam); err != nil {
			return found, fmt.Errorf("--libpam: %w", err)
		}
		path, err := filepath.Abs(s.Libpam)
		if below, is := strings.CutPrefix(path, config.Root+"/"); is {
			path = "/" + below
		}
		found.Path = path
		return found, err
	case config.Libpam.ModuleDir != "":
		return config.Libpam, nil
	case config.Root != "":
		if config, err = config.Detected(); err != nil {
			return found, fmt.Errorf("--root: %w; name one with --libpam", err)
		}
		return config.Libpam, nil
	}
	path, err := loadedLibpam()
	if err != nil {
		return found, err
	}
	return pamstack.Detect(path)
}

// loadedLibpam returns the file of the libpam that this process has loaded, else one
// that it would find.
func loadedLibpam() (path string, err error) {
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
