// The never-lists: variables that no policy can admit.

package names

import (
	"iter"
	"strings"
)

// group is a part of a never-list: names, or prefixes with a * behind them, and
// what they do.
type group struct {
	why   string
	names string // with spaces between them
}

// List is a never-list.
type List []group

// Entry is what a list has against a name or a pattern: a name or a pattern of its
// own, and what it does.
type Entry struct{ Name, Why string }

// All goes through a list.
func (l List) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, g := range l {
			for name := range strings.FieldsSeq(g.names) {
				if !yield(Entry{name, g.why}) {
					return
				}
			}
		}
	}
}

// Entry finds the first entry that means a name which the pattern means too, nil
// where there is none.
func (l List) Entry(pattern string) *Entry {
	for e := range l.All() {
		if overlap(e.Name, pattern) {
			return &e
		}
	}
	return nil
}

// Never are variables that stay out of the PAM environment, and with it out of that
// of the worker: modules, and the scripts and programs that they run as root, do
// what these say. It cannot be complete, since any program can have variables of
// its own; it holds those of what every machine has, so that a mistake in a policy
// does not hand root to the agent.
var Never = List{
	{"the dynamic linker and libc do what it says, or load code from where it says",
		"LD_* GLIBC_* MALLOC_* GCONV_PATH GETCONF_DIR MEMUSAGE_* PCPROFILE_* SEGFAULT_* GMON_OUT_PREFIX " +
			"ASAN_* LSAN_* MSAN_* TSAN_* UBSAN_* GCOV_* LLVM_PROFILE_* SOTRUSS_* OMP_* ICU_*"},
	{"libc takes what it shows, and the format strings of messages, from files that it names",
		"LOCPATH NLSPATH LANGUAGE TEXTDOMAIN* OUTPUT_CHARSET MSGVERB SEV_LEVEL DATEMSK ARGP_HELP_FMT POSIXLY_CORRECT"},
	{"it changes what time it is, for pam_time, for accounts that expire and for logs",
		"TZ TZDIR FAKETIME*"},
	{"it changes which machine a name or an address stands for",
		"HOSTALIASES LOCALDOMAIN RES_* RESOLV_* NIS_* HESIOD_* NSS_* SSS_* _SSS_* CARES_HOSTS WINBINDD_* _NO_WINBINDD"},
	{"temporary files of root go where it says",
		"TMPDIR TMP TEMP TEMPDIR TMPPREFIX"},
	{"a shell runs or splits commands as it says, or runs what it names",
		"PATH IFS ENV BASH_* BASHOPTS SHELLOPTS PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT_COMMAND CDPATH GLOBIGNORE " +
			"EXECIGNORE FIGNORE FPATH NULLCMD READNULLCMD ZDOTDIR ZSH* KSH* FCEDIT HISTFILE HISTCMD INPUTRC " +
			"MODULE_PATH MAILPATH MAILCHECK TMOUT ARGV0 FUNCNEST PWD OLDPWD SHLVL OPTIND OPTARG RANDOM LINENO PPID UID EUID _"},
	{"an interpreter loads code from where it says, or runs what it says",
		"PYTHON* PERL* RUBY* GEM_* BUNDLE_* NODE_* NPM_* JAVA_* JDK_* _JAVA_OPTIONS CLASSPATH LUA_* TCL* " +
			"PHP* GUILE_* JULIA_* ERL_* OCAML* CAML* MONO_* DOTNET_* CORECLR_* AWKPATH AWKLIBPATH GAWK* M4PATH GI_* " +
			"GODEBUG GOTRACEBACK GOGC GOMEMLIMIT GOMAXPROCS GOCOVERDIR RUST_*"},
	{"a program takes options from it, or runs what it names",
		"EDITOR VISUAL PAGER MANPAGER MANPATH BROWSER LESS* MORE GREP_* TAR_* TAPE GZIP BZIP BZIP2 XZ_* ZIPOPT UNZIP " +
			"MAKEFLAGS MAKEFILES GIT_* RSYNC_* CVS_RSH SVN_* HGRCPATH VIM VIMINIT VIMRUNTIME EXINIT EDITRC BC_ENV_ARGS " +
			"MAILRC MAIL_CONFIG CC CXX CFLAGS"},
	{"a program that changes the machine loads code, takes options or reads its tables from where it says",
		"LIBMOUNT_* BLKID_* FUSERMOUNT_* PASSWD* LVM_* DM_* MODPROBE_* KMOD_* XTABLES_* IPTABLES_* IP6TABLES_* EBTABLES_* " +
			"TC_LIB_DIR APT_* DPKG_* DEBCONF_* DEBIAN_*"},
	{"terminal descriptions are read from where it says",
		"TERM TERMINFO* TERMCAP TERMPATH"},
	{"a cryptographic library takes its configuration, modules or trusted keys from it",
		"OPENSSL_* SSL_* RANDFILE CTLOG_FILE QLOGDIR SSLKEYLOGFILE GNUTLS_* NSPR_* P11_* PKCS11* OPENSC_* SOFTHSM* PCSC* " +
			"LIBPCSC* TPM2* TSS2_* LIBGCRYPT_* GNUPGHOME GPG_*"},
	{"Kerberos takes its configuration, plugins or credentials from it",
		"KRB5* KDC_* GSS* SASL_*"},
	{"a client of LDAP, HTTP or a database connects, trusts, or loads code, as it says",
		"LDAP* CURL_* WGETRC SYSTEM_WGETRC NETRC REQUESTS_* HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY DOCKER_* KUBECONFIG " +
			"AWS_* CLOUDSDK_* PG* PSQL* MYSQL_* LIBMYSQL_* MARIADB_* ODBC*"},
	{"it names the agent that pam_ssh_agent_auth asks, or a program that ssh runs",
		"SSH_AUTH_SOCK SSH_ASKPASS* SSH_SK_* SSH_ORIGINAL_COMMAND SSH_TTY"},
	{"modules and scripts believe that sshd says with it how somebody was authenticated",
		"SSH_AUTH_INFO_* SSH_USER_AUTH"},
	{"pam_systemd takes the seat and the kind of the session from it",
		"XDG_* DESKTOP_* DISPLAY WAYLAND_*"},
	{"pam_xauth and programs of the desktop connect, or load code, as it says",
		"XAUTH* ICEAUTHORITY DBUS_* GIO_* GSETTINGS_* GTK_* GDK_* GST_* G_* QT_* GNOME_* " +
			"KDE* FONTCONFIG_* XML_* WINDOWPATH"},
	{"it is part of how systemd talks to its services",
		"SYSTEMD_* LISTEN_* NOTIFY_* WATCHDOG_* JOURNAL_* INVOCATION_ID MAINPID MANAGERPID CREDENTIALS_* " +
			"RUNTIME_DIRECTORY STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY CONFIGURATION_DIRECTORY"},
	{"it says who the user is, which the worker and modules say",
		"HOME USER LOGNAME USERNAME SHELL MAIL HOSTNAME SUDO_* DOAS_* PKEXEC_*"},
	{"scripts of pam_exec believe that PAM or the worker has set it",
		"PAM_* PAMHELPER_* TELEPORT_LOGIN"},
}

// NeverOfClients are variables that a client cannot choose for the user's
// processes: with them it gets around a restricted shell, around a policy's list of
// commands, or around what PAM said of the user. Which time zone they see is their
// affair.
var NeverOfClients = List{
	{"the dynamic linker and libc load code from where it says",
		"LD_* GLIBC_* GCONV_PATH LOCPATH NLSPATH"},
	{"a shell runs or splits commands as it says, or runs what it names",
		"PATH IFS ENV BASH_* BASHOPTS SHELLOPTS PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT_COMMAND CDPATH GLOBIGNORE " +
			"EXECIGNORE FPATH NULLCMD READNULLCMD ZDOTDIR FCEDIT HISTFILE INPUTRC EDITRC MODULE_PATH MAILPATH ARGV0 PWD OLDPWD _"},
	{"an interpreter loads code from where it says, or runs what it says",
		"PYTHON* PERL* RUBY* GEM_* BUNDLE_* NODE_* JAVA_* JDK_* _JAVA_OPTIONS CLASSPATH LUA_* TCL* PHP* " +
			"GUILE_* JULIA_* ERL_* OCAML* CAML* MONO_* DOTNET_* CORECLR_* AWKPATH AWKLIBPATH M4PATH"},
	{"a program runs what it names, or takes options from it",
		"EDITOR VISUAL PAGER MANPAGER BROWSER LESS* GREP_OPTIONS TAR_OPTIONS MAKEFLAGS MAKEFILES SSH_ASKPASS* SSH_SK_* " +
			"RSYNC_* CVS_RSH SVN_* HGRCPATH VIM VIMINIT VIMRUNTIME EXINIT BC_ENV_ARGS MAILRC MAIL_CONFIG " +
			"GIT_CONFIG* GIT_EXEC_PATH GIT_SSH* GIT_PROXY_* GIT_EXTERNAL_DIFF GIT_PAGER GIT_EDITOR GIT_SEQUENCE_EDITOR " +
			"GIT_ASKPASS GIT_TEMPLATE_DIR GIT_TRACE* GIT_DIR GIT_COMMON_DIR GIT_WORK_TREE GIT_OBJECT_DIRECTORY " +
			"GIT_ALTERNATE_* GIT_NAMESPACE GIT_REDIRECT_*"},
	{"a library loads modules from where it says",
		"OPENSSL_* KRB5_CONFIG SASL_* GIO_* GTK_* GDK_* GST_* GI_* QT_*"},
	{"git, shells and other programs run what they are told in files below it",
		"XDG_CONFIG_* XDG_DATA_*"},
	{"it says who the user is, which the worker and modules say",
		"HOME USER LOGNAME USERNAME SHELL UID EUID SUDO_* DOAS_* PKEXEC_* PAM_* PAMHELPER_* TELEPORT_*"},
}
