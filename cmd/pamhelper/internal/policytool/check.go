package policytool

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
)

// checker is "pamhelper policy check".
type checker struct {
	draft, json bool
	source      stackview.Source // of the PAM services
	file        *policy.File
	found       []finding
}

// finding is a problem of a policy.
type finding struct {
	*policy.Problem
	refused bool // an error: it would not be served
}

func (f finding) severity() string {
	if f.refused {
		return "error"
	}
	return "warning"
}

func (c *checker) run(out io.Writer, name string) error {
	file, err := open(name, c.draft)
	if err != nil {
		for _, p := range problems(err) {
			c.found = append(c.found, finding{p, true})
		}
		return c.print(out)
	}
	c.file = file
	for i, s := range file.Policy.Service {
		c.service(fmt.Sprintf("service[%d]", i), s)
	}
	c.agents()
	return c.print(out)
}

// problems takes apart what package policy says.
func problems(err error) (list []*policy.Problem) {
	var p *policy.Problem
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, problems(e)...)
		}
		return list
	}
	if !errors.As(err, &p) {
		p = &policy.Problem{Text: err.Error()}
	}
	return append(list, p)
}

func (c *checker) warn(path, format string, args ...any) {
	c.found = append(c.found, finding{c.file.Problem(path, fmt.Sprintf(format, args...)), false})
}

func (c *checker) refuse(path, format string, args ...any) {
	c.found = append(c.found, finding{c.file.Problem(path, fmt.Sprintf(format, args...)), true})
}

// print prints what was found, and the verdict.
func (c *checker) print(out io.Writer) error {
	w := bufio.NewWriter(out)
	verdict, warnings := error(nil), 0
	for _, f := range c.found {
		if f.refused {
			verdict = ErrRefused
		} else {
			warnings++
		}
		if err := c.printOne(w, f); err != nil {
			return err
		}
	}
	if verdict == nil && !c.json {
		fmt.Fprintf(w, "%s: ok, %s", stackview.OneLine(c.file.Name), stackview.Count(len(c.file.Policy.Service), "service"))
		if warnings > 0 {
			fmt.Fprintf(w, ", %s", stackview.Count(warnings, "warning"))
		}
		fmt.Fprintln(w)
	}
	return errors.Join(w.Flush(), verdict)
}

// line is one of --json.
type line struct {
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Field    string `json:"field,omitempty"`
	Problem  string `json:"problem"`
}

func (c *checker) printOne(w io.Writer, f finding) error {
	if !c.json {
		field := f.Field
		if field != "" {
			field += ": "
		}
		_, err := fmt.Fprintln(w, stackview.OneLine(fmt.Sprintf("%s: %s: %s%s", f.Place(), f.severity(), field, f.Text)))
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line{f.severity(), f.Name, f.Line, f.Column, f.Field, f.Text})
}
