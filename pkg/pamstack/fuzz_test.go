package pamstack

import (
	"os"
	"strings"
	"testing"
)

// FuzzLoad holds the reader, the dispatcher and the exploration against hostile
// files: they must come to an end, and not panic. Its input is a service's file
// and one that it may include.
func FuzzLoad(f *testing.F) {
	for _, seed := range [][2]string{
		{"auth required a.so\nauth include inc\nauth substack inc\n", "auth [success=1 default=ignore] b.so x=[y]\n-session optional c.so"},
		{"@include inc\n@include svc\n", "account [success=ok new_authtok_reqd=done default=die] a.so\nbogus"},
		{"auth substack svc\n", "auth required \\\n\n# c\n \\"},
		{strings.Repeat("x", 1022) + "\\\n", "auth [\x00]\r\n"},
		{"auth include svc\nauth include svc\n", "password [success=99999999999] .so"},
		{"auth [default=reset] a.so\nauth [default=2] [] [\\]]", "auth include"},
	} {
		f.Add(seed[0], seed[1], true)
		f.Add(seed[0], seed[1], false)
	}
	root := f.TempDir()
	if err := os.MkdirAll(root+etcDir, 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, service, included string, likeDebian bool) {
		libpam := upstream
		if likeDebian {
			libpam = debian
		}
		writeFile(t, root+etcDir+"/svc", service)
		writeFile(t, root+etcDir+"/inc", included)
		l := newLoader("svc", Config{Libpam: libpam, Root: root})
		l.lines = 1000 // the bounds are tested elsewhere
		l.modules["a.so"] = &Module{functions: [callCount]bool{Authenticate: true, AcctMgmt: true, Chauthtok: true}}
		s, err := l.load()
		if err != nil || s.Err != nil {
			return
		}
		for call := range callCount {
			codes := func(h *Handler, _ Call, _ bool) Code { return Code(h.Line.Number * 7 % 33) }
			if _, err := s.Predict(codes, call, call); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Explore(call, nil, 1000); err != nil {
				t.Fatal(err)
			}
		}
	})
}
