package pamstack

import (
	"fmt"
	"strings"
)

// Detected returns the config with the libpam that is below its root, where it
// names none: one for this machine, else one for any.
func (c Config) Detected() (Config, error) {
	if c.Libpam.ModuleDir != "" {
		return c, nil
	}
	path, err := find(c.Root, sameMachine)
	if err != nil && c.Root != "" {
		path, err = find(c.Root, isLibpam)
	}
	if err == nil {
		c.Libpam, err = Detect(c.Root + path)
	}
	if err != nil {
		return c, fmt.Errorf("detect libpam: %w", err)
	}
	c.Libpam.Path = path
	return c, nil
}

// Dirs are the directories where services are looked for, in order.
func (c Config) Dirs() []string {
	if c.Confdir != "" {
		return []string{c.Confdir}
	}
	return c.Libpam.ServiceDirs
}

// Places are the paths where a service, or an included file, is looked for.
func (c Config) Places(service string) (paths []string) {
	if strings.HasPrefix(service, "/") {
		return []string{service}
	}
	for _, dir := range c.Dirs() {
		paths = append(paths, dir+"/"+service)
	}
	return paths
}
