package check

import (
	"debug/elf"
	"os"
	"strings"
	"syscall"
	"testing"
)

// broken is a problem that a service's file alone does not have: how a system
// gets it, and how it is repaired.
type broken struct {
	id     string
	at     string // "severity id file:line"
	breaks func(*system)
	heals  func(*system)
}

const (
	serviceFile = "/etc/pam.d/example"
	moduleFile  = "/lib/x86_64-linux-gnu/security/pam_example.so"
)

func usesModule(object sharedObject) func(*system) {
	return func(m *system) {
		object.defines = append(object.defines, functions["auth"]...)
		m.file(moduleFile, string(object.bytes()))
		m.file(serviceFile, "auth required pam_example.so\n")
	}
}

func writes(path, text string) func(*system) {
	return func(m *system) { m.file(path, text) }
}

func sets(path string, mode os.FileMode) func(*system) {
	return func(m *system) { m.mode(path, mode) }
}

func removes(path string) func(*system) {
	return func(m *system) { m.remove(path) }
}

func inTurn(steps ...func(*system)) func(*system) {
	return func(m *system) {
		for _, step := range steps {
			step(m)
		}
	}
}

var (
	plain     = writes(serviceFile, "auth required pam_unix.so\n")
	container = inTurn(writes("/proc/self/loginuid", "1000"), writes("/proc/self/uid_map", "         0          0 4294967295\n"),
		writes("/proc/self/status", "Name:\tx\nCapBnd:\t00000000a80425fb\n"))
)

var brokenSystems = []broken{
	{"confdir-include", "warning confdir-include /conf/example:1", inTurn(
		func(m *system) { m.confdir = "/conf" },
		writes("/etc/pam.d/common", "auth required pam_unix.so\n"), writes("/conf/common", "auth required pam_deny.so\n"),
		writes("/conf/example", "@include common\n"), writes("/conf/other", "auth required pam_deny.so\n"),
	), removes("/conf/common")},
	{"special-file", "error special-file /etc/pam.d/example:0",
		func(m *system) {
			if err := syscall.Mkfifo(m.root+serviceFile, 0o644); err != nil {
				m.t.Fatal(err)
			}
		}, inTurn(removes(serviceFile), plain)},
	{"file-too-large", "error file-too-large /etc/pam.d/example:0",
		writes(serviceFile, "auth required pam_gone.so\n"+strings.Repeat("# \n", 1<<16)), plain},
	{"file-too-large", "error file-too-large /etc/pam.d/example:0", writes(serviceFile, strings.Repeat("#", 5<<20)), plain},
	{"file-too-large", "error file-too-large /etc/pam.d/common:0", inTurn(writes("/etc/pam.d/common", strings.Repeat("#", 5<<20)),
		writes(serviceFile, "auth include common\nauth required pam_unix.so\n")), removes("/etc/pam.d/common")},
	{"file-skipped", "warning file-skipped /etc/pam.d/example:0",
		func(m *system) { m.link("gone", serviceFile) }, inTurn(removes(serviceFile), plain)},
	{"file-writable", "error file-writable /etc/pam.d/example:0", inTurn(plain, sets(serviceFile, 0o666)), sets(serviceFile, 0o644)},
	{"file-writable", "error file-writable /etc/pam.d/example:0", inTurn(plain, sets("/etc/pam.d", 0o777)), sets("/etc/pam.d", 0o755)},
	{"file-writable", "error file-writable /etc/pam.d/example:0", inTurn(plain, sets("/etc/pam.d", 0o777|os.ModeSticky)), sets("/etc/pam.d", 0o755)},
	{"file-writable", "error file-writable /usr/lib/pam.d/example:0", // the first place can be filled
		inTurn(writes("/usr/lib/pam.d/example", "auth required pam_unix.so\n"), sets("/etc/pam.d", 0o777|os.ModeSticky)), sets("/etc/pam.d", 0o755)},
	{"file-writable", "error file-writable /etc/pam.d/example:0", // the link can be replaced
		inTurn(writes("/etc/ours/example", "auth required pam_unix.so\n"), writes("/srv/all/x", ""), sets("/srv/all", 0o777),
			func(m *system) {
				m.link("../../etc/ours/example", "/srv/all/link")
				m.link("../../srv/all/link", serviceFile)
			}),
		sets("/srv/all", 0o755)},
	{"file-writable", "error file-writable /etc/security/limits.conf:0", inTurn(writes("/etc/security/limits.conf", ""),
		writes(serviceFile, "session required pam_limits.so\n"), sets("/etc/security/limits.conf", 0o646)), sets("/etc/security/limits.conf", 0o644)},
	{"file-unreadable", "info file-unreadable /etc/pam.d/example:0", inTurn(plain, sets(serviceFile, 0o600)), sets(serviceFile, 0o644)},
	{"file-unreadable", "warning file-unreadable /etc/pam.d/example:0",
		inTurn(plain, writes("/usr/lib/pam.d/example", ""), sets(serviceFile, 0o600)), sets(serviceFile, 0o644)},
	{"other-missing", "warning other-missing /etc/pam.d/other:0",
		inTurn(plain, removes("/etc/pam.d/other")), writes("/etc/pam.d/other", "auth required pam_deny.so\n")},
	{"line-cut", "error line-cut /etc/pam.d/example:2",
		writes(serviceFile, "auth required pam_unix.so\nsession optional pam_exec.so /bin/true "+strings.Repeat("x", 1000)+"\n"), plain},
	{"stack-too-large", "warning stack-too-large /etc/pam.d/example:1", writes(serviceFile, strings.Repeat("auth [success=1 auth_err=2 default=ok] pam_succeed_if.so user = alice\n", 400)+
		"auth required pam_unix.so\nauth required pam_permit.so\n"), plain},
	{"line-endless", "error line-endless /etc/pam.d/example:1",
		writes(serviceFile, "session optional pam_exec.so "+strings.Repeat("x", 1022-len("session optional pam_exec.so "))+"\\\nx\n"), plain},
	{"module-not-elf", "error module-not-elf /etc/pam.d/example:1", inTurn(writes(moduleFile, "text"),
		writes(serviceFile, "auth required pam_example.so\n")), usesModule(sharedObject{})},
	{"module-wrong-machine", "error module-wrong-machine /etc/pam.d/example:1", usesModule(sharedObject{machine: elf.EM_AARCH64}), usesModule(sharedObject{})},
	{"module-library-missing", "error module-library-missing /etc/pam.d/example:1", usesModule(sharedObject{needs: []string{"libexample.so.1"}}),
		writes("/lib/x86_64-linux-gnu/libexample.so.1", string(sharedObject{}.bytes()))},
	{"module-library-missing", "error module-library-missing /etc/pam.d/example:1", // only ld.so.cache knows it
		inTurn(usesModule(sharedObject{needs: []string{"libexample.so.1"}}), writes("/opt/odd/libexample.so.1", string(sharedObject{}.bytes())),
			writes("/etc/ld.so.cache", string(linkerCache(map[string]string{"libother.so.1": "/opt/odd/libexample.so.1"})))),
		writes("/etc/ld.so.cache", "ld.so-1.7.0\x00\x00\x00\x00\x00"+string(linkerCache(map[string]string{"libexample.so.1": "/opt/odd/libexample.so.1"})))},
	{"module-library-missing", "error module-library-missing /etc/pam.d/example:1", // the library of a library
		inTurn(usesModule(sharedObject{needs: []string{"libexample.so.1"}}),
			writes("/usr/lib/libexample.so.1", string(sharedObject{needs: []string{"libdeep.so.2"}}.bytes()))),
		writes("/usr/lib/libdeep.so.2", string(sharedObject{}.bytes()))},
	{"module-library-missing", "error module-library-missing /etc/pam.d/example:1", // one for another machine does not count
		inTurn(usesModule(sharedObject{needs: []string{"libexample.so.1"}, runpath: "/opt/none:$ORIGIN/../own"}),
			writes("/usr/lib/libexample.so.1", string(sharedObject{machine: elf.EM_386}.bytes()))),
		writes("/lib/x86_64-linux-gnu/own/libexample.so.1", string(sharedObject{}.bytes()))},
	{"module-library-missing", "error module-library-missing /etc/pam.d/example:1", // RUNPATH is not for the libraries of libraries, RPATH is
		inTurn(usesModule(sharedObject{needs: []string{"libexample.so.1"}, runpath: "/opt/own"}),
			writes("/opt/own/libexample.so.1", string(sharedObject{needs: []string{"libdeep.so.2"}}.bytes())),
			writes("/opt/own/libdeep.so.2", string(sharedObject{}.bytes()))),
		usesModule(sharedObject{needs: []string{"libexample.so.1"}, rpath: "/opt/own"})},
	{"module-library-missing", "error module-library-missing /etc/pam.d/example:1", // it is too old
		inTurn(usesModule(sharedObject{needs: []string{"libexample.so.1"}, asks: map[string]string{"libexample.so.1": "V_2"}}),
			writes("/usr/lib/libexample.so.1", string(sharedObject{versions: []string{"V_1"}}.bytes()))),
		writes("/usr/lib/libexample.so.1", string(sharedObject{versions: []string{"V_1", "V_2"}}.bytes()))},
	{"module-symbol-missing", "error module-symbol-missing /etc/pam.d/example:1", usesModule(sharedObject{wants: []string{"pam_get_item", "example"}}),
		usesModule(sharedObject{wants: []string{"pam_get_item"}})},
	{"module-writable", "error module-writable /etc/pam.d/example:1", inTurn(usesModule(sharedObject{}), sets(moduleFile, 0o757)), sets(moduleFile, 0o755)},
	{"module-writable", "error module-writable /etc/pam.d/example:1", inTurn(writes("/tmp/x", ""), sets("/tmp", 0o777|os.ModeSticky),
		writes(serviceFile, "-auth sufficient /tmp/gone.so\nauth required pam_unix.so\n")), sets("/tmp", 0o755)},
	{"module-writable", "error module-writable /etc/pam.d/example:1", // nor is the directory there
		inTurn(writes("/srv/x", ""), sets("/srv", 0o777|os.ModeSticky), writes(serviceFile, "-auth sufficient /srv/some/gone.so\nauth required pam_unix.so\n")),
		sets("/srv", 0o755)},
	{"module-writable", "error module-writable /etc/pam.d/example:1", // libpam tries that first
		inTurn(writes(serviceFile, "auth required sub/pam_unix.so\n"), writes("/lib/security/sub/pam_unix.so", usual["pam_unix.so"]),
			writes("/lib/x86_64-linux-gnu/security/x", ""), sets("/lib/x86_64-linux-gnu/security", 0o777|os.ModeSticky)),
		sets("/lib/x86_64-linux-gnu/security", 0o755)},
	{"exec-writable", "error exec-writable /etc/pam.d/example:1", inTurn(writes("/tmp/x", ""), sets("/tmp", 0o777|os.ModeSticky),
		writes(serviceFile, "session optional pam_exec.so type=open_session /tmp/hook\n")), sets("/tmp", 0o755)},
	{"exec-command", "error exec-command /etc/pam.d/example:1", writes(serviceFile, "session required pam_exec.so type=open_session seteuid\n"),
		writes(serviceFile, "session required pam_exec.so type=open_session seteuid /bin/true\n")},
	{"exec-command", "warning exec-command /etc/pam.d/example:1", inTurn(writes("/bin/hook", ""), writes(serviceFile, "session optional pam_exec.so /bin/hook\n")),
		sets("/bin/hook", 0o755)},
	{"exec-writable", "error exec-writable /etc/pam.d/example:1", inTurn(writes(serviceFile, "session required pam_exec.so type=open_session /bin/true\n"),
		sets("/bin/true", 0o777)), sets("/bin/true", 0o755)},
	{"namespace-directory", "error namespace-directory /etc/security/namespace.conf:1", inTurn(
		writes("/etc/security/namespace.conf", "/var/some /var/inst/ user\n"), writes(serviceFile, "session required pam_namespace.so\n"),
		writes("/var/some/x", ""), writes("/var/inst/x", "")), sets("/var/inst", 0)},
	{"loginuid-container", "info loginuid-container /etc/pam.d/example:1", inTurn(container, writes(serviceFile, "session required pam_loginuid.so\n")),
		writes("/proc/self/status", "CapBnd:\t000001ffffffffff\n")},
	{"loginuid-container", "info loginuid-container /etc/pam.d/example:1", inTurn(container, writes(serviceFile, "session required pam_loginuid.so\n")),
		writes("/proc/self/uid_map", "0 100000 65536\n")},
}

func TestBrokenSystemsAreFoundAndRepairedOnesAreNot(t *testing.T) {
	for _, test := range brokenSystems {
		t.Run(test.id, func(t *testing.T) {
			t.Parallel()
			m := newSystem(t, debian)
			test.breaks(m)
			wantAt(t, m.run(), test.at)
			test.heals(m)
			wantNone(t, m.run(), test.id)
		})
	}
}

func TestRootokLetsInAnybodyWhereAProgramOfRootAsks(t *testing.T) {
	const stack = "auth sufficient pam_rootok.so\nauth required pam_unix.so\n"
	m := newSystem(t, debian)
	m.file("/etc/pam.d/sshd", stack)
	m.file("/etc/pam.d/su", stack)
	wantAt(t, m.run(), "error auth-trusted /etc/pam.d/sshd:1")
	wantAt(t, m.run(), "info auth-trusted /etc/pam.d/su:1")
}

// Also where other is the one, which is read with every service.
func TestATooLargeFileDoesNotKeepOthersFromBeingChecked(t *testing.T) {
	for _, large := range []string{"aaa", "zzz", "other"} {
		m := newSystem(t, debian)
		m.file(serviceFile, "auth required pam_gone.so\n")
		m.file("/etc/pam.d/"+large, strings.Repeat("#", 5<<20))
		found := m.run()
		wantAt(t, found, "error file-too-large /etc/pam.d/"+large+":0")
		wantAt(t, found, "error module-not-found /etc/pam.d/example:1")
	}
}

// In a sticky directory nobody replaces a directory that is root's.
func TestADirectoryInAStickyOneIsSafe(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/tmp/own/pam_unix.so", usual["pam_unix.so"])
	m.mode("/tmp", 0o777|os.ModeSticky)
	m.file(serviceFile, "auth required /tmp/own/pam_unix.so\n-auth optional /tmp/own/gone.so\n")
	wantNone(t, m.run(), "module-writable")
}

func TestAFileThatDoesNotOpenIsNotCalledEmpty(t *testing.T) {
	m := newSystem(t, debian)
	m.link("gone", serviceFile)
	wantNone(t, m.run("example"), "service-empty")
}

func TestNullokIsForAuthLines(t *testing.T) {
	m := newSystem(t, debian)
	m.file(serviceFile, "password required pam_unix.so nullok\n")
	wantNone(t, m.run(), "nullok")
}

// What is an example on the page is tested with it.
func TestEveryIDHasATestBothWays(t *testing.T) {
	tested := map[string]bool{"type-missing": true} // TestLineOfPamConfWithoutAType
	for _, test := range brokenSystems {
		tested[test.id] = true
	}
	for id, entry := range page() {
		example := strings.HasPrefix(entry.Examples[0].language, "pam") && strings.HasPrefix(entry.Examples[1].language, "pam")
		if !example && !tested[id] {
			t.Errorf("%s has no example that is a test, and is not among the broken systems", id)
		}
	}
}

func TestLineOfPamConfWithoutAType(t *testing.T) {
	m := newSystem(t, debian)
	for _, path := range []string{"/etc/pam.d/other", "/etc/pam.d"} {
		m.remove(path)
	}
	m.file("/etc/pam.conf", "example\nother auth required pam_deny.so\n")
	wantAt(t, m.run("example"), "error type-missing /etc/pam.conf:1")
	m.file("/etc/pam.conf", "example auth required pam_unix.so\n")
	wantNone(t, m.run("example"), "type-missing")
}

func TestBelongingToSomebodyElseIsFound(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	m := newSystem(t, debian)
	plain(m)
	if err := os.Chown(m.root+serviceFile, 12345, 0); err != nil {
		t.Fatal(err)
	}
	wantAt(t, m.run(), "error file-writable /etc/pam.d/example:0")
	if err := os.Chown(m.root+serviceFile, 0, 12345); err != nil {
		t.Fatal(err)
	}
	wantNone(t, m.run(), "file-writable")
	m.mode(serviceFile, 0o664)
	wantAt(t, m.run(), "error file-writable /etc/pam.d/example:0")
}

func TestALinkIsJudgedByWhatItLeadsTo(t *testing.T) {
	m := newSystem(t, debian)
	m.file("/srv/real", "auth required pam_unix.so\n")
	m.link("../../srv/real", serviceFile)
	wantNone(t, m.run(), "file-writable")
	m.mode("/srv", 0o777)
	wantAt(t, m.run(), "error file-writable /etc/pam.d/example:0")
}
