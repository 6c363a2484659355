package policy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	pb "github.com/pamhelper/pamhelper/proto"
)

// entries goes through a never-list.
func entries(l list) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, g := range l {
			for name := range strings.FieldsSeq(g.names) {
				if !yield(name) {
					return
				}
			}
		}
	}
}

func TestNeverListsAreWellFormed(t *testing.T) {
	t.Parallel()
	for which, l := range map[string]list{"never": never, "neverOfClients": neverOfClients} {
		seen := map[string]bool{}
		for name := range entries(l) {
			if !regexp.MustCompile(`^[A-Z_][A-Z0-9_]*\*?$`).MatchString(name) {
				t.Errorf("%s: %q is neither a name nor a prefix with a *", which, name)
			}
			if seen[name] {
				t.Errorf("%s: %s is there twice", which, name)
			}
			seen[name] = true
		}
		for _, g := range l {
			if g.why == "" {
				t.Errorf("%s: %s has no reason", which, g.names)
			}
		}
	}
}

// Each entry is tried as a name it means, by longer and by shorter prefixes.
func TestEveryNeverEntryIsRefusedHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	for name := range entries(never) {
		prefix, open := strings.CutSuffix(name, "*")
		wantNever(t, "variable", prefix, never)
		wantNever(t, "module_getenv", prefix, never)
		if open {
			wantNever(t, "variable", prefix+"X", never)
			wantNever(t, "variable", strings.TrimSuffix(prefix, "_")+"_*", never)
			wantNever(t, "variable", prefix+"XABCD_*", never)
		}
		for shorter := range prefixes(prefix) {
			if letters(shorter) >= leastLetters {
				wantNever(t, "variable", shorter+"*", never)
			}
		}
	}
	for name := range entries(neverOfClients) {
		prefix, open := strings.CutSuffix(name, "*")
		wantNever(t, "client_variables", prefix, neverOfClients)
		if open {
			wantNever(t, "client_variables", prefix+"X", neverOfClients)
			wantNever(t, "client_variables", prefix+"X*", neverOfClients)
		}
		for i := 1; i <= len(prefix); i++ {
			wantNever(t, "client_variables", prefix[:i]+"*", neverOfClients)
		}
	}
}

// prefixes are the beginnings of a name that end before a word of it.
func prefixes(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i, r := range name {
			if r == '_' && i > 0 && !yield(name[:i+1]) {
				return
			}
		}
	}
}

// wantNever wants a name or pattern refused in the file, and each name of it that
// the list means not admitted where a policy that was not read from a file has it.
func wantNever(t *testing.T, field, pattern string, l list) {
	t.Helper()
	written := fmt.Sprintf("%s: %q", field, pattern)
	if field == "client_variables" {
		written = fmt.Sprintf("client_variables { name: %q }", pattern)
	}
	if field == "module_getenv" && pattern == workersOwn {
		return // the worker sets it
	}
	_, err := Parse([]byte(inService(written)), "F")
	if err == nil || !strings.Contains(err.Error(), "never admitted: ") {
		t.Errorf("%s: got %v, want that it is never admitted", written, err)
	}
	e := l.entry(pattern)
	if e == nil {
		t.Errorf("%s is not on the list", pattern)
		return
	}
	s := &pb.Service{Variable: []string{pattern, e.name}, ClientVariables: &pb.Names{Name: []string{pattern, e.name}}}
	name := strings.TrimSuffix(e.name, "*")
	admits := AdmitsVariable
	if field == "client_variables" {
		admits = AdmitsClientVariable
	}
	for _, meant := range []string{name, name + "X"} {
		if l.entry(meant) != nil && admits(s, meant) {
			t.Errorf("%s is admitted, by a service with %s", meant, pattern)
		}
	}
}

func TestNamedEntriesAreOnTheLists(t *testing.T) {
	t.Parallel()
	for _, name := range strings.Fields(`LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT GLIBC_TUNABLES MALLOC_CHECK_ GCONV_PATH GETCONF_DIR LOCPATH NLSPATH
		PATH IFS ENV BASH_ENV BASH_FUNC_X SHELLOPTS BASHOPTS PS4 CDPATH GLOBIGNORE FPATH NULLCMD ZDOTDIR PYTHONPATH PYTHONSTARTUP PERL5LIB
		PERL5OPT PERLLIB RUBYOPT RUBYLIB NODE_OPTIONS JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS LUA_INIT LUA_PATH OPENSSL_CONF
		OPENSSL_MODULES SSL_CERT_FILE KRB5_CONFIG KRB5CCNAME KRB5_KTNAME GSS_MECH_CONFIG HOSTALIASES LOCALDOMAIN RES_OPTIONS RESOLV_HOST_CONF
		TZ TZDIR TMPDIR HOME USER LOGNAME SHELL TERMINFO TERMINFO_DIRS TERMCAP EDITOR VISUAL PAGER LESSOPEN LESS XDG_SEAT XDG_VTNR
		XDG_SESSION_TYPE XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS SUDO_USER PAM_USER PAM_TYPE TELEPORT_LOGIN
		SYSTEMD_LOG_LEVEL LISTEN_FDS LISTEN_PID NOTIFY_SOCKET SSH_AUTH_SOCK XAUTHORITY DISPLAY LANGUAGE GIO_EXTRA_MODULES LDAPCONF
		TEXTDOMAINDIR RSYNC_RSH RSYNC_CONNECT_PROG MAILRC MAIL_CONFIG VIMINIT LIBMOUNT_FSTAB PASSWD_FILE MODPROBE_OPTIONS XTABLES_LIBDIR
		IPTABLES_LIB_DIR TC_LIB_DIR APT_CONFIG RANDFILE LIBPCSCLITE_DELEGATE PCSCLITE_CSOCK_NAME SOFTHSM2_CONF SASL_PATH SASL_CONF_PATH
		SYSTEM_WGETRC PGSERVICEFILE LIBMYSQL_PLUGINS ODBCSYSINI AWS_CONFIG_FILE SSH_AUTH_INFO_0 SSH_USER_AUTH XML_CATALOG_FILES
		_NO_WINBINDD GI_TYPELIB_PATH GDK_PIXBUF_MODULE_FILE`) {
		if never.entry(name) == nil {
			t.Errorf("%s is not on the never-list of the PAM environment", name)
		}
	}
	for _, name := range strings.Fields(`LD_PRELOAD GLIBC_TUNABLES GCONV_PATH PATH IFS ENV BASH_ENV SHELLOPTS BASHOPTS PS4 HOME USER LOGNAME SHELL
		PYTHONSTARTUP PERL5OPT RUBYOPT NODE_OPTIONS LESSOPEN PAGER GIT_SSH_COMMAND GIT_EXEC_PATH ZDOTDIR PROMPT_COMMAND OPENSSL_CONF
		XDG_CONFIG_HOME XDG_DATA_DIRS RSYNC_RSH SVN_SSH MAILRC VIMINIT EDITRC SASL_PATH`) {
		if neverOfClients.entry(name) == nil {
			t.Errorf("%s is not on the never-list of clients", name)
		}
	}
	for _, name := range strings.Fields("TELEPORT_USERNAME TELEPORT_ROLES SITE_NAME LANG LC_ALL SSH_CONNECTION DEPARTMENT") {
		if e := never.entry(name); e != nil {
			t.Errorf("%s is on the never-list, as %s", name, e.name)
		}
	}
	for _, name := range strings.Fields("LANG LC_ALL LANGUAGE SSH_CLIENT SSH_CONNECTION TZ XDG_RUNTIME_DIR TERM DISPLAY GIT_PROTOCOL EMAIL") {
		if e := neverOfClients.entry(name); e != nil {
			t.Errorf("%s is on the never-list of clients, as %s", name, e.name)
		}
	}
}

func TestVariablesOfTheAgentAreAdmittedByName(t *testing.T) {
	t.Parallel()
	s := &pb.Service{Variable: []string{"SITE_*", "ROLE", "PATH", "LD_*"}}
	for name, want := range map[string]bool{
		"SITE_A": true, "SITE_": true, "ROLE": true, "TELEPORT_USERNAME": true, "TELEPORT_ROLES": true,
		"SITE": false, "SITES_A": false, "ROLES": false, "TELEPORT_LOGIN": false, "PATH": false, "LD_PRELOAD": false,
		"": false, "SITE_a": false, "SITE_A=B": false, "SITE_\x00": false, "SITE_*": false, "SITE_A\n": false, "role": false,
	} {
		if got := AdmitsVariable(s, name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
	if AdmitsVariable(nil, "ROLE") || !AdmitsVariable(nil, "TELEPORT_ROLES") {
		t.Error("without a service: want TELEPORT_ROLES admitted alone")
	}
}

func TestVariablesOfClientsAreAdmittedByName(t *testing.T) {
	t.Parallel()
	byDefault, listed := Builtin().Service[0], &pb.Service{ClientVariables: &pb.Names{Name: []string{"a*", "B", "PATH", "*"}}}
	for _, test := range []struct {
		service *pb.Service
		name    string
		want    bool
	}{
		{byDefault, "LANG", true}, {byDefault, "LC_ALL", true}, {byDefault, "LC_", true}, {byDefault, "SSH_CLIENT", true},
		{byDefault, "SSH_CONNECTION", true}, {byDefault, "LANGUAGE", false}, {byDefault, "TZ", false}, {byDefault, "LC_A=B", false},
		{byDefault, "LC_\x00", false}, {byDefault, "LC_ALL\n", false}, {byDefault, "", false}, {byDefault, "PATH", false},
		{listed, "abc", true}, {listed, "a", true}, {listed, "B", true}, {listed, "PATH", false}, {listed, "LD_PRELOAD", false},
		{listed, "BASH_ENV", false}, {listed, "BASH_FUNC_x%%", false}, {nil, "LANG", false},
		{&pb.Service{ClientVariables: &pb.Names{}}, "LANG", false},
	} {
		if got := AdmitsClientVariable(test.service, test.name); got != test.want {
			t.Errorf("%q with %v: got %v, want %v", test.name, test.service.GetClientVariables(), got, test.want)
		}
	}
}
