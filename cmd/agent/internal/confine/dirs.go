package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

var errRootDir = errors.New("a rule on / would confine nothing: keep the files in a directory of their own")

// DirsOf returns the directories that files are read from, for Config.ReadDirs:
// of each file its own, where it may be replaced, and the one it is really in, if
// it is a symbolic link. Each file has to exist.
func DirsOf(files ...string) ([]string, error) {
	var dirs []string
	for _, file := range files {
		target, err := filepath.EvalSymlinks(file)
		if err != nil {
			return nil, err
		}
		for _, path := range []string{file, target} {
			dir, err := filepath.Abs(filepath.Dir(path))
			if err != nil {
				return nil, err
			}
			if !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs, nil
}

// checkDir refuses what a rule must not be about.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("a directory that is needed later: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is a file, and a rule on a file dies when the file is replaced: name its directory", dir)
	}
	if root, err := os.Stat("/"); err != nil || os.SameFile(info, root) {
		return fmt.Errorf("%s: %w", dir, errRootDir)
	}
	return nil
}
