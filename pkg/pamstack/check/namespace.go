package check

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// namespaceMethods are how pam_namespace.so can make directories
// (namespace.conf(5)).
var namespaceMethods = []string{"user", "level", "context", "tmpfs", "tmpdir"}

// namespace checks the directories that pam_namespace.so wants.
func (s *service) namespace(h *pamstack.Handler) {
	files := []string{"/etc/security/namespace.conf"}
	more, _ := filepath.Glob(s.config.Root + "/etc/security/namespace.d/*.conf")
	for _, path := range more {
		files = append(files, strings.TrimPrefix(path, s.config.Root))
	}
	for _, path := range files {
		for i, line := range strings.Split(string(s.read(path)), "\n") {
			if problem := s.namespaceLine(h, line); problem != "" {
				s.found.add(s.name, "", Finding{ID: "namespace-directory", Severity: Error, File: path, Line: i + 1, Text: line, Problem: problem})
			}
		}
	}
}

// namespaceLine says why a session fails because of a line.
func (s *service) namespaceLine(h *pamstack.Handler, line string) string {
	line, _, _ = strings.Cut(line, "#")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return ""
	}
	if len(fields) < 3 {
		if has(h, "ignore_config_error") {
			return ""
		}
		return "a line has a directory, a prefix and a method"
	}
	dir, prefix := fields[0], fields[1]
	method, flags, _ := strings.Cut(fields[2], ":")
	if !slices.Contains(namespaceMethods, method) {
		return fmt.Sprintf("%q is no method: it is one of %s", method, strings.Join(namespaceMethods, ", "))
	}
	if strings.ContainsAny(dir+prefix, "$~") {
		return "" // depends on the user
	}
	if info, err := s.stat(dir); (err != nil || !info.IsDir()) && !strings.Contains(flags, "create") {
		return fmt.Sprintf("the directory %s is not there", dir)
	}
	if method == "tmpfs" || has(h, "ignore_instance_parent_mode") {
		return ""
	}
	return s.instanceParent(filepath.Dir(prefix + "x"))
}

// instanceParent says what pam_namespace.so does not accept about the directory
// of the instances. Where there is none it makes one.
func (s *service) instanceParent(dir string) string {
	info, err := s.stat(dir)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && stat.Uid != s.owners.uid || info.Mode().Perm() != 0 {
		return fmt.Sprintf("the directory of the instances %s has to be root's, with mode 000; it has %03o", dir, info.Mode().Perm())
	}
	return ""
}
