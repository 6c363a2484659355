package watch

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/stackview"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// display shows calls.
type display interface {
	show(*call, time.Time) error
}

// passes name the flags that say what a call of setcred or chauthtok is about.
var passes = map[pamstack.Call][]struct {
	flag int
	name string
}{
	pamstack.Setcred:   {{0x2, "establish"}, {0x4, "delete"}, {0x8, "reinitialize"}, {0x10, "refresh"}},
	pamstack.Chauthtok: {{0x4000, "prelim"}, {0x2000, "update"}},
}

func (c *call) functionNames() (names []string) {
	for _, f := range c.probe.functions.list() {
		name := f.String()
		for _, p := range passes[f] {
			if c.flags&p.flag != 0 {
				name += ":" + p.name
			}
		}
		names = append(names, name)
	}
	return names
}

// outcome is the code, or what there is instead of one.
func (c *call) outcome() string {
	switch c.end {
	case vanished:
		return "no return"
	case running:
		return "running"
	}
	return stackview.PAMName(c.code)
}

// plain is the display for a person. Names are made harmless: anybody can try to
// log in with any name.
type plain struct{ out io.Writer }

const plainLine = "%-15s  %7s  %-12s  %-14s  %-12s  %-20s  %-20s  %-20s  %s\n"

func (p plain) head() error {
	_, err := fmt.Fprintf(p.out, plainLine, "TIME", "PID", "PROGRAM", "SERVICE", "USER", "MODULE", "FUNCTION", "CODE", "TOOK")
	return err
}

func (p plain) show(c *call, began time.Time) error {
	took := c.took.Round(time.Microsecond).String()
	if c.end == onlyReturned {
		took = "-"
	}
	_, err := fmt.Fprintf(p.out, plainLine, began.Format("15:04:05.000000"), fmt.Sprint(c.process), orDash(c.program), orDash(c.service),
		orDash(c.user), orDash(filepath.Base(c.probe.path)), strings.Join(c.functionNames(), "|"), c.outcome(), took)
	return err
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return stackview.OneLine(text)
}

// jsonLines is the display for programs: one object per line.
type jsonLines struct{ out io.Writer }

// jsonCall leaves out what was not seen.
type jsonCall struct {
	Time     string   `json:"time"`
	PID      int      `json:"pid"`
	Program  string   `json:"program,omitempty"`
	Service  string   `json:"service,omitempty"`
	User     string   `json:"user,omitempty"`
	Module   string   `json:"module"`
	Function []string `json:"functions"`
	Flags    *int     `json:"flags,omitempty"`
	Outcome  string   `json:"outcome"`
	Code     string   `json:"code,omitempty"`
	Number   *int     `json:"number,omitempty"`
	Duration *int64   `json:"duration_us,omitempty"`
}

func (j jsonLines) show(c *call, began time.Time) error {
	o := jsonCall{
		Time: began.UTC().Format("2006-01-02T15:04:05.000000Z"), PID: c.process, Program: c.program, Service: c.service, User: c.user,
		Module: c.probe.path, Outcome: [...]string{"returned", "returned", "no return", "running"}[c.end],
	}
	for _, f := range c.probe.functions.list() {
		o.Function = append(o.Function, f.String())
	}
	if c.end == returned || c.end == onlyReturned {
		number := int(c.code)
		o.Code, o.Number = stackview.PAMName(c.code), &number
	}
	if c.end != onlyReturned {
		took := c.took.Microseconds()
		o.Flags, o.Duration = &c.flags, &took
	}
	return json.NewEncoder(j.out).Encode(o)
}
