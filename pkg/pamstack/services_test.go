package pamstack

import (
	"fmt"
	"testing"
)

func TestServicesAreTheFilesOfTheDirectories(t *testing.T) {
	l := systemLoader(t, upstream, "", system{
		"/etc/pam.d/b": "", "/usr/lib/pam.d/a": "", "/usr/lib/pam.d/b": "", "/etc/pam.d/Login": "",
		"/etc/pam.d/b.dpkg-old": "", "/etc/pam.d/directory/x": "",
	})
	services, err := Services(l.Config)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range services {
		got = append(got, fmt.Sprint(s.Name, " ", s.File, " ", s.Hides, " ", s.Unreachable, " ", s.Leftover))
	}
	wantStrings(t, "services", got,
		"Login /etc/pam.d/Login [] true false",
		"a /usr/lib/pam.d/a [] false false",
		"b /etc/pam.d/b [/usr/lib/pam.d/b] false false",
		"b.dpkg-old /etc/pam.d/b.dpkg-old [] false true")
	l.Confdir = "/nosuch"
	if _, err := Services(l.Config); err == nil {
		t.Error("a directory that is not there: got no error, want one")
	}
}

func TestStackNamesTheFilesItIsFrom(t *testing.T) {
	for name, want := range map[string]string{"svc": "/etc/pam.d/svc /etc/pam.d/other", "nosuch": " /etc/pam.d/other", "other": "/etc/pam.d/other /etc/pam.d/other"} {
		s := loadSystem(t, debian, name, system{"/etc/pam.d/svc": "", "/etc/pam.d/other": ""})
		if got := s.File + " " + s.OtherFile; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	conf := system{"/etc/pam.conf": "svc auth required a.so\n"}
	for name, want := range map[string]string{"svc": "/etc/pam.conf ", "nosuch": " "} {
		s := loadSystem(t, debian, name, conf)
		if got := s.File + " " + s.OtherFile; got != want {
			t.Errorf("%s in pam.conf: got %q, want %q", name, got, want)
		}
	}
}
