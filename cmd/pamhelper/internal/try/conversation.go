package try

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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
	f, err := os.Open(name)
	if err != nil {
		return nil, err
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

func (l *lines) next(_ context.Context, _ bool, ask func()) ([]byte, error) {
	ask()
	// One byte at a time and never grown: the line is the only copy.
	line := make([]byte, 0, maxLine+1)
	for len(line) <= maxLine {
		n, err := l.file.Read(line[len(line) : len(line)+1])
		switch line = line[:len(line)+n]; {
		case n > 0 && line[len(line)-1] == '\n':
			return line[:len(line)-1], nil
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, errors.New("no answer left in the answers file")
		case errors.Is(err, io.EOF):
			return line, nil
		case err != nil:
			clear(line)
			return nil, fmt.Errorf("answers file: %w", err)
		}
	}
	clear(line)
	return nil, fmt.Errorf("answers file: a line of more than %d bytes", maxLine)
}

// typed asks the person.
type typed struct{ tty *os.File }

func (t typed) Close() error { return nil }

func (t typed) next(ctx context.Context, echo bool, ask func()) ([]byte, error) {
	answer, err := terminal.ReadLine(ctx, t.tty, echo, ask)
	if errors.Is(err, terminal.ErrNoTerminal) {
		return nil, fmt.Errorf("%w; use --answers FILE (- is standard input)", err)
	}
	return answer, err
}
