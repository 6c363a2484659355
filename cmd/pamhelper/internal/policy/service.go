package policy

import (
	"regexp"
	"slices"
	"strings"

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
	case len(name) > maxName:
		v.add(path, "is longer than %d bytes", maxName)
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

// ForRoot says why a service is not for logins through a helper that is root, ""
// where nothing is known by its name.
func ForRoot(service string) string {
	why := "lets in everybody when it is asked by root, as the helper is"
	return map[string]string{"su": why, "su-l": why, "runuser": why, "runuser-l": why, "chfn": why, "chsh": why}[service]
}

// withoutProof are modules that let in without a proof of who somebody is: for
// what the caller is, which is root here, or for where a login comes from.
var withoutProof = map[string]string{
	"pam_rootok.so":      "lets in everybody for a caller that is root, as the helper is",
	"pam_rhosts.so":      "believes the machine that a login comes from",
	"pam_rhosts_auth.so": "believes the machine that a login comes from",
	"pam_timestamp.so":   "lets in who was asked a short time ago",
}

// WithoutProof says why a module in the auth lines of a service, by the name of its
// file, takes their worth as a proof, "" where nothing is known by its name.
func WithoutProof(module string) string { return withoutProof[module] }

// proof checks what PAM itself has to do for it.
func (v *validator) proof(path string, s *pb.Service) {
	switch s.GetProof() {
	case pb.Service_PAM:
		// The worker finds this in the stack, too; the name is enough, and tells it
		// before a login.
		if why := ForRoot(s.GetName()); why != "" {
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

var (
	ttyName = regexp.MustCompile(`^[A-Za-z0-9_.@+-]+$`)
	// machineTTY are names of terminals that are a part of a machine, or of its
	// desktop. pam_systemd makes a login with one of them a login at the seat,
	// pam_securetty and pam_access believe it.
	machineTTY = regexp.MustCompile(`^(tty.*|vc[0-9]*|hvc[0-9]+|hvsi[0-9]+|xvc[0-9]+|x?console|lp[0-9]+|pts[0-9]*|ptmx|pty.*|null|zero|full)$`)
)

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
	case machineTTY.MatchString(strings.ToLower(tty)):
		v.add(path, `%s is the name of a terminal of this machine, and modules would take logins for local ones; use a word such as "ssh"`, quote(tty))
	case !ttyName.MatchString(tty):
		v.add(path, "%s has others than A-Z a-z 0-9 _ . @ + -", quote(tty))
	}
}

// maxCommand is one less than the longest argument of Linux (execve(2),
// MAX_ARG_STRLEN), in bytes.
const maxCommand = 128<<10 - 1

func (v *validator) commands(path string, lines []string) {
	for i, line := range lines {
		switch {
		case line == "":
			v.add(element(path, i), "is empty; the login shell is shell: true")
		case strings.ContainsRune(line, 0):
			v.add(element(path, i), "has a NUL, and no command can have one")
		case len(line) > maxCommand:
			v.add(element(path, i), "is longer than %d bytes, and no command can be", maxCommand)
		}
	}
	v.unique(path, lines)
}

var (
	variablePattern       = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*(_\*)?$`)
	clientVariablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)
)

// leastLetters is how many a prefix has to have: a short one means names that
// nobody thought of.
const leastLetters = 4

func (v *validator) variables(path string, patterns []string) {
	for i, pattern := range patterns {
		prefix, open := strings.CutSuffix(pattern, "*")
		switch {
		case !variablePattern.MatchString(pattern) || len(pattern) > maxName:
			v.add(element(path, i), `%s is no variable: it is A-Z 0-9 _, not beginning with a digit, or a prefix such as "SITE_*", of at most %d bytes`,
				quote(pattern), maxName)
		case never.entry(pattern) != nil:
			v.never(element(path, i), pattern, never.entry(pattern))
		case open && letters(prefix) < leastLetters:
			v.add(element(path, i), "%s has less than %d letters before the _*; name the variables one by one", quote(pattern), leastLetters)
		}
	}
	v.unique(path, patterns)
}

func letters(text string) (n int) {
	for _, r := range text {
		if 'A' <= r && r <= 'Z' {
			n++
		}
	}
	return n
}

// never refuses a pattern that means a name on a never-list.
func (v *validator) never(path, pattern string, e *entry) {
	if e.name == pattern || matches(e.name, strings.TrimSuffix(pattern, "*")) {
		v.add(path, "%s is never admitted: %s", pattern, e.why)
		return
	}
	v.add(path, "%s means %s too, which is never admitted: %s; name the variables one by one", pattern, e.name, e.why)
}

// workersOwn is what the worker itself puts into the PAM environment.
const workersOwn = "TELEPORT_LOGIN"

func (v *validator) moduleGetenv(path string, s *pb.Service) {
	names := s.GetModuleGetenv()
	for i, name := range names {
		if e := never.entry(name); e != nil && name != workersOwn && variableName.MatchString(name) {
			v.never(element(path, i), name, e)
			continue
		}
		if name != workersOwn && !AdmitsVariable(s, name) {
			v.add(element(path, i), "%s is a name that variable does not admit; add it there, or use one of %s", quote(name),
				strings.Join(append(slices.Clone(alwaysAdmitted), workersOwn), ", "))
		}
	}
	v.unique(path, names)
}

func (v *validator) clientVariables(path string, patterns []string) {
	for i, pattern := range patterns {
		if !clientVariablePattern.MatchString(pattern) || len(pattern) > maxName {
			v.add(element(path, i), `%s is no variable: it is A-Z a-z 0-9 _, not beginning with a digit, with a * behind it or not, of at most %d bytes`,
				quote(pattern), maxName)
			continue
		}
		if e := neverOfClients.entry(pattern); e != nil {
			v.never(element(path, i), pattern, e)
		}
	}
	v.unique(path, patterns)
}
