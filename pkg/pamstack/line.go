package pamstack

import (
	"bytes"
	"errors"
	"io"
)

// Line is a logical line of a file: what libpam reads as one, after comments
// are cut off and continued lines are put together.
type Line struct {
	File   string // the path that libpam opens; without Config.Root
	Number int    // of the first physical line, from 1; 0 for the file as a whole
	Text   string // to the first NUL; may end in a newline
	// Via is the include, substack or @include line that led here, nil in the
	// file of the service itself and in other.
	Via *Line
}

// How a file can end other than with io.EOF.
var (
	errUnfinished = errors.New("the file ends where a line is to be continued")
	errEndless    = errors.New("one byte of libpam's line buffer is left, and libpam reads nothing into it for ever")
)

// lineReader cuts a file into logical lines.
type lineReader struct {
	data   []byte
	number int // of the physical line that data begins with, from 1
	modern bool
	left   *int // how many physical lines may still be read
	// problem is called for what is wrong with the bytes.
	problem func(number int, problem Problem)
}

// next returns the next logical line. The error is io.EOF, errUnfinished,
// errEndless or ErrTooLarge.
func (r *lineReader) next() (number int, text string, err error) {
	if r.modern {
		return r.nextModern()
	}
	return r.nextLegacy()
}

// take returns the next physical line with its newline, and not more than limit
// bytes of it. It is empty at the end of the file.
func (r *lineReader) take(limit int) (chunk []byte, number int) {
	number = r.number
	*r.left--
	end := bytes.IndexByte(r.data, '\n') + 1
	if end == 0 {
		end = len(r.data)
	}
	if end > limit {
		if len(bytes.TrimRight(r.data[limit:end], separators)) > 0 {
			r.problem(number, LineCut)
		}
		end = limit
	}
	chunk, r.data = r.data[:end], r.data[end:]
	if end > 0 && chunk[end-1] == '\n' {
		r.number++
	}
	if bytes.IndexByte(chunk, 0) >= 0 {
		r.problem(number, NULByte)
	}
	return chunk, number
}

// bufferSize is libpam's buffer for a logical line before 1.6, NUL included.
const bufferSize = 1024

// nextLegacy reads as libpam before 1.6 does: what does not fit into the buffer
// is read as a line of its own, and blank lines and comments do not end a line
// that is to be continued.
func (r *lineReader) nextLegacy() (first int, text string, err error) {
	var line []byte
	for {
		room := bufferSize - len(line)
		if room == 1 {
			return first, "", errEndless
		}
		if *r.left <= 0 {
			return first, "", ErrTooLarge
		}
		chunk, number := r.take(room - 1)
		if len(chunk) == 0 {
			return first, "", atEnd(len(line) > 0)
		}
		chunk = cString(chunk)
		content := bytes.TrimLeft(chunk, separators)
		if len(content) == 0 || content[0] == '#' {
			if len(line) > 0 {
				r.problem(number, ContinuedOverBlank)
			}
			continue
		}
		if len(line) == 0 {
			first = number
		}
		if bytes.IndexByte(content, '#') >= 0 {
			return first, string(append(line, uncomment(chunk)...)), nil
		}
		start, continued := cutBackslash(chunk)
		line = append(line, start...)
		if !continued {
			return first, string(line), nil
		}
	}
}

// nextModern reads as libpam since 1.6 does: lines of any length, and a blank
// line or a comment ends a line that is to be continued.
func (r *lineReader) nextModern() (first int, text string, err error) {
	var line []byte
	pending := false
	for {
		if *r.left <= 0 {
			return first, "", ErrTooLarge
		}
		chunk, number := r.take(len(r.data))
		if len(chunk) == 0 {
			return first, "", atEnd(pending)
		}
		if len(line) == 0 {
			first = number
		}
		start, continued := cutBackslash(chunk)
		start = bytes.TrimLeft(start, " \t")
		if continued && bytes.IndexByte(cString(start), '#') < 0 {
			line = append(line, start...)
			pending = true
			continue
		}
		if text := cString(append(line, uncomment(start)...)); len(text) > 0 && text[0] != '\n' {
			return first, string(text), nil
		}
		line, pending = nil, false
	}
}

func atEnd(pending bool) error {
	if pending {
		return errUnfinished
	}
	return io.EOF
}

// cutBackslash replaces a backslash at the end, and the blanks after it, by one
// space: the next line is to be appended.
func cutBackslash(chunk []byte) (start []byte, continued bool) {
	content := bytes.TrimRight(chunk, separators)
	start, continued = bytes.CutSuffix(content, []byte{'\\'})
	if !continued {
		return chunk, false
	}
	return append(bytes.Clone(start), ' '), true
}

// uncomment cuts off a comment. There is no quoting of #.
func uncomment(line []byte) []byte {
	line, _, _ = bytes.Cut(line, []byte{'#'})
	return line
}

// cString returns what C takes for the string.
func cString(b []byte) []byte {
	b, _, _ = bytes.Cut(b, []byte{0})
	return b
}
