package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// leftovers are what package managers and editors leave beside a file.
var leftovers = []string{
	".dpkg-dist", ".dpkg-old", ".dpkg-new", ".dpkg-tmp", ".dpkg-bak", ".dpkg-remove", ".ucf-dist", ".ucf-old", ".ucf-new",
	".rpmnew", ".rpmsave", ".rpmorig", ".pacnew", ".pacsave", ".apk-new", ".bak", ".backup", ".old", ".orig", ".save", ".swp", "~",
}

func leftover(name string) bool {
	return strings.HasPrefix(name, ".") ||
		slices.ContainsFunc(leftovers, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// services returns the names of all services that can be started.
func (c *checker) services() (names []string, err error) {
	none := true
	for _, dir := range c.serviceDirs() {
		entries, err := c.list(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		none = false
		for _, name := range entries {
			if !leftover(name) && name == strings.ToLower(name) {
				names = append(names, name)
			}
		}
	}
	if none {
		return nil, fmt.Errorf("no directory of services: there is no %s", strings.Join(c.serviceDirs(), ", no "))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// list returns the names of the files in a directory of services.
func (c *checker) list(dir string) (names []string, err error) {
	entries, err := os.ReadDir(c.config.Root + dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if info, err := c.stat(filepath.Join(dir, entry.Name())); err == nil && info.IsDir() {
			continue
		}
		names = append(names, entry.Name())
	}
	return names, nil
}

// directories checks which files are in the directories of services.
func (c *checker) directories() error {
	seen := map[string]string{}
	for _, dir := range c.serviceDirs() {
		names, err := c.list(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, name := range names {
			path := filepath.Join(dir, name)
			c.fileName(name, path)
			if first := seen[name]; first != "" && !leftover(name) {
				c.atFile(path, "vendor-shadowed", Info, "%s is read instead", first)
				continue
			}
			seen[name] = path
		}
	}
	return nil
}

func (c *checker) fileName(name, path string) {
	if leftover(name) {
		c.atFile(path, "leftover", Info, "the name is that of a copy which a package manager or an editor left")
	} else if name != strings.ToLower(name) && name != "README" {
		// An include keeps the case of the name.
		c.upper = append(c.upper, path)
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
