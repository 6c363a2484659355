package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/prototext"

	pb "github.com/pamhelper/pamhelper/proto"
)

// maxSize is that of a file, in bytes.
const maxSize = 1 << 20

// readFile reads an open policy from its beginning, wherever the descriptor stands:
// it may be shared.
func readFile(f *os.File, name string) (*File, error) {
	text, err := readAll(f, name)
	if err != nil {
		return nil, err
	}
	return parse(text, name)
}

// readAll reads a regular file of at most maxSize.
func readAll(f *os.File, name string) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, &Problem{Name: name, Text: fmt.Sprintf("cannot be looked at: %v", reason(err))}
	}
	if err := isRegular(info.Mode(), name); err != nil {
		return nil, err
	}
	if info.Size() > maxSize {
		return nil, tooLarge(name)
	}
	// Not all of a file in /proc is shown by its size.
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxSize+1))
	if err != nil {
		return nil, &Problem{Name: name, Text: fmt.Sprintf("cannot be read: %v", reason(err))}
	}
	return text, nil
}

func tooLarge(name string) error {
	return &Problem{Name: name, Text: fmt.Sprintf("is larger than %d bytes, the most a policy can have", maxSize)}
}

// parse reads, checks and completes.
func parse(text []byte, name string) (*File, error) {
	if len(text) > maxSize {
		return nil, tooLarge(name)
	}
	if err := isText(text, name); err != nil {
		return nil, err
	}
	file := &File{Name: name, Policy: &pb.Policy{}, places: sync.OnceValue(func() places { return findPlaces(text) })}
	if err := prototext.Unmarshal(text, file.Policy); err != nil {
		return nil, file.places().explain(err, name)
	}
	if err := file.validate(); err != nil {
		return nil, err
	}
	complete(file.Policy)
	return file, nil
}

// byteOrderMarks are those of UTF-8 and of the two kinds of UTF-16.
var byteOrderMarks = [][]byte{{0xef, 0xbb, 0xbf}, {0xff, 0xfe}, {0xfe, 0xff}}

// isText says what in a file is not text at all.
func isText(text []byte, name string) error {
	if slices.ContainsFunc(byteOrderMarks, func(mark []byte) bool { return bytes.HasPrefix(text, mark) }) {
		return &Problem{Name: name, Line: 1, Column: 1, Text: "begins with a byte order mark; save it as UTF-8 without one"}
	}
	if at := bytes.IndexByte(text, 0); at >= 0 {
		line, column := position(text, at)
		return &Problem{Name: name, Line: line, Column: column, Text: "a NUL; a policy is text in UTF-8"}
	}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			line, column := position(text, at)
			return &Problem{Name: name, Line: line, Column: column, Text: fmt.Sprintf("byte 0x%02x is not UTF-8, in which a policy is written", text[at])}
		}
		at += size
	}
	return nil
}

// reason is an error without the path, which the message has already.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
