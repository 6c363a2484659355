package check

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// What pam_limits.so knows (limits.conf(5); chroot is Debian's).
var (
	limitTypes = []string{"soft", "hard", "-"}
	limitItems = []string{
		"core", "data", "fsize", "memlock", "nofile", "rss", "stack", "cpu", "nproc", "as", "maxlogins", "maxsyslogins",
		"nonewprivs", "priority", "locks", "sigpending", "msgqueue", "nice", "rtprio", "chroot",
	}
	unlimited = []string{"-1", "-", "unlimited", "infinity"}
)

// limits checks the files of pam_limits.so: the directory is read only with the
// usual file.
func (s *service) limits(h *pamstack.Handler) {
	files := []string{"/etc/security/limits.conf"}
	if conf := value(h, "conf"); conf != "" {
		files = []string{conf}
	} else {
		more, _ := filepath.Glob(s.config.Root + "/etc/security/limits.d/*.conf")
		for _, path := range more {
			files = append(files, strings.TrimPrefix(path, s.config.Root))
		}
	}
	for _, path := range files {
		for i, line := range strings.Split(string(s.read(path)), "\n") {
			if problem := limitsLine(line); problem != "" {
				s.found.add(s.name, "", Finding{ID: "limits-line", Severity: Warning, File: path, Line: i + 1, Text: line, Problem: problem})
			}
		}
		if who := s.changeable(path); who != "" {
			s.found.add(s.name, "", Finding{ID: "file-writable", Severity: Error, File: path, Problem: who})
		}
	}
}

// limitsLine says why pam_limits.so skips a line.
func limitsLine(line string) string {
	line, _, _ = strings.Cut(line, "#")
	fields := strings.Fields(line)
	switch {
	case len(fields) == 0, len(fields) == 2 && strings.HasPrefix(fields[1], "-"):
		return "" // the second exempts somebody from all limits
	case len(fields) < 4:
		return fmt.Sprintf("a line has 4 fields, this one %d", len(fields))
	}
	kind, item, limit := strings.ToLower(fields[1]), strings.ToLower(fields[2]), strings.ToLower(fields[3])
	switch {
	case !slices.Contains(limitTypes, kind):
		return fmt.Sprintf("%q is no type: it is one of %s", kind, strings.Join(limitTypes, ", "))
	case !slices.Contains(limitItems, item):
		return fmt.Sprintf("%q is no limit", item)
	case item == "chroot":
		return ""
	case slices.Contains(unlimited, limit) && item != "priority" && item != "nice":
		return ""
	}
	digits := strings.TrimLeft(strings.TrimLeft(limit, "+-"), "0123456789")
	if _, err := strconv.Atoi(strings.TrimSuffix(limit, digits)); err != nil {
		return fmt.Sprintf("%q is no number", limit)
	}
	if digits != "" {
		return fmt.Sprintf("of %q only the digits count", limit)
	}
	return ""
}
