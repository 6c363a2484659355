package names

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestNeverListsAreWellFormed(t *testing.T) {
	t.Parallel()
	for which, l := range map[string]List{"Never": Never, "NeverOfClients": NeverOfClients} {
		seen := map[string]bool{}
		for e := range l.All() {
			if !regexp.MustCompile(`^[A-Z_][A-Z0-9_]*\*?$`).MatchString(e.Name) {
				t.Errorf("%s: %q is neither a name nor a prefix with a *", which, e.Name)
			}
			if seen[e.Name] {
				t.Errorf("%s: %s is there twice", which, e.Name)
			}
			seen[e.Name] = true
		}
		for _, g := range l {
			if g.why == "" {
				t.Errorf("%s: %s has no reason", which, g.names)
			}
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
		if Never.Entry(name) == nil {
			t.Errorf("%s is not on the never-list of the PAM environment", name)
		}
	}
	for _, name := range strings.Fields(`LD_PRELOAD GLIBC_TUNABLES GCONV_PATH PATH IFS ENV BASH_ENV SHELLOPTS BASHOPTS PS4 HOME USER LOGNAME SHELL
		PYTHONSTARTUP PERL5OPT RUBYOPT NODE_OPTIONS LESSOPEN PAGER GIT_SSH_COMMAND GIT_EXEC_PATH ZDOTDIR PROMPT_COMMAND OPENSSL_CONF
		XDG_CONFIG_HOME XDG_DATA_DIRS RSYNC_RSH SVN_SSH MAILRC VIMINIT EDITRC SASL_PATH`) {
		if NeverOfClients.Entry(name) == nil {
			t.Errorf("%s is not on the never-list of clients", name)
		}
	}
	for _, name := range strings.Fields("TELEPORT_USERNAME TELEPORT_ROLES SITE_NAME LANG LC_ALL SSH_CONNECTION DEPARTMENT") {
		if e := Never.Entry(name); e != nil {
			t.Errorf("%s is on the never-list, as %s", name, e.Name)
		}
	}
	for _, name := range strings.Fields("LANG LC_ALL LANGUAGE SSH_CLIENT SSH_CONNECTION SSH_ORIGINAL_COMMAND TZ XDG_RUNTIME_DIR TERM DISPLAY GIT_PROTOCOL EMAIL") {
		if e := NeverOfClients.Entry(name); e != nil {
			t.Errorf("%s is on the never-list of clients, as %s", name, e.Name)
		}
	}
}

func TestPatternsOverlapWhereANameIsMeantByBoth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"PATH", "PATH", true}, {"PATH", "PATHS", false}, {"PATH", "PAT", false},
		{"LD_*", "LD_PRELOAD", true}, {"LD_*", "LD_", true}, {"LD_*", "LD", false}, {"LD_*", "L*", true}, {"LD_*", "LD_A*", true},
		{"LD_*", "LC_*", false}, {"*", "PATH", true},
	} {
		if got, back := overlap(test.a, test.b), overlap(test.b, test.a); got != test.want || back != test.want {
			t.Errorf("%s and %s: got %v, the other way round %v, want %v", test.a, test.b, got, back, test.want)
		}
	}
}

func TestWhatIsSetForEveryLoginIsTakenFromTheAgentOrOnTheNeverList(t *testing.T) {
	t.Parallel()
	for _, name := range AlwaysAdmitted() {
		if !IsVariable(name) || Never.Entry(name) != nil {
			t.Errorf("%s is always admitted: want it a variable and not on the never-list", name)
		}
	}
	if Never.Entry(WorkersOwn) == nil || slices.Contains(AlwaysAdmitted(), WorkersOwn) {
		t.Errorf("%s is the worker's own: want it on the never-list, and not admitted", WorkersOwn)
	}
}

func TestUsersHaveNamesThatNoProgramTakesForMore(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"alice": true, "_apt": true, "host$": true, "a.b@example.org": true, "A-1": true, "a": true,
		"": false, "-a": false, "1a": false, ".a": false, "a b": false, "a/b": false, "a$b": false, "a$$": false, "a\n": false, "ä": false, "a:b": false,
	} {
		if got := IsUser(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}
