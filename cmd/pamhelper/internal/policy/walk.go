package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Who can write the file or a directory on the way to it decides what runs as root.
// The way is gone one component at a time, each opened from the directory before it
// that has been looked at already, so that nobody can change it in between. A
// symbolic link is where its directory's owner wants it to be, so the directory
// counts; then the way goes on where it leads.

// maxLinks is how many symbolic links the kernel follows, too (path_resolution(7)).
const maxLinks = 40

// openOwned opens a policy that only root, or who runs this program, can have
// written.
func openOwned(name string) (*os.File, error) {
	w := walk{name: name, euid: os.Geteuid()}
	return w.open()
}

// component is a part of the way that is still to go.
type component struct{ name, link string } // link: the symbolic link that it stands in

// walk is the way to a policy.
type walk struct {
	name    string // as it was asked for
	euid    int
	dir     *os.File // where the way has come to
	at      string   // its path
	pending []component
	links   int
}

func (w *walk) open() (*os.File, error) {
	if err := w.begin(); err != nil {
		return nil, err
	}
	defer func() { w.dir.Close() }()
	for len(w.pending) > 0 {
		next := w.pending[0]
		w.pending = w.pending[1:]
		f, err := w.step(next)
		if err != nil || f != nil {
			return f, err
		}
	}
	return nil, w.problem(w.at, "is a directory; name the file in it")
}

// begin opens the root. A relative name is one in the working directory.
func (w *walk) begin() error {
	if w.name == "" || strings.ContainsRune(w.name, 0) {
		return &Problem{Name: fmt.Sprintf("%q", w.name), Text: "is not the name of a file"}
	}
	full := w.name
	if !path.IsAbs(full) {
		dir, err := os.Getwd()
		if err != nil {
			return w.problem(w.name, "is relative, and the working directory cannot be found: %v", err)
		}
		full = dir + "/" + full
	}
	w.pending = split(full, "")
	return w.toRoot()
}

func (w *walk) toRoot() error {
	root, err := os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	return w.into(root, "/")
}

// into goes on in a directory, if nobody else can change it.
func (w *walk) into(dir *os.File, at string) error {
	if err := w.owned(dir, at); err != nil {
		dir.Close()
		return err
	}
	if w.dir != nil {
		w.dir.Close()
	}
	w.dir, w.at = dir, at
	return nil
}

// split cuts a path into components, with nothing tidied: ".." behind a link is
// where the link leads.
func split(full, link string) (parts []component) {
	for name := range strings.SplitSeq(full, "/") {
		if name != "" && name != "." {
			parts = append(parts, component{name, link})
		}
	}
	return parts
}

// step goes one component on. It returns the policy where that was it.
func (w *walk) step(next component) (*os.File, error) {
	full := path.Join(w.at, next.name)
	f, err := openAt(w.dir, next.name, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return nil, w.notOpened(full, next, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, w.problem(full, "cannot be looked at: %v", reason(err))
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, w.follow(f, full)
	case info.IsDir():
		dir, err := openAt(w.dir, next.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY)
		if err != nil {
			return nil, w.notOpened(full, next, err)
		}
		return nil, w.into(dir, full)
	case len(w.pending) > 0:
		return nil, w.problem(full, "is no directory")
	}
	if err := isRegular(info.Mode(), full); err != nil {
		return nil, err
	}
	return w.file(next, full)
}

// follow puts the target of a link in front of what is still to go.
func (w *walk) follow(link *os.File, full string) error {
	if w.links++; w.links > maxLinks {
		return w.problem(full, "is a symbolic link that leads on for ever, or to more than %d others", maxLinks)
	}
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(link.Fd()), "", buffer)
	if err != nil {
		return w.problem(full, "is a symbolic link that cannot be read: %v", err)
	}
	target := string(buffer[:n])
	w.pending = append(split(target, full), w.pending...)
	if path.IsAbs(target) {
		return w.toRoot()
	}
	return nil
}

// file opens the policy itself, and looks at what has been opened.
func (w *walk) file(last component, full string) (*os.File, error) {
	f, err := openAt(w.dir, last.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, w.notOpened(full, last, err)
	}
	if err := w.owned(f, full); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// notOpened tells a file that is not there from a link that leads nowhere.
func (w *walk) notOpened(full string, next component, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return w.problem(full, "cannot be opened: %v", reason(err))
	}
	if next.link != "" {
		return w.problem(next.link, "is a symbolic link to %s, which does not exist", printable(full))
	}
	p := &Problem{Name: w.name, Text: "does not exist", missing: true}
	if full != w.name {
		p.Text = fmt.Sprintf("does not exist: there is no %s", printable(full))
	}
	return p
}

// problem is one with a path. Where that is not the one that was asked for, both
// are told.
func (w *walk) problem(full, format string, args ...any) error {
	p := &Problem{Name: w.name, Text: fmt.Sprintf(format, args...)}
	if full != w.name {
		p.Field = oneLine(full)
	}
	return p
}
