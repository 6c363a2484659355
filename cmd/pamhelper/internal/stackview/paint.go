package stackview

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// Paint is how text looks on what it is written to.
type Paint struct {
	Colour bool
	// ASCII says that lines and arrows have to do with ASCII.
	ASCII bool
}

// PaintFor returns what fits out and the environment: colours for a terminal
// unless NO_COLOR is set, and more than ASCII where the locale has UTF-8.
func PaintFor(out io.Writer) Paint {
	file, ok := out.(*os.File)
	onTerminal := ok && term.IsTerminal(int(file.Fd()))
	return Paint{
		Colour: onTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		ASCII:  !utf8Locale(),
	}
}

func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// The looks of text, SGR sequences of ECMA-48.
const (
	Bold   = "1"
	Dim    = "2"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Cyan   = "36"
)

// In paints text, which must be harmless already; see OneLine.
func (p Paint) In(look, text string) string {
	if !p.Colour || look == "" || text == "" {
		return text
	}
	return "\x1b[" + look + "m" + text + "\x1b[0m"
}

// drawn has what stands for each drawn character where there is only ASCII. All
// are one column wide.
var drawn = strings.NewReplacer("│", "|", "─", "-", "┌", ",", "├", "+", "└", "`", "┼", "+", "┬", "+", "┴", "+", "▶", ">", "→", ">", "…", "~")

// Draw returns what the characters of a drawing, or an arrow, look like here.
func (p Paint) Draw(text string) string {
	if p.ASCII {
		return drawn.Replace(text)
	}
	return text
}

// Width is how many columns unpainted text takes, wide characters not regarded.
func Width(text string) int { return utf8.RuneCountInString(text) }

// Pad fills unpainted text up to a width.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-Width(text)))
}

// Count is a number of things, as in "1 error" and "2 errors".
func Count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// OneLine makes text from a file harmless and keeps it on its line.
func OneLine(text string) string {
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(ipc.Printable([]byte(strings.ReplaceAll(text, "\r", "\\r"))))
}
