package check

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// owners are who may change what decides about logins: root, and whoever the
// directory of configuration belongs to that was given.
type owners struct{ uid, gid uint32 }

func ownersOf(config pamstack.Config) owners {
	for _, path := range []string{config.Root, config.Confdir} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			if stat, ok := info.Sys().(*syscall.Stat_t); ok {
				return owners{stat.Uid, stat.Gid}
			}
		}
	}
	return owners{}
}

// changeable says who beside the owners can change a file: "" for nobody. A
// directory on the way counts as well: who can write to it can replace the file.
func (c *checker) changeable(path string) string {
	real, err := filepath.EvalSymlinks(c.config.Root + path)
	if err != nil {
		return ""
	}
	root := strings.TrimSuffix(c.config.Root, "/")
	if evaluated, err := filepath.EvalSymlinks(root); root != "" && err == nil {
		root = evaluated
	}
	inside, found := strings.CutPrefix(real, root+"/")
	if !found {
		return "" // a link out of the root; what is there is not this system's
	}
	for inside = "/" + inside; ; inside = filepath.Dir(inside) {
		info, err := os.Stat(root + inside)
		if err != nil {
			return ""
		}
		if who := c.owners.others(info); who != "" {
			return inside + " " + who
		}
		if inside == "/" {
			return ""
		}
	}
}

// others says who else can change a file or directory.
func (o owners) others(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	// In a sticky directory only the owner of a file can replace it.
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	switch {
	case stat.Uid != 0 && stat.Uid != o.uid:
		return fmt.Sprintf("belongs to the user %d", stat.Uid)
	case sticky:
		return ""
	case info.Mode()&0o002 != 0:
		return "can be written by everybody"
	case info.Mode()&0o020 != 0 && stat.Gid != 0 && stat.Gid != o.gid:
		return fmt.Sprintf("can be written by the group %d", stat.Gid)
	}
	return ""
}

// files checks the files that services read, as files.
func (c *checker) files() {
	for path := range c.readBy {
		if who := c.changeable(path); who != "" {
			c.atFile(path, "file-writable", Error, "%s", who)
		}
		c.readable(path)
		c.text(path)
	}
	for _, path := range c.upper {
		if !c.included[path] {
			c.atFile(path, "name-upper-case", Warning, "the name has an upper-case letter")
		}
	}
}

// readable checks that a program without privileges reads the same file.
func (c *checker) readable(path string) {
	info, err := c.stat(path)
	if err != nil || info.IsDir() || info.Mode()&0o004 != 0 || info.Mode()&fs.ModeCharDevice != 0 {
		return
	}
	next := c.behind(path)
	if next != "" {
		c.atFile(path, "file-unreadable", Warning, "only some users can read it (mode %04o); for all others %s is read", info.Mode().Perm(), next)
		return
	}
	c.atFile(path, "file-unreadable", Info, "only some users can read it (mode %04o)", info.Mode().Perm())
}

// behind returns the file that takes the place of one that does not open.
func (c *checker) behind(path string) string {
	past := false
	for _, place := range c.places(filepath.Base(path)) {
		if _, err := c.stat(place); err == nil && past {
			return place
		}
		past = past || place == path
	}
	return ""
}
