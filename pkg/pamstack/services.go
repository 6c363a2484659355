package pamstack

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Service is a file in a directory of services.
type Service struct {
	Name string
	File string // without Config.Root
	// Hides are the files of the same name in later directories.
	Hides []string
	// Unreachable says that the name has an upper-case letter: libpam lowers
	// names, so that no application can use the file. Others can include it.
	Unreachable bool
}

// Services lists the files that libpam can take for services, by name. Those
// that are only there to be included are among them: libpam does not know the
// difference. Where there is no directory of services there are none; pam.conf
// is not looked into. The error is why a directory cannot be read.
func Services(config Config) ([]Service, error) {
	dirs := []string{config.Confdir}
	if config.Confdir == "" {
		if config.Libpam.ModuleDir == "" {
			var err error
			if config.Libpam, err = detectFound(); err != nil {
				return nil, fmt.Errorf("detect libpam: %w", err)
			}
		}
		dirs = config.Libpam.ServiceDirs
	}
	var services []Service
	for _, dir := range dirs {
		entries, err := os.ReadDir(config.Root + dir)
		if errors.Is(err, fs.ErrNotExist) && config.Confdir == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, withoutRoot(err))
		}
		for _, entry := range entries {
			services = addService(services, entry.Name(), path.Join(dir, entry.Name()))
		}
	}
	slices.SortStableFunc(services, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	return services, nil
}

func addService(services []Service, name, file string) []Service {
	for i := range services {
		if services[i].Name == name {
			services[i].Hides = append(services[i].Hides, file)
			return services
		}
	}
	return append(services, Service{Name: name, File: file, Unreachable: lower(name) != name})
}
