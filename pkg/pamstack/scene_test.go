package pamstack

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// scene is a random service with the files around it, and the calls to make.
type scene struct {
	random  *rand.Rand
	libpam  Libpam
	files   map[string]string // text by path; a path that ends in a slash is a directory
	service string
	confdir string
	calls   []Call
	tag     int // of the last line; identifies a module's call
	// odd says that there is something wrong with some lines. Half of the scenes
	// are without, so that calls get far into their chains.
	odd bool
}

const confdir = "/conf"

func newScene(random *rand.Rand, libpam Libpam) *scene {
	s := &scene{random: random, libpam: libpam, files: map[string]string{}, odd: random.IntN(2) == 0}
	s.service = pick(s, choices{{60, "svc"}, {2, "other"}, {2, "SVC"}, {2, "/x/svc"}, {2, "nosuch"}})
	s.calls = []Call{Authenticate, Setcred, AcctMgmt, Chauthtok, OpenSession, CloseSession}
	if s.one(4) {
		s.random.Shuffle(len(s.calls), func(i, j int) { s.calls[i], s.calls[j] = s.calls[j], s.calls[i] })
	}
	for range s.random.IntN(3) {
		s.calls = append(s.calls, Call(s.random.IntN(int(callCount))))
	}
	switch kind := s.random.IntN(20); {
	case kind == 0:
		s.pamConf()
	case kind < 6:
		s.confdir = confdir
		fallthrough
	default:
		s.directories()
	}
	return s
}

// pamConf makes a system without service directories.
func (s *scene) pamConf() {
	var text strings.Builder
	for range 4 + s.random.IntN(16) {
		text.WriteString(pick(s, choices{{8, "svc "}, {2, "SVC\t"}, {3, "other "}, {1, "Other "}, {2, "login "}, {1, "svc"}}))
		text.WriteString(s.line(0))
	}
	s.files["/etc/pam.conf"] = text.String()
	for i := range 4 {
		s.files[fmt.Sprintf("/abs/inc%d", i)] = s.text(i+1, 4)
	}
}

// directories makes the usual system: service directories, files to include.
func (s *scene) directories() {
	s.files["/etc/pam.conf"] = "svc auth required pam_text.so\n"
	s.files["/usr/lib/pam.d/"] = ""
	dirs := s.libpam.ServiceDirs
	if s.confdir != "" {
		dirs = []string{confdir}
	}
	for _, dir := range append([]string{etcDir}, dirs...) {
		s.sometimes(15, dir+"/svc", 0, 14)
		s.sometimes(12, dir+"/other", 0, 8)
		for i := range 4 {
			s.sometimes(13, fmt.Sprintf("%s/inc%d", dir, i), i+1, 4)
		}
	}
	for i := range 4 {
		s.sometimes(15, fmt.Sprintf("/abs/inc%d", i), i+1, 4)
	}
	if s.odd && s.one(15) {
		s.files["/etc/pam.d/inc3/"] = ""
		delete(s.files, "/etc/pam.d/inc3")
	}
}

// sometimes makes a file, in n of 16 cases.
func (s *scene) sometimes(n int, path string, depth, lines int) {
	if s.random.IntN(16) < n {
		s.files[path] = s.text(depth, lines)
	}
}

// text makes a file that includes those of a larger depth.
func (s *scene) text(depth, lines int) string {
	var text strings.Builder
	if s.odd && s.one(50) {
		text.WriteString("\xef\xbb\xbf")
	}
	for range lines/2 + s.random.IntN(lines/2+1) {
		text.WriteString(s.line(depth))
	}
	if s.one(8) {
		return strings.TrimSuffix(text.String(), "\n")
	}
	if s.odd && s.one(75) {
		text.WriteString("auth required \\\n")
	}
	return text.String()
}

// write puts the files in place of those of the scene before.
func (s *scene) write(t *testing.T, root string) {
	t.Helper()
	for _, dir := range append([]string{"/etc", confdir, "/abs"}, s.libpam.ServiceDirs...) {
		if err := os.RemoveAll(root + dir); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range s.files {
		if dir, found := strings.CutSuffix(path, "/"); found {
			makeDir(t, root+dir)
			continue
		}
		writeFile(t, root+path, text)
	}
}

// String shows the scene to whoever has to find the mistake.
func (s *scene) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "pam_start(%q), confdir %q, calls %v\n", s.service, s.confdir, s.calls)
	for _, path := range slices.Sorted(maps.Keys(s.files)) {
		fmt.Fprintf(&out, "--- %s\n%q\n", path, strings.SplitAfter(s.files[path], "\n"))
	}
	return out.String()
}
