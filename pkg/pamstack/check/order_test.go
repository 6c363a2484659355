package check

import (
	"fmt"
	"strings"
	"testing"
)

func TestSufficientSkipsChecksButNotOtherWaysIn(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		want        bool
	}{
		{"a check behind", "auth sufficient pam_unix.so\nauth required pam_access.so\n", true},
		{"a second factor behind", "auth sufficient pam_unix.so\nauth required pam_google_authenticator.so\n", true},
		{"a check of the other way in", "auth sufficient pam_unix.so\nauth required pam_access.so\nauth required pam_sss.so\n", false},
		{"another way in", "auth sufficient pam_unix.so\nauth required pam_sss.so\n", false},
		{"a check that may fail", "auth sufficient pam_unix.so\nauth optional pam_access.so\n", false},
		{"root needs no check", "auth sufficient pam_rootok.so\nauth required pam_wheel.so\nauth required pam_unix.so\n", false},
		{"done in brackets", "account [success=done default=ignore] pam_localuser.so\naccount requisite pam_access.so\n", true},
		{"only a substack is left", "account substack common\naccount required pam_access.so\n", false},
		{"an include is left, and the rest with it", "account include common\naccount required pam_access.so\n", true},
		{"a session's module", "session sufficient pam_systemd.so\nsession required pam_limits.so\n", true},
		{"a denial", "session sufficient pam_systemd.so\nsession required pam_deny.so\n", false},
	} {
		m := newSystem(t, debian)
		m.file("/etc/pam.d/common", "account sufficient pam_unix.so\n")
		m.file("/etc/pam.d/example", test.lines)
		if found := m.run("example"); hasID(found, "sufficient-skips") != test.want {
			t.Errorf("%s: got %q, want sufficient-skips %v", test.name, shown(found), test.want)
		}
	}
}

// All questions about one service share what may be tried.
func TestManyLinesAreNotTriedWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"auth [success=1 default=ignore] pam_unix.so\n", "auth [success=done default=bad] pam_unix.so\n", "auth sufficient pam_rootok.so\n",
	} {
		for _, n := range []int{800, 10000} {
			m := newSystem(t, debian)
			m.file("/etc/pam.d/example", strings.Repeat(line, n)+"account required pam_gone.so\n")
			found := m.run("example")
			wantAt(t, found, "warning stack-too-large /etc/pam.d/example:1")
			wantAt(t, found, fmt.Sprintf("error module-not-found /etc/pam.d/example:%d", n+1))
		}
	}
}

func TestJumpsAcrossFiles(t *testing.T) {
	for _, test := range []struct {
		name, lines, common string
		want                string // severity, or "" for none
	}{
		{"over a whole file", "auth [success=2 default=ignore] pam_access.so\n@include common\nauth required pam_unix.so\n",
			"auth required pam_sss.so\nauth required pam_permit.so\n", "info"},
		{"into the middle", "auth [success=1 default=ignore] pam_access.so\n@include common\n",
			"auth required pam_sss.so\nauth required pam_unix.so\n", "warning"},
		{"to the beginning", "auth [success=1 default=ignore] pam_access.so\nauth required pam_sss.so\n@include common\n",
			"auth required pam_unix.so\n", ""},
		{"out to the next line", "@include common\nauth required pam_unix.so\n",
			"auth [success=1 default=ignore] pam_access.so\nauth required pam_sss.so\n", ""},
		{"out and over a line", "@include common\nauth required pam_unix.so\nauth required pam_permit.so\n",
			"auth [success=2 default=ignore] pam_access.so\nauth required pam_sss.so\n", "warning"},
		{"over a substack, which is one", "auth [success=1 default=ignore] pam_access.so\nauth substack common\nauth required pam_unix.so\n",
			"auth required pam_sss.so\nauth required pam_permit.so\n", ""},
	} {
		m := newSystem(t, debian)
		m.file("/etc/pam.d/common", test.common)
		m.file("/etc/pam.d/example", test.lines)
		got := ""
		for _, f := range m.run("example") {
			if f.ID == "jump-across-include" {
				got = f.Severity.String()
			}
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestLimitsLines(t *testing.T) {
	for line, wrong := range map[string]bool{
		"": false, "# comment": false, "alice hard nofile 1000": false, "* SOFT Core unlimited # all": false, "@staff - maxlogins 4": false,
		"bob -": false, "alice - nice -5": false, "alice - chroot /srv": false, "1000:2000 hard nproc 5": false,
		"alice hard nofile": true, "alice": true, "alice hart nofile 5": true, "alice hard nofiles 5": true, "alice hard nofile many": true,
		"alice hard nofile 10k": true, "alice hard nice unlimited": true, "alice hard nofile -": false,
	} {
		if got := limitsLine(line); (got != "") != wrong {
			t.Errorf("%q: got %q, want a problem: %v", line, got, wrong)
		}
	}
}

func TestACarriageReturnIsReportedOncePerFile(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/etc/pam.d/example", "auth required pam_unix.so \r\naccount required pam_unix.so \r\n")
	n := 0
	for _, f := range m.run() {
		if f.ID == "carriage-return" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("got %d findings, want 1", n)
	}
}

// As Fedora has it in su: root is asked for no password.
func TestFaillockBehindRootok(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/etc/pam.d/su", "auth sufficient pam_rootok.so\nauth substack system-auth\naccount include system-auth\nsession required pam_unix.so\n")
	m.file("/etc/pam.d/system-auth", `auth required pam_faillock.so preauth silent
auth sufficient pam_unix.so
auth required pam_faillock.so authfail
auth required pam_deny.so
account required pam_faillock.so
account required pam_unix.so
`)
	wantNone(t, m.run(), "faillock-order")
}

// The line to change is the directory's, or the one that denies behind it.
func TestLocalUsersDeniedNamesTheLineThatDecides(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/etc/pam.d/example", "auth required pam_env.so\nauth [success=done default=die] pam_sss.so\nauth required pam_unix.so\n")
	wantAt(t, m.run(), "error local-users-denied /etc/pam.d/example:2")
}

// What a line that is broken does to the others is not reported for each of them.
func TestABrokenLineIsNotBlamedOnOthers(t *testing.T) {
	for _, line := range []string{"auth required pam_tally2.so", "bogus required pam_permit.so", "auth required"} {
		m := newSystem(t, debian)
		m.file("/etc/pam.d/example", "auth required pam_unix.so\n"+line+"\n")
		if found := m.run(); hasID(found, "success-denied") {
			t.Errorf("%s: got %q, want nothing said about pam_unix", line, shown(found))
		}
	}
}
