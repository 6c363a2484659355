package try

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/terminal"
)

// conversation shows what modules say and answers them.
type conversation struct {
	show    display
	answers answers
}

var _ ipc.Conversation = (*conversation)(nil)

func (c *conversation) Prompt(ctx context.Context, echo bool, text []byte) ([]byte, error) {
	style := "echo_off"
	if echo {
		style = "echo_on"
	}
	answer, err := c.answers.next(ctx, echo, func() { c.show.prompt(style, text) })
	if _, onTerminal := c.answers.(typed); !onTerminal || !echo || err != nil {
		c.show.answered() // nobody's Enter ended the line
	}
	return answer, err
}

func (c *conversation) Info(text []byte) { c.show.message("info", text) }

func (c *conversation) Error(text []byte) { c.show.message("error", text) }

// errUnusable is an answer that could not be had for a reason of the command
// line's.
var errUnusable = errors.New("cannot answer the prompt")

// answers gives an answer for each prompt.
type answers interface {
	// next calls ask when an answer can be given.
	next(ctx context.Context, echo bool, ask func()) ([]byte, error)
	io.Closer
}

// newAnswers reads from the named file, or from the terminal where there is no
// name.
func newAnswers(name string, stdin *os.File) (answers, error) {
	switch name {
	case "":
		return typed{stdin}, nil
	case "-":
		return &lines{file: stdin}, nil
	}
	// Without waiting for a writer, where it is a fifo.
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s is a directory, not a file of answers", name)
	}
	return &lines{file: f}, nil
}

// maxLine is the longest answer a helper takes, in bytes.
const maxLine = 64 << 10

// lines answers with the lines of a file.
type lines struct {
	file *os.File
}

func (l *lines) Close() error { return l.file.Close() }

func (l *lines) next(ctx context.Context, _ bool, ask func()) ([]byte, error) {
	ask()
	// One byte at a time and never grown: the line is the only copy.
	line := make([]byte, 0, maxLine+1)
	for len(line) <= maxLine {
		if err := terminal.WaitReadable(ctx, l.file); err != nil {
			clear(line)
			return nil, err
		}
		n, err := unix.Read(int(l.file.Fd()), line[len(line):len(line)+1])
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case err != nil:
			clear(line)
			return nil, fmt.Errorf("%w: answers file: %w", errUnusable, err)
		case n == 0 && len(line) == 0:
			return nil, errors.New("no answer left in the answers file")
		case n == 0:
			return line, nil
		}
		if line = line[:len(line)+n]; line[len(line)-1] == '\n' {
			return line[:len(line)-1], nil
		}
	}
	clear(line)
	return nil, fmt.Errorf("%w: answers file: a line of more than %d bytes", errUnusable, maxLine)
}

// typed asks the person.
type typed struct{ tty *os.File }

func (t typed) Close() error { return nil }

func (t typed) next(ctx context.Context, echo bool, ask func()) ([]byte, error) {
	answer, err := terminal.ReadLine(ctx, t.tty, echo, ask)
	if errors.Is(err, terminal.ErrNoTerminal) {
		return nil, fmt.Errorf("%w: %w; use --answers FILE (- is standard input)", errUnusable, err)
	}
	return answer, err
}
