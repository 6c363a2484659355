package pamstack

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
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
	// Leftover says that the name is that of a copy which a package manager or an
	// editor left. Nothing is meant to use it, but libpam would.
	Leftover bool
}

// Services lists the files that libpam can take for services, by name. Those
// that are only there to be included are among them: libpam does not know the
// difference. Directories are not. Where there is no directory of services there
// are none; pam.conf is not looked into. The error is why a directory cannot be
// read.
func Services(config Config) ([]Service, error) {
	config, err := config.Detected()
	if err != nil {
		return nil, err
	}
	var services []Service
	for _, dir := range config.Dirs() {
		entries, err := os.ReadDir(config.Root + dir)
		if errors.Is(err, fs.ErrNotExist) && config.Confdir == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, withoutRoot(err))
		}
		for _, entry := range entries {
			file := dir + "/" + entry.Name()
			if info, err := os.Stat(config.Root + file); err == nil && info.IsDir() {
				continue
			}
			services = addService(services, entry.Name(), file)
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
	return append(services, Service{Name: name, File: file, Unreachable: lower(name) != name, Leftover: leftover(name)})
}

// leftovers are what package managers and editors leave beside a file.
var leftovers = []string{
	".dpkg-dist", ".dpkg-old", ".dpkg-new", ".dpkg-tmp", ".dpkg-bak", ".dpkg-remove", ".ucf-dist", ".ucf-old", ".ucf-new",
	".rpmnew", ".rpmsave", ".rpmorig", ".pacnew", ".pacsave", ".apk-new", ".bak", ".backup", ".old", ".orig", ".save", ".swp", "~",
}

func leftover(name string) bool {
	return strings.HasPrefix(name, ".") ||
		slices.ContainsFunc(leftovers, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}
