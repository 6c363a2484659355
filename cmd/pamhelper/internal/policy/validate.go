package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	pb "github.com/pamhelper/pamhelper/proto"
)

// validate says everything that makes no sense in what was read, before the
// defaults are there: a default is no mistake of who wrote the file.
func (f *File) validate() error {
	v := validator{file: f}
	v.services(f.Policy.GetService())
	v.limits(f.Policy.GetLimits())
	v.deadlines(f.Policy.GetDeadlines())
	v.users("agent", f.Policy.GetAgent())
	if v.more {
		v.problems = append(v.problems, &Problem{Name: f.Name, Text: "has more problems than these; mend them first"})
	}
	return errors.Join(v.problems...)
}

// validator collects problems.
type validator struct {
	file     *File
	problems []error
	more     bool // than are told
}

// maxProblems is how many are told at once. To find the place of each takes as long
// as the file is.
const maxProblems = 100

// add notes a problem of the field with that path.
func (v *validator) add(path, format string, args ...any) {
	if len(v.problems) >= maxProblems {
		v.more = true
		return
	}
	v.problems = append(v.problems, v.file.Problem(path, fmt.Sprintf(format, args...)))
}

// Problem is a problem of a field, by its path, such as "service[0].tty".
func (f *File) Problem(path, text string) *Problem {
	line, column := f.place(path)
	return &Problem{Name: f.Name, Line: line, Column: column, Field: f.label(path), Text: text}
}

// place is where the value of a field stands, or that of what the field is left
// out of, or zero.
func (f *File) place(path string) (line, column int) {
	for {
		if at, found := f.places().at[path]; found {
			return position(f.places().text, at)
		}
		dot := strings.LastIndexByte(path, '.')
		if dot < 0 {
			return 0, 0
		}
		path = path[:dot]
	}
}

// label is the path with the name of the service in it.
func (f *File) label(path string) string {
	number, isService := strings.CutPrefix(path, "service[")
	number, rest, found := strings.Cut(number, "]")
	i, err := strconv.Atoi(number)
	if !isService || !found || err != nil || i >= len(f.Policy.Service) || f.Policy.Service[i].GetName() == "" {
		return path
	}
	return fmt.Sprintf("service[%d] %s%s", i, quote(f.Policy.Service[i].GetName()), rest)
}

// number is a field with a range.
type number struct {
	path        string
	value       *uint32
	least, most uint32
}

func (v *validator) inRange(numbers ...number) {
	for _, n := range numbers {
		if n.value != nil && (*n.value < n.least || *n.value > n.most) {
			v.add(n.path, "%d is not from %d to %d", *n.value, n.least, n.most)
		}
	}
}

func (v *validator) limits(l *pb.PolicyLimits) {
	if l == nil {
		return
	}
	const most = 100000
	v.inRange(
		number{"limits.logins", l.Logins, 1, most},
		number{"limits.unopened_logins", l.UnopenedLogins, 1, most},
		number{"limits.logins_per_user", l.LoginsPerUser, 1, most},
		number{"limits.starts_per_second", l.StartsPerSecond, 1, most},
		number{"limits.starts_at_once", l.StartsAtOnce, 1, most},
	)
	logins := uint32(defaultLogins)
	if l.Logins != nil {
		logins = *l.Logins
	}
	if l.UnopenedLogins != nil && *l.UnopenedLogins > logins {
		v.add("limits.unopened_logins", "%d is more than logins, %d, of which they are a part", *l.UnopenedLogins, logins)
	}
}

func (v *validator) deadlines(d *pb.Deadlines) {
	if d == nil {
		return
	}
	v.inRange(
		number{"deadlines.login", d.Login, 1, 3600},
		number{"deadlines.prompt", d.Prompt, 1, 3600},
		number{"deadlines.close", d.Close, 5, 300},
		number{"deadlines.hangup", d.Hangup, 0, 60},
		number{"deadlines.terminate", d.Terminate, 0, 60},
	)
}

// unique refuses what is given twice in a list.
func (v *validator) unique(path string, list []string) {
	seen := map[string]bool{}
	for i, item := range list {
		if seen[item] {
			v.add(element(path, i), "%s is given twice; leave one", quote(item))
		}
		seen[item] = true
	}
}

// element is the path of one of a repeated field's values.
func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// quote is a text from the file for a message: of one line, and not long.
func quote(text string) string {
	const most = 64
	if len(text) > most {
		return strconv.Quote(strings.ToValidUTF8(text[:most], "")) + "..."
	}
	return strconv.Quote(text)
}
