package check

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"
)

// maxText is how much of a file is looked at: pamstack does not read more.
const maxText = 4 << 20

// read returns the bytes of a regular file, nil where there is none.
func (c *checker) read(path string) []byte {
	if info, err := c.stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(c.config.Root + path)
	if err != nil {
		return nil
	}
	defer file.Close()
	data, _ := io.ReadAll(io.LimitReader(file, maxText))
	return data
}

// text checks the bytes of a service's file that the reader does not see, or
// sees otherwise than a person.
func (c *checker) text(path string) {
	data := c.read(path)
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		c.atText(path, 1, nil, "byte-order-mark", Error, "the file begins with a byte order mark")
	}
	returns, continued := 0, false
	for i, line := range bytes.Split(data, []byte("\n")) {
		content := bytes.Trim(line, " \t")
		if bytes.HasSuffix(line, []byte("\r")) {
			if returns++; returns == 1 {
				c.atText(path, i+1, line, "carriage-return", Error, "the line ends in a carriage return")
			}
			content = bytes.TrimSuffix(content, []byte("\r"))
		}
		blank := len(content) == 0 || content[0] == '#'
		if continued && blank && c.config.Libpam.Modern {
			c.atText(path, i+1, line, "continued-over-blank", Warning, "the line before ends in a backslash, and this one is blank or a comment")
		}
		continued = !blank && bytes.HasSuffix(content, []byte(`\`))
		if !blank {
			c.textLine(path, i+1, line)
		}
	}
}

var (
	// hashInside is a # that no blank stands before.
	hashInside = lazily(`^[^#]*[^#\s]#`)
	// hashInBrackets is a # between brackets.
	hashInBrackets = lazily(`^[^#]*\[[^\]#]*#[^#\]]*\]`)
	// oddBlank is what looks like a blank and is none to libpam.
	oddBlank = lazily("[\v\f\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000\ufeff]")
)

func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

func (c *checker) textLine(path string, number int, line []byte) {
	if hashInside().Match(line) || hashInBrackets().Match(line) {
		c.atText(path, number, line, "hash-in-word", Warning, "a # stands inside a word or brackets")
	}
	line, _, _ = bytes.Cut(line, []byte("#"))
	if odd := oddBlank().Find(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))); odd != nil {
		c.atText(path, number, line, "odd-blank", Error, "%+q looks like a blank and is none to libpam", odd)
	}
}

// atText adds a finding for a line of a file, for all services that read it.
func (c *checker) atText(path string, number int, line []byte, id string, severity Severity, format string, args ...any) {
	found := Finding{ID: id, Severity: severity, File: path, Line: number, Text: string(line), Problem: fmt.Sprintf(format, args...)}
	for _, reader := range c.readers(path) {
		c.found.add(reader, "", found)
	}
}
