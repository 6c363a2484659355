package check

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// arguments checks what the arguments of a module name.
func (s *service) arguments(h *pamstack.Handler) {
	if h.Module.Err != nil {
		return
	}
	s.argumentFiles(h)
	switch moduleName(h) {
	case "pam_unix":
		if h.Facility == pamstack.Auth && (has(h, "nullok") || has(h, "nullok_secure")) {
			s.at(h, "nullok", Info, "accounts with an empty password are let in")
		}
	case "pam_exec":
		s.exec(h)
	case "pam_limits":
		s.limits(h)
	case "pam_namespace":
		s.namespace(h)
	case "pam_loginuid":
		s.loginuid(h)
	}
}

// argumentFile is an argument that names a file which has to be there.
type argumentFile struct {
	name     string
	severity Severity // of its absence
	suffix   string   // that the module appends
}

var argumentFiles = map[string][]argumentFile{
	"pam_access":      {{"accessfile", Error, ""}},
	"pam_echo":        {{"file", Warning, ""}},
	"pam_env":         {{"conffile", Warning, ""}, {"envfile", Info, ""}},
	"pam_faillock":    {{"conf", Error, ""}},
	"pam_issue":       {{"issue", Warning, ""}},
	"pam_limits":      {{"conf", Error, ""}},
	"pam_listfile":    {{"file", Error, ""}},
	"pam_mkhomedir":   {{"skel", Warning, ""}},
	"pam_pwdfile":     {{"pwdfile", Error, ""}},
	"pam_pwquality":   {{"dictpath", Warning, ".pwd"}},
	"pam_pwhistory":   {{"conf", Error, ""}},
	"pam_radius_auth": {{"conf", Error, ""}},
	"pam_sepermit":    {{"conf", Error, ""}},
	"pam_time":        {{"conffile", Error, ""}},
	"pam_u2f":         {{"authfile", Error, ""}},
	"pam_userdb":      {{"db", Error, ".db"}},
	"pam_yubico":      {{"authfile", Error, ""}},
}

// argumentFiles reports files that are not there. Names that a module expands
// are left alone.
func (s *service) argumentFiles(h *pamstack.Handler) {
	for _, argument := range argumentFiles[moduleName(h)] {
		path := value(h, argument.name)
		if !filepath.IsAbs(path) || strings.ContainsAny(path, "%$~") || strings.HasPrefix(path, "/run/") {
			continue
		}
		_, err := s.stat(path + argument.suffix)
		if err == nil {
			continue
		}
		if errors.Is(err, fs.ErrPermission) {
			s.about(h, path, "argument-file-missing", Warning, unseen, path+argument.suffix)
			continue
		}
		severity := argument.severity
		if !mandatory(h) || has(h, "onerr=succeed") {
			severity = min(severity, Warning)
		}
		s.about(h, path, "argument-file-missing", severity, "%s of %s is not there: %s", argument.name, moduleName(h), path+argument.suffix)
	}
}

// asks are arguments with which a module takes the password that an earlier
// module got, and asks for none.
var asks = map[pamstack.Facility][]string{
	pamstack.Auth:     {"use_first_pass"},
	pamstack.Account:  nil,
	pamstack.Password: {"use_authtok", "use_first_pass"},
	pamstack.Session:  nil,
}

// firstPass reports modules that wait for a password which nobody asks for.
func (s *service) firstPass() {
	for _, f := range []pamstack.Facility{pamstack.Auth, pamstack.Password} {
		for _, h := range s.own(f) {
			if h.Kind != pamstack.KindModule || h.Module.Err != nil {
				continue
			}
			i := slices.IndexFunc(asks[f], func(argument string) bool { return has(h, argument) })
			if i >= 0 {
				s.at(h, "first-pass-missing", Error, "%s with nothing before it that asks for a password", asks[f][i])
			}
			if i >= 0 || roleOf(h) == verifies || isModule(h, "pam_mount", "pam_gnome_keyring", "pam_kwallet", "pam_kwallet5", "pam_ecryptfs") {
				break // the first that asks, or should
			}
		}
	}
}

// unseen is for a file in a directory that this user may not look into. Modules mostly
// run as root, who may.
const unseen = "whether %s is there is not for this user to see; check it as root"

// exec checks the command of pam_exec.
func (s *service) exec(h *pamstack.Handler) {
	command := execCommand(h.Arguments)
	switch {
	case command == "":
		s.at(h, "exec-command", execSeverity(h), "no command is given")
		return
	case !filepath.IsAbs(command):
		s.at(h, "exec-command", execSeverity(h), "%q is no absolute path", command)
		return
	}
	if who := s.changeable(command); who != "" {
		s.at(h, "exec-writable", Error, "%s", who)
	}
	info, err := s.stat(command)
	switch {
	case errors.Is(err, fs.ErrPermission):
		s.at(h, "exec-command", Warning, unseen, command)
		return
	case err != nil:
		s.at(h, "exec-command", execSeverity(h), "%s is not there", command)
		return
	case !info.Mode().IsRegular():
		s.at(h, "exec-command", execSeverity(h), "%s is no file", command)
		return
	case info.Mode()&0o111 == 0:
		s.at(h, "exec-command", execSeverity(h), "%s is not executable", command)
	}
	if h.Facility == pamstack.Session && value(h, "type") == "" {
		s.at(h, "exec-both-ways", Info, "%s runs when a session opens, and again when it closes", command)
	}
}

// execSeverity is how bad it is that a command does not run.
func execSeverity(h *pamstack.Handler) Severity {
	if mandatory(h) {
		return Error
	}
	return Warning
}

// execCommand returns the command among pam_exec's arguments: the first that is
// no option (Linux-PAM, modules/pam_exec).
func execCommand(arguments []string) string {
	for _, a := range arguments {
		name, _, _ := strings.Cut(strings.ToLower(a), "=")
		switch name {
		case "debug", "stdout", "log", "type", "seteuid", "quiet", "quiet_log", "expose_authtok":
			continue
		}
		return a
	}
	return ""
}

// loginuid reports pam_loginuid where the kernel may refuse to set it: in a
// container without CAP_AUDIT_CONTROL, but with the host's user ids.
func (s *service) loginuid(h *pamstack.Handler) {
	if !mandatoryCode(h, pamstack.SessionErr) {
		return
	}
	if _, err := s.stat("/proc/self/loginuid"); err != nil {
		return // then the module ignores it
	}
	if strings.Join(strings.Fields(string(s.read("/proc/self/uid_map"))), " ") != "0 0 4294967295" || s.hasAuditControl() {
		return
	}
	s.at(h, "loginuid-container", Info, "there is no CAP_AUDIT_CONTROL here, as in a container")
}

func mandatoryCode(h *pamstack.Handler, code pamstack.Code) bool {
	action := h.Table[code]
	return action == pamstack.ActionBad || action == pamstack.ActionDie
}
