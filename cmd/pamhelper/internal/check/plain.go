package check

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack/check"
)

// width is where text is broken.
const width = 100

// looks are those of the severities.
var looks = map[check.Severity]string{check.Error: stackview.Red, check.Warning: stackview.Yellow, check.Info: stackview.Cyan}

// printPlain prints findings for a person, by file.
func printPlain(out io.Writer, found []check.Finding, paint stackview.Paint) error {
	w := bufio.NewWriter(out)
	file, explained := "", map[string]bool{}
	for _, f := range found {
		if f.File != file {
			file = f.File
			fmt.Fprintln(w, paint.In(stackview.Bold, stackview.OneLine(file)))
		}
		place := ""
		if f.Line > 0 {
			place = fmt.Sprintf("line %d: ", f.Line)
		}
		fmt.Fprintf(w, "  %s%s %s\n", place, paint.In(looks[f.Severity], f.Severity.String()), f.ID)
		if f.Text != "" {
			fmt.Fprintf(w, "      | %s\n", stackview.OneLine(strings.ReplaceAll(shorten(f.Text), "\t", " ")))
		}
		wrap(w, f.Problem+".")
		if !explained[f.ID] { // once is enough
			explained[f.ID] = true
			wrap(w, f.Effect)
			wrap(w, "To do: "+f.Remedy)
		}
		if len(f.Services) > 0 {
			wrap(w, "Services: "+strings.Join(f.Services, ", "))
		}
	}
	if len(found) == 0 {
		fmt.Fprintln(w, "nothing found")
	} else {
		fmt.Fprintln(w, count(found))
	}
	return w.Flush()
}

// wrap prints a paragraph.
func wrap(w io.Writer, text string) {
	line := ""
	for word := range strings.FieldsSeq(stackview.OneLine(text)) {
		if line != "" && len(line)+1+len(word) > width-6 {
			fmt.Fprintf(w, "      %s\n", line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	fmt.Fprintf(w, "      %s\n", line)
}

// shorten keeps the beginning of a long line.
func shorten(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
