package pamstack

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Bounds of what is read for one service, all files together.
const (
	maxBytes = 4 << 20
	maxLines = 1 << 16 // physical ones
	// maxIncludes is the depth at which includes of a libpam before 1.6 are
	// taken for a loop.
	maxIncludes = 256
)

var errSpecial = errors.New("neither a file nor a directory")

// tree is the files under Config.Root.
type tree struct {
	root string
	left int // bytes that may still be read
}

// read returns what libpam reads from a file. A directory opens too, and reads
// as empty. The error is errSpecial, ErrTooLarge, or why it does not open.
func (t *tree) read(path string) ([]byte, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return nil, fs.ErrNotExist
	}
	info, err := os.Stat(t.root + path)
	switch {
	case err != nil:
		return nil, err
	case isNull(info):
		return nil, nil
	case !info.Mode().IsRegular() && !info.IsDir():
		return nil, errSpecial
	}
	// Whoever replaces the file by a pipe meanwhile does not stop us.
	file, err := os.OpenFile(t.root+path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info.IsDir() {
		return nil, nil
	}
	data, _ := io.ReadAll(io.LimitReader(file, int64(t.left)+1)) // libpam takes an error for the end too
	if len(data) > t.left {
		return nil, ErrTooLarge
	}
	t.left -= len(data)
	return data, nil
}

// isDir says whether a path is a directory.
func (t *tree) isDir(path string) bool {
	info, err := os.Stat(t.root + path)
	return err == nil && info.IsDir()
}

// isNull recognises /dev/null, to which administrators link files they disable.
func isNull(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode()&fs.ModeCharDevice != 0 && stat.Rdev == 1<<8|3
}
