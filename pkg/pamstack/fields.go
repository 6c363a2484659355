package pamstack

import "strings"

// Fields returns the fields of the line as libpam cuts them: the type first,
// then control, module and arguments as far as they are there. The service that
// stands before them in /etc/pam.conf is left out.
func (l *Line) Fields() []string {
	fields := l.fields()
	return fields.all()
}

func (l *Line) fields() tokens {
	fields := tokens{l.Text}
	if l.File == pamConf && l.Via == nil {
		fields.next()
	}
	return fields
}

// Included returns the field that includes, such as "@include", the name of the
// file, which is empty where none is named, and what stands behind it, which
// libpam does not look at. Only Debian's libpam knows "@include".
func (l *Line) Included() (how, file string, rest []string, ok bool) {
	fields := l.fields()
	kind, _ := fields.next()
	if how = lower(strings.TrimPrefix(kind, "-")); how != "@include" {
		control, _ := fields.next()
		how = lower(control)
	}
	switch how {
	case "@include", "include", "substack":
		file, _ = fields.next()
		return how, file, fields.all(), true
	}
	return "", "", nil, false
}

// Control returns the second field, and whether it stands in brackets; without a
// closing one it is all the rest of the line.
func (l *Line) Control() (text string, bracketed, closed bool) {
	fields := l.fields()
	fields.next()
	before := strings.TrimLeft(fields.rest, separators)
	text, _ = fields.next()
	taken := before[:len(before)-len(fields.rest)]
	return text, strings.HasPrefix(before, "["), strings.HasSuffix(taken, "]") && !strings.HasSuffix(taken, `\]`)
}
