package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// isMissing is for a file that is not there, with no link leading to it.
func isMissing(err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.missing
}

// openAny opens a policy without a look at who could have written it.
func openAny(name string) (*os.File, error) {
	f, err := os.OpenFile(name, unix.O_PATH, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Problem{Name: name, Text: "does not exist", missing: true}
	}
	if err != nil {
		return nil, &Problem{Name: name, Text: fmt.Sprintf("cannot be opened: %v", reason(err))}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, &Problem{Name: name, Text: fmt.Sprintf("cannot be looked at: %v", reason(err))}
	}
	if err := isRegular(info.Mode(), name); err != nil {
		return nil, err
	}
	opened, err := os.OpenFile(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &Problem{Name: name, Text: fmt.Sprintf("cannot be opened: %v", reason(err))}
	}
	return opened, nil
}

// isRegular refuses what is not a file to read, such as a FIFO, which would be
// waited for.
func isRegular(mode fs.FileMode, name string) error {
	kinds := map[fs.FileMode]string{
		fs.ModeDir: "a directory; name the file in it", fs.ModeNamedPipe: "a FIFO", fs.ModeSocket: "a socket",
		fs.ModeDevice: "a device", fs.ModeDevice | fs.ModeCharDevice: "a device",
	}
	if mode.IsRegular() {
		return nil
	}
	kind := kinds[mode.Type()]
	if kind == "" {
		kind = mode.Type().String()
	}
	if mode.IsDir() {
		return &Problem{Name: name, Text: "is " + kind}
	}
	return &Problem{Name: name, Text: "is " + kind + "; a policy is a regular file"}
}

func openAt(dir *os.File, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
