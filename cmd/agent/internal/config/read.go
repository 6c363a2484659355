package config

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// What is where the file does not say otherwise.
const (
	defaultListenAddr  = "0.0.0.0:3022" // as Teleport's
	defaultHostKey     = "/etc/pamhelper/ssh_host_ed25519_key"
	defaultServiceName = "sshd"
	broker             = "broker:"
)

// config reads the whole file. Where there are problems, it is of no use.
func (d *document) config() *Config {
	root := d.root()
	if root == nil {
		return nil
	}
	top := d.section("", place{1, 1}, root)
	if _, there := top.values["ssh_service"]; !there && top.there {
		d.wrong(placeOf(root), "there is no section ssh_service; it says what to serve")
	}
	return &Config{
		SSH:    readSSH(top.sub("ssh_service")),
		Auth:   readAuth(top.sub("auth_service")),
		Helper: readHelper(top),
		Log:    readLog(top.sub("log")),
	}
}

func readSSH(s section) SSHService {
	ssh := SSHService{
		Enabled:             s.bool("enabled", true),
		ListenAddr:          s.address("listen_addr", defaultListenAddr),
		HostKeys:            s.files("host_keys"),
		TrustedUserCAKeys:   s.files("trusted_user_ca_keys"),
		AuthorizedKeys:      s.pattern("authorized_keys"),
		PasswordServiceName: s.service("password_service_name", ""),
		LoginTimeout:        s.duration("login_timeout", 2*time.Minute, time.Second, time.Hour, false),
		MaxUnauthenticated:  s.int("max_unauthenticated_connections", 100, 1, 100000),
		MaxChannels:         s.int("max_channels", 10, 1, 1000),
		KeepaliveInterval:   s.duration("keepalive_interval", 5*time.Minute, time.Second, 24*time.Hour, true),
		KeepaliveCount:      s.int("keepalive_count_max", 3, 1, 100),
		DrainTimeout:        s.duration("drain_timeout", 30*time.Second, time.Second, 24*time.Hour, true),
	}
	if _, there := s.values["host_keys"]; !there {
		ssh.HostKeys = []string{defaultHostKey}
	}
	s.pamOf(&ssh)
	return ssh
}

// pamOf reads the section pam, and what it has to do with the one around it.
func (s section) pamOf(ssh *SSHService) {
	before := len(s.problems)
	pam := s.sub("pam")
	ssh.PAM = readPAM(pam)
	if len(s.problems) > before || !s.there || !ssh.Enabled {
		return
	}
	if !ssh.PAM.Enabled {
		pam.refuse("enabled", "PAM is the only way in to the machine here; write enabled: yes, or ssh_service.enabled: no")
	}
	if ssh.PasswordServiceName == ssh.PAM.ServiceName && !ssh.PAM.UsePAMAuth {
		s.refuse("password_service_name", "%q is pam.service_name too, whose logins the agent proves, and not PAM; "+
			"name another service, or write pam.use_pam_auth: yes", ssh.PasswordServiceName)
	}
	if ssh.PAM.AccountFirst && !ssh.PAM.UsePAMAuth {
		pam.refuse("account_first", "without use_pam_auth there are no auth lines that account could come before; remove it, or write use_pam_auth: yes")
	}
}

func readPAM(s section) PAM {
	return PAM{
		Enabled:      s.bool("enabled", false),
		ServiceName:  s.service("service_name", defaultServiceName),
		UsePAMAuth:   s.bool("use_pam_auth", false),
		AccountFirst: s.bool("account_first", false),
		Environment:  s.environment("environment"),
	}
}

func readAuth(s section) AuthService {
	auth := AuthService{
		MessageOfTheDay:            s.string("message_of_the_day", ""),
		MessageOfTheDayExemptRoles: s.list("message_of_the_day_exempt_roles"),
	}
	const most = 8 << 10
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if len(auth.MessageOfTheDay) > most {
		s.refuse("message_of_the_day", "%d bytes; at most %d", len(auth.MessageOfTheDay), most)
	}
	if strings.ContainsFunc(auth.MessageOfTheDay, control) {
		s.refuse("message_of_the_day", "a control character other than newline and tab")
	}
	return auth
}

// meantHelper is what a helper was meant to be that has no kind.
func meantHelper(form string) string {
	switch {
	case form+":" == broker:
		return fmt.Sprintf("; write %q, in quotes", broker)
	case strings.HasPrefix(form, "/"):
		return "; write unix:" + form
	}
	return ""
}

func readHelper(top section) Helper {
	form := top.string("helper", broker)
	if form == broker || !top.has("helper") {
		return Helper{}
	}
	kind, socket, _ := strings.Cut(form, ":")
	switch {
	case kind == "exec":
		top.refuse("helper", "exec: is not for a serving agent, which is confined and cannot start programs; write %s or unix:PATH", broker)
	case kind != "unix":
		top.refuse("helper", "%s is neither %s nor unix:PATH%s", shown(form), broker, meantHelper(form))
	default:
		top.absolute("helper", placeOf(top.values["helper"]), socket)
	}
	return Helper{Socket: socket}
}

func readLog(s section) Log {
	return Log{Level: s.choice("level", "info", "debug", "warn", "error"), Format: s.choice("format", "text", "json")}
}

// address is HOST:PORT that can be listened on.
func (s section) address(key, fallback string) string {
	node, there := s.values[key]
	if !there {
		return fallback
	}
	word, ok := text(node)
	host, port, err := net.SplitHostPort(word)
	if !ok || err != nil {
		s.refuse(key, "%s is not ADDRESS:PORT, such as %s or [::]:3022", kind(node), defaultListenAddr)
		return ""
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		s.refuse(key, "%s is no numeric address; write one, such as %s", shown(host), net.JoinHostPort("0.0.0.0", port))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		s.refuse(key, "%s is no port; a port is a number from 1 to 65535, or 0 for one that is free", shown(port))
	}
	return word
}

// serviceName is what libpam takes for a service, and what it does not turn into
// another name.
var serviceName = regexp.MustCompile(`^[a-z0-9_][a-z0-9_.@+-]{0,254}$`)

// service is the name of a PAM service.
func (s section) service(key, fallback string) string {
	name := s.string(key, fallback)
	switch {
	case s.has(key) && name == "other":
		s.refuse(key, "%q is what libpam reads for services without a file; name one that has a file", name)
	case !s.has(key), serviceName.MatchString(name):
	case strings.Contains(name, "/"):
		s.refuse(key, "%s is a path; write the name of the file in /etc/pam.d alone: %q", shown(name), path.Base(name))
	case serviceName.MatchString(strings.ToLower(name)):
		s.refuse(key, "%s has upper-case letters, which libpam makes lower-case; write %q", shown(name), strings.ToLower(name))
	default:
		s.refuse(key, "%s is no service; it is the name of a file in /etc/pam.d, of a-z 0-9 _ . @ + -", shown(name))
	}
	return name
}

// files is a list of paths.
func (s section) files(key string) []string {
	files := s.list(key)
	sequence, ok := s.values[key].(*ast.SequenceNode)
	if !ok {
		return nil
	}
	if len(sequence.Values) == 0 {
		s.refuse(key, "an empty list; name a file, or leave %s out", key)
	}
	for _, item := range sequence.Values {
		if file, ok := text(item); ok && file != "" {
			s.absolute(key, placeOf(item), file)
		}
	}
	return files
}

// inHomes are the forms of sshd's AuthorizedKeysFile for files in homes.
var inHomes = regexp.MustCompile(`^(?:~|%h|\.ssh/)`)

// pattern is a path with the mark of a user's name in it.
func (s section) pattern(key string) string {
	pattern := s.string(key, "")
	if inHomes.MatchString(pattern) {
		s.refuse(key, "%s is in the homes of users, where the agent has no right to read; "+
			"write a directory for all of them, such as /etc/pamhelper/authorized_keys/%s", shown(pattern), userMark)
		return pattern
	}
	if !s.has(key) || !s.absolute(key, placeOf(s.values[key]), pattern) {
		return pattern
	}
	if strings.Count(pattern, userMark) != 1 || strings.Count(pattern, "%") != 1 || strings.ContainsAny(pattern, `*?[\`) {
		s.refuse(key, `%s is to hold %s once, for the user's name, and none of %% * ? [ \ besides; such as /etc/pamhelper/authorized_keys/%s`,
			shown(pattern), userMark, userMark)
	}
	return pattern
}

// absolute says whether a file is named so that it is the same from everywhere.
func (s section) absolute(key string, at place, file string) bool {
	whole := s.child(key)
	if !path.IsAbs(file) {
		s.wrong(at, "%s: %s is not an absolute path; write it from / on", whole, shown(file))
		return false
	}
	if len(file) > 4095 || strings.ContainsFunc(file, unicode.IsControl) {
		s.wrong(at, "%s: %s is no path: it is too long, or holds a control character", whole, shown(file))
		return false
	}
	return true
}
