package check

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// changeable says who beside the owners can change a file, or make it where it
// is not there: "" for nobody. Every directory on the way counts as well, those
// of links too: who can write to it can replace the file.
func (c *checker) changeable(path string) string {
	if who, known := c.changers[path]; known {
		return who
	}
	w := walk{owners: c.owners, root: strings.TrimSuffix(c.config.Root, "/"), rest: path}
	if evaluated, err := filepath.EvalSymlinks(w.root); w.root != "" && err == nil {
		w.root = evaluated
	}
	c.changers[path] = w.changeable()
	return c.changers[path]
}

// walk goes from the root to a file, through its links.
type walk struct {
	owners owners
	root   string
	at     string // how far it is, below root; no link
	rest   string // of the way
	links  int
}

// mostLinks is how many links the kernel follows.
const mostLinks = 40

// changeable goes on to the end of the way. What lies out of the root is not
// this system's.
func (w *walk) changeable() string {
	for w.at = "/"; w.links < mostLinks; {
		info, err := os.Stat(w.root + w.at)
		if err != nil {
			return ""
		}
		if who := w.owners.others(info); who != "" {
			return w.at + " " + who
		}
		if w.rest = strings.Trim(w.rest, "/"); w.rest == "" {
			return ""
		}
		name, rest, _ := strings.Cut(w.rest, "/")
		next := filepath.Join(w.at, name)
		link, err := os.Lstat(w.root + next)
		if who := w.owners.writers(info); who != "" && (rest == "" || err != nil || w.owners.foreign(link)) {
			return w.at + " " + who
		}
		if err != nil {
			return ""
		}
		w.rest = rest
		if link.Mode()&fs.ModeSymlink == 0 {
			w.at = next
			continue
		}
		if !w.follow(next) {
			return ""
		}
	}
	return ""
}

// follow goes on with where a link leads, unless that is out of the root.
func (w *walk) follow(link string) bool {
	target, err := os.Readlink(w.root + link)
	if err != nil || w.root != "" && filepath.IsAbs(target) {
		return false
	}
	if filepath.IsAbs(target) {
		w.at = "/"
	}
	w.rest = target + "/" + w.rest
	w.links++
	return true
}

// others says who else can change a file, or replace what is in a directory.
func (o owners) others(info fs.FileInfo) string {
	if o.foreign(info) {
		return fmt.Sprintf("belongs to the user %d", info.Sys().(*syscall.Stat_t).Uid)
	}
	// In a sticky directory only the owner of a file can replace it.
	if info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
		return ""
	}
	return o.writers(info)
}

// foreign says that a file belongs to somebody else.
func (o owners) foreign(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid != 0 && stat.Uid != o.uid
}

// writers says who else can write to a file, or make files in a directory.
func (o owners) writers(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
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
		for _, place := range c.upTo(path) {
			if who := c.changeable(place); who != "" {
				c.atFile(path, "file-writable", Error, "%s", who)
				break
			}
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

// upTo returns the places where libpam looks for a service's file before it
// comes to path, and path.
func (c *checker) upTo(path string) []string {
	places := c.config.Places(filepath.Base(path))
	return append(slices.Clip(places[:max(slices.Index(places, path), 0)]), path)
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
	for _, place := range c.config.Places(filepath.Base(path)) {
		if _, err := c.stat(place); err == nil && past {
			return place
		}
		past = past || place == path
	}
	return ""
}
