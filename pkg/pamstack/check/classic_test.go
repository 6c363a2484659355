package check

import (
	"slices"
	"strings"
	"testing"
)

// The questions that administrators ask: each is answered by one finding, which
// points at the line.
func TestClassics(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		services    []string
		want        string
		says        string // part of the problem
	}{
		{"any password works", `auth required pam_faillock.so preauth
auth sufficient pam_faillock.so authsucc
auth sufficient pam_unix.so
auth [default=die] pam_faillock.so authfail
account required pam_faillock.so
`, nil, "error auth-unverified /etc/pam.d/example:2", "pam_unix is not asked"},
		{"any password works, authfail being ignored", `auth required pam_faillock.so preauth
auth sufficient pam_unix.so
auth required pam_faillock.so authfail
auth sufficient pam_faillock.so authsucc
`, nil, "error auth-unverified /etc/pam.d/example:4", "after pam_unix returned auth_err"},
		{"the right password gives permission denied", `auth [success=1 default=ignore] pam_unix.so
auth requisite pam_deny.so
`, nil, "error jump-onto-end /etc/pam.d/example:1", "permission denied"},
		{"sshd's setcred permission denied", `auth [success=1 default=ignore] pam_succeed_if.so user ingroup staff
auth requisite pam_deny.so
auth required pam_unix.so
`, nil, "error setcred-differs /etc/pam.d/example:1", "returns cred_err because of pam_deny (/etc/pam.d/example:2)"},
		{"a wrong name is served by other", "auth required pam_unix.so\n", []string{"exampel"}, "warning service-missing /etc/pam.d/exampel:0", "/etc/pam.d/other serves it"},
		{"Module is unknown after an upgrade", "auth required pam_tally2.so deny=3\nauth required pam_unix.so\n", nil,
			"error module-removed /etc/pam.d/example:1", "pam_faillock.so took its place"},
		{"faillock counts nothing", `auth required pam_faillock.so preauth
auth [success=1 default=ignore] pam_unix.so
auth requisite pam_deny.so
auth [default=die] pam_faillock.so authfail
account required pam_faillock.so
`, nil, "error faillock-order /etc/pam.d/example:4", "not counted"},
		{"faillock counts right passwords", `auth required pam_faillock.so preauth
auth required pam_unix.so
auth required pam_faillock.so authfail
account required pam_faillock.so
`, nil, "error faillock-order /etc/pam.d/example:3", "right password"},
		{"faillock looks too late", `auth sufficient pam_unix.so
auth required pam_faillock.so preauth
auth [default=die] pam_faillock.so authfail
account required pam_faillock.so
`, nil, "warning faillock-order /etc/pam.d/example:2", "behind pam_unix"},
		{"faillock never forgets", `auth required pam_faillock.so preauth
auth sufficient pam_unix.so
auth [default=die] pam_faillock.so authfail
account required pam_unix.so
`, nil, "warning faillock-order /etc/pam.d/example:3", "resets"},
		{"faillock never counts", "auth required pam_faillock.so preauth\nauth required pam_unix.so\n", nil,
			"warning faillock-order /etc/pam.d/example:1", "authfail"},
		{"pam_sss and pam_unix swapped", `auth sufficient pam_sss.so use_first_pass
auth sufficient pam_unix.so try_first_pass
auth required pam_deny.so
`, nil, "warning remote-before-local /etc/pam.d/example:1", "before pam_unix"},
		{"pam_sss and pam_unix swapped: who asks", `auth sufficient pam_sss.so use_first_pass
auth sufficient pam_unix.so try_first_pass
auth required pam_deny.so
`, nil, "error first-pass-missing /etc/pam.d/example:1", "use_first_pass"},
		{"pam_sss and pam_unix swapped: who is jumped to", `auth [success=1 default=ignore] pam_sss.so
auth [success=2 default=ignore] pam_unix.so
auth requisite pam_deny.so
auth required pam_permit.so
`, nil, "error success-denied /etc/pam.d/example:1", "pam_deny decides (/etc/pam.d/example:3)"},
		{"pam_sss and pam_unix swapped: local users", "auth requisite pam_sss.so\nauth required pam_unix.so use_first_pass\n", nil,
			"error local-users-denied /etc/pam.d/example:1", "user_unknown"},
	} {
		m := newSystem(t, debian)
		m.file("/etc/pam.d/example", test.lines)
		f := wantAt(t, m.run(test.services...), test.want)
		if !strings.Contains(f.Problem, test.says) || f.Effect == "" || f.Remedy == "" {
			t.Errorf("%s: got %q (%q, %q), want it to say %q, with an effect and a remedy", test.name, f.Problem, f.Effect, f.Remedy, test.says)
		}
	}
}

func TestModuleIsThereButItsLibraryIsNot(t *testing.T) {
	m := newSystem(t, debian)
	usesModule(sharedObject{needs: []string{"libexample.so.1"}})(m)
	f := wantAt(t, m.run(), "error module-library-missing /etc/pam.d/example:1")
	if want := "pam_example.so needs the library libexample.so.1, which is not there"; !strings.Contains(f.Problem, want) {
		t.Errorf("got %q, want %q", f.Problem, want)
	}
}

// Stacks as distributions write them: nothing in them is a warning.
func TestStacksOfDistributionsAreClean(t *testing.T) {
	common := map[string]string{
		"Debian": `auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
auth optional pam_cap.so
account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so
account requisite pam_deny.so
account required pam_permit.so
password [success=1 default=ignore] pam_unix.so obscure yescrypt
password requisite pam_deny.so
password required pam_permit.so
session [default=1] pam_permit.so
session requisite pam_deny.so
session required pam_permit.so
session required pam_unix.so
session optional pam_systemd.so
`,
		"Debian with sssd": `auth [success=2 default=ignore] pam_unix.so nullok
auth [success=1 default=ignore] pam_sss.so use_first_pass
auth requisite pam_deny.so
auth required pam_permit.so
account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so
account requisite pam_deny.so
account required pam_permit.so
account sufficient pam_localuser.so
account [default=bad success=ok user_unknown=ignore] pam_sss.so
password requisite pam_pwquality.so retry=3
password [success=2 default=ignore] pam_unix.so obscure use_authtok try_first_pass yescrypt
password [success=1 default=ignore] pam_sss.so use_authtok
password requisite pam_deny.so
password required pam_permit.so
session required pam_unix.so
session optional pam_sss.so
`,
		"Fedora with sssd": `auth required pam_env.so
auth required pam_faildelay.so delay=2000000
auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular
auth [default=1 ignore=ignore success=ok] pam_localuser.so
auth sufficient pam_unix.so nullok
auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular
auth sufficient pam_sss.so forward_pass
auth required pam_deny.so
account required pam_unix.so
account sufficient pam_localuser.so
account sufficient pam_usertype.so issystem
account [default=bad success=ok user_unknown=ignore] pam_sss.so
account required pam_permit.so
password requisite pam_pwquality.so local_users_only
password sufficient pam_unix.so yescrypt shadow nullok use_authtok
password sufficient pam_sss.so use_authtok
password required pam_deny.so
session optional pam_keyinit.so revoke
session required pam_limits.so
-session optional pam_systemd.so
session [success=1 default=ignore] pam_succeed_if.so service in crond quiet use_uid
session required pam_unix.so
session optional pam_sss.so
`,
		"Fedora with faillock": `auth required pam_env.so
auth required pam_faillock.so preauth silent
auth sufficient pam_unix.so nullok
auth required pam_faillock.so authfail
auth required pam_deny.so
account required pam_faillock.so
account required pam_unix.so
session required pam_unix.so
`,
		"Arch": `auth required pam_faillock.so preauth
-auth [success=2 default=ignore] pam_systemd_home.so
auth [success=1 default=bad] pam_unix.so try_first_pass nullok
auth [default=die] pam_faillock.so authfail
auth optional pam_permit.so
auth required pam_env.so
auth required pam_faillock.so authsucc
-account [success=1 default=ignore] pam_systemd_home.so
account required pam_unix.so
account optional pam_permit.so
account required pam_time.so
session required pam_limits.so
session required pam_unix.so
session optional pam_permit.so
`,
		"openSUSE": `auth required pam_env.so
auth required pam_unix.so try_first_pass
account required pam_unix.so try_first_pass
session required pam_limits.so
session required pam_unix.so try_first_pass
`,
		"a display manager": `auth requisite pam_nologin.so
auth required pam_succeed_if.so user != root quiet_success
auth sufficient pam_succeed_if.so user ingroup nopasswdlogin
auth required pam_unix.so
account required pam_unix.so
session required pam_unix.so
`,
		"an automatic login, where passwords are not to be changed": `auth required pam_unix.so
account required pam_unix.so
session required pam_unix.so
password required pam_deny.so
password required pam_unix.so
`,
		"a smart card": `auth [success=1 default=ignore] pam_sss.so try_cert_auth
auth required pam_unix.so
auth required pam_permit.so
account required pam_unix.so
session required pam_unix.so
`,
		"two factors": `auth required pam_unix.so
auth [success=1 default=ignore] pam_access.so
auth required pam_google_authenticator.so nullok
auth required pam_permit.so
account required pam_nologin.so
account required pam_access.so
account required pam_unix.so
session required pam_unix.so
`,
	}
	for name, lines := range common {
		for _, libpam := range []string{"debian", "upstream"} {
			m := newSystem(t, debian)
			if libpam == "upstream" {
				m = newSystem(t, upstream)
			}
			m.file("/etc/pam.d/example", lines)
			for _, f := range m.run() {
				if f.Severity > Info {
					t.Errorf("%s, %s: got %s: %s, want nothing above info", name, libpam, shown([]Finding{f})[0], f.Problem)
				}
			}
		}
	}
}

// fedora are files of Fedora, with faillock as authselect writes it.
var fedora = map[string]string{
	"system-auth":   fedoraAuth,
	"password-auth": fedoraAuth,
	"postlogin": `session optional pam_umask.so silent
session [success=1 default=ignore] pam_succeed_if.so service !~ gdm* service !~ su* quiet
session [default=1] pam_lastlog.so nowtmp showfailed
session optional pam_lastlog.so silent noupdate showfailed
`,
	"su": `auth required pam_env.so
auth sufficient pam_rootok.so
auth substack system-auth
auth include postlogin
account sufficient pam_succeed_if.so uid = 0 use_uid quiet
account include system-auth
password include system-auth
session include system-auth
session include postlogin
session optional pam_xauth.so
`,
	"gdm-password": `auth [success=done ignore=ignore default=bad] pam_selinux_permit.so
auth substack password-auth
auth optional pam_gnome_keyring.so
auth include postlogin
account required pam_nologin.so
account include password-auth
password substack password-auth
-password optional pam_gnome_keyring.so use_authtok
session required pam_selinux.so close
session required pam_loginuid.so
session required pam_selinux.so open
session optional pam_keyinit.so force revoke
session required pam_namespace.so
session include password-auth
session optional pam_gnome_keyring.so auto_start
session include postlogin
`,
}

const fedoraAuth = `auth required pam_env.so
auth required pam_faildelay.so delay=2000000
auth required pam_faillock.so preauth silent
auth sufficient pam_unix.so nullok
auth required pam_faillock.so authfail
auth required pam_deny.so
account required pam_faillock.so
account required pam_unix.so
password requisite pam_pwquality.so local_users_only
password sufficient pam_unix.so yescrypt shadow nullok use_authtok
password required pam_deny.so
session optional pam_keyinit.so revoke
session required pam_limits.so
-session optional pam_systemd.so
session [success=1 default=ignore] pam_succeed_if.so service in crond quiet use_uid
session required pam_unix.so
`

func TestServicesOfFedoraAreClean(t *testing.T) {
	m := newSystem(t, upstream)
	for name, lines := range fedora {
		m.file("/etc/pam.d/"+name, lines)
	}
	for _, f := range m.run() {
		if f.Severity > Info {
			t.Errorf("got %s: %s, want nothing above info", shown([]Finding{f})[0], f.Problem)
		}
	}
}

func TestAFindingInAnIncludedFileIsOneWithAllServices(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/etc/pam.d/common-auth", "auth required pam_gone.so\nauth required pam_unix.so nullok\n")
	for _, service := range []string{"sshd", "login", "cron"} {
		m.file("/etc/pam.d/"+service, "@include common-auth\n")
	}
	found := m.run()
	for _, want := range []string{"error module-not-found /etc/pam.d/common-auth:1", "info nullok /etc/pam.d/common-auth:2"} {
		f := wantAt(t, found, want)
		if want := []string{"cron", "login", "sshd"}; !slices.Equal(f.Services, want) {
			t.Errorf("%s: services %v, want %v", f.ID, f.Services, want)
		}
		if i := slices.Index(shown(found), want); slices.Contains(shown(found)[i+1:], want) {
			t.Errorf("%s is reported twice", want)
		}
	}
}

func TestAFileThatNobodyIncludesIsCheckedLineByLine(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/etc/pam.d/common-auth", "auth required pam_gone.so\nauth optional pam_permit.so\n")
	f := wantAt(t, m.run(), "error module-not-found /etc/pam.d/common-auth:1")
	if len(f.Services) != 0 {
		t.Errorf("services %v, want none", f.Services)
	}
	wantNone(t, m.run(), "auth-unverified")
}

// Under its own name the service other is read twice; what matters is what it
// does for services that have no file.
func TestOtherIsCheckedAsWhatServesOthers(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/etc/pam.d/other", "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n")
	f := wantAt(t, m.run(), "error jump-onto-end /etc/pam.d/other:1")
	if !slices.Equal(f.Services, []string{"other"}) {
		t.Errorf("services %v, want other", f.Services)
	}
}

// Findings about other are for services that it answers for.
func TestOtherIsCheckedWithAServiceThatFallsBackToIt(t *testing.T) {
	const most = "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n"
	for _, test := range []struct {
		name, lines string
		want        bool
	}{
		{"no password lines", most, true},
		{"all of its own", most + "password required pam_unix.so\n", false},
	} {
		m := newSystem(t, debian)
		m.file("/etc/pam.d/other", "auth required pam_permit.so\nbogus required pam_unix.so\n")
		m.mode("/etc/pam.d/other", 0o666)
		m.file("/etc/pam.d/example", test.lines)
		got := slices.ContainsFunc(m.run("example"), func(f Finding) bool { return f.File == "/etc/pam.d/other" })
		if got != test.want {
			t.Errorf("%s: got findings about other: %v, want %v", test.name, got, test.want)
		}
		all := m.run()
		wantAt(t, all, "error illegal-type /etc/pam.d/other:2")
		wantAt(t, all, "error file-writable /etc/pam.d/other:0")
	}
}

func TestNoServicesAreAnError(t *testing.T) {
	m := newSystem(t, debian)
	m.remove("/etc/pam.d/other")
	m.remove("/etc/pam.d")
	if _, err := Run(nil, m.config()); err == nil || !strings.Contains(err.Error(), "/etc/pam.d") {
		t.Errorf("got %v, want an error that names the directory", err)
	}
}

// A service of a display manager that lets in anybody is meant to be so.
func TestGreetersMayAskForNoPassword(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/etc/pam.d/lightdm-greeter", "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_unix.so\n")
	wantAt(t, m.run(), "info auth-unverified /etc/pam.d/lightdm-greeter:1")
}
