package stackview

import (
	"path"
	"strconv"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Names names the parts of one stack.
type Names struct{ dir string }

// NamesIn returns the names for a stack: its files are called by their base
// name where they are in the directory of the service's file.
func NamesIn(stack *pamstack.Stack) Names {
	file := stack.File
	if file == "" {
		file = stack.OtherFile
	}
	return Names{path.Dir(file)}
}

// File returns the short name of a file, or its path. What is not in the
// service's directory keeps its path, so that no two files share a name.
func (n Names) File(file string) string {
	if path.Dir(file) == n.dir {
		file = path.Base(file)
	}
	return OneLine(file)
}

// Place returns "file:line".
func (n Names) Place(line *pamstack.Line) string {
	if line.Number == 0 {
		return n.File(line.File)
	}
	return n.File(line.File) + ":" + strconv.Itoa(line.Number)
}

// IsPlace says whether text names the line: with the name of its file, or with
// the path.
func (n Names) IsPlace(text string, line *pamstack.Line) bool {
	return text == n.Place(line) || text == line.File+":"+strconv.Itoa(line.Number)
}

// Control returns a handler's control field in short: the word, or what stands
// in brackets.
func Control(h *pamstack.Handler) string {
	switch word := strings.ToLower(h.Control); word {
	case "required", "requisite", "sufficient", "optional", "include", "substack":
		return word
	}
	text := OneLine(strings.Join(strings.Fields(h.Control), " "))
	if !strings.Contains(text, "=") {
		return text // a word that is none, or nothing
	}
	return "[" + text + "]"
}

// Arguments returns a handler's arguments as they would stand in a file.
func Arguments(h *pamstack.Handler) string {
	var list []string
	for _, argument := range h.Arguments {
		if argument == "" || strings.ContainsAny(argument, " \t\n]") || argument[0] == '[' {
			argument = "[" + strings.ReplaceAll(argument, "]", `\]`) + "]"
		}
		list = append(list, OneLine(argument))
	}
	return strings.Join(list, " ")
}

// Included returns the field that includes, such as "@include", and the name of
// the file, for a line that includes.
func Included(line *pamstack.Line) (how, file string, ok bool) {
	how, file, _, ok = line.Included()
	return how, OneLine(file), ok
}

// Label returns what a handler calls: its module, or what is in its place.
func Label(h *pamstack.Handler) string {
	if _, file, ok := Included(h.Line); ok {
		return file
	}
	return OneLine(h.Path)
}

// PAMName returns a code as C programs call it, such as "PAM_AUTH_ERR".
func PAMName(code pamstack.Code) string {
	if _, named := pamstack.CodeNamed(code.String()); !named {
		return code.String()
	}
	return "PAM_" + strings.ToUpper(code.String())
}
