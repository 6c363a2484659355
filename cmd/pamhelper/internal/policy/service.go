package policy

import (
	"regexp"
	"strings"
	"sync"

	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	pb "github.com/pamhelper/pamhelper/proto"
)

func (v *validator) services(services []*pb.Service) {
	if len(services) == 0 {
		v.problems = append(v.problems, &Problem{Name: v.file.Name,
			Text: `no service; a policy names those that are served, such as: service { name: "sshd" }`})
	}
	seen := map[string]int{}
	for i, s := range services {
		path := element("service", i)
		v.service(path, s)
		if first, twice := seen[s.GetName()]; twice {
			v.add(path+".name", "is served twice, also as service[%d]; leave one", first)
			continue
		}
		seen[s.GetName()] = i
	}
}

func (v *validator) service(path string, s *pb.Service) {
	v.serviceName(path+".name", s.GetName())
	v.proof(path, s)
	if s.Tty != nil {
		v.tty(path+".tty", s.GetTty())
	}
	v.users(path+".users.allow", s.GetUsers().GetAllow())
	v.users(path+".users.deny", s.GetUsers().GetDeny())
	v.groups(path+".users.allow_group", s.GetUsers().GetAllowGroup())
	v.groups(path+".users.deny_group", s.GetUsers().GetDenyGroup())
	v.commands(path+".commands.line", s.GetCommands().GetLine())
	v.variables(path+".variable", s.GetVariable())
	v.moduleGetenv(path+".module_getenv", s)
	v.clientVariables(path+".client_variables.name", s.GetClientVariables().GetName())
}

// serviceName checks what pam_start makes a file's name of: it takes what is behind
// the last slash, in lower case, and a service without a file is "other".
func (v *validator) serviceName(path, name string) {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case name == "":
		v.add(path, `is missing; it is the name of a file in /etc/pam.d, such as "sshd"`)
	case len(name) > names.Max:
		v.add(path, "is longer than %d bytes", names.Max)
	case strings.Contains(name, "/"):
		v.add(path, `has a "/"; it is the name of a file in /etc/pam.d, without its directory`)
	case name == "." || name == "..":
		v.add(path, "is a directory; it is the name of a file in /etc/pam.d")
	case strings.IndexFunc(name, odd) >= 0:
		v.add(path, "has a character that is not a printable one of ASCII, or a space")
	case name != strings.ToLower(name):
		v.add(path, "has capitals, and libpam reads a service in lower case; write %q", strings.ToLower(name))
	case name == "other":
		v.add(path, `is what libpam reads for services without a file; name one that has a file`)
	}
}

// proof checks what PAM itself has to do for it.
func (v *validator) proof(path string, s *pb.Service) {
	switch s.GetProof() {
	case pb.Service_PAM:
		// The worker finds this in the stack, too; the name is enough, and tells it
		// before a login.
		if why := names.ForRoot(s.GetName()); why != "" {
			v.add(path+".name", "%s, so that it proves nothing; make a service of your own", why)
		}
	case pb.Service_AGENT:
		if s.GetAccountFirst() {
			v.add(path+".account_first", "is for proof PAM; with AGENT nothing is authenticated that account could come before")
		}
		if s.GetAllowEmptyPassword() {
			v.add(path+".allow_empty_password", "is for proof PAM; with AGENT no password is asked for")
		}
	default:
		v.add(path+".proof", "%d is none; there are PAM and AGENT", s.GetProof())
	}
}

// maxTTY is the size of ut_line in utmp(5).
const maxTTY = 32

// machineTTY are names of terminals that are a part of a machine, or of its
// desktop. pam_systemd makes a login with one of them a login at the seat,
// pam_securetty and pam_access believe it.
var machineTTY = lazily(`^(tty.*|vc[0-9]*|hvc[0-9]+|hvsi[0-9]+|xvc[0-9]+|x?console|lp[0-9]+|pts[0-9]*|ptmx|pty.*|null|zero|full)$`)

// lazily compiles a pattern when it is first wanted: most workers need none.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

func (v *validator) tty(path, tty string) {
	switch {
	case tty == "":
		v.add(path, `is empty; leave it out for "ssh", or give a word that says where logins come from`)
	case len(tty) > maxTTY:
		v.add(path, "is longer than %d bytes", maxTTY)
	case strings.Contains(tty, "/"):
		v.add(path, `%s is the name of a device; it is a word that says where logins come from, such as "ssh"`, quote(tty))
	case strings.Contains(tty, ":"):
		v.add(path, `%s is the name of an X display; it is a word that says where logins come from, such as "ssh"`, quote(tty))
	case machineTTY().MatchString(strings.ToLower(tty)):
		v.add(path, `%s is the name of a terminal of this machine, and modules would take logins for local ones; use a word such as "ssh"`, quote(tty))
	case !names.IsWord(tty, "_.@+-"):
		v.add(path, "%s has others than A-Z a-z 0-9 _ . @ + -", quote(tty))
	}
}

// MaxCommand is one less than the longest argument of Linux (execve(2),
// MAX_ARG_STRLEN), in bytes.
const MaxCommand = 128<<10 - 1

func (v *validator) commands(path string, lines []string) {
	for i, line := range lines {
		switch {
		case line == "":
			v.add(element(path, i), "is empty; the login shell is shell: true")
		case strings.ContainsRune(line, 0):
			v.add(element(path, i), "has a NUL, and no command can have one")
		case len(line) > MaxCommand:
			v.add(element(path, i), "is longer than %d bytes, and no command can be", MaxCommand)
		}
	}
	v.unique(path, lines)
}
