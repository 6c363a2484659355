package realpam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// loadedModule builds a module that does something when it is loaded.
func loadedModule(t *testing.T, file, version, onLoad string) string {
	t.Helper()
	ready(t)
	err := command("gcc", "-shared", "-fPIC", "-o", file, `-DVERSION="`+version+`"`, "-DON_LOAD="+onLoad, "testdata/loaded.c", "-lpam")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// service gives the helper another service of its own, in the place of one of the
// machine's.
func (g *ground) service(name, text string) {
	g.t.Helper()
	file := filepath.Join(g.t.TempDir(), name)
	writeFile(g.t, file, text)
	g.before("mount --bind '" + file + "' /etc/pam.d/" + name)
}

// versionOf logs in and returns which module it was.
func (b *brokered) versionOf(launcher ipc.Launcher) string {
	b.t.Helper()
	client := b.open(launcher)
	defer logsOut(b.t, client)
	return strings.TrimSpace(runIn(b.t, client, "echo $MODULE", "").stdout)
}

// mapsFile reports whether a process has a file in its memory.
func mapsFile(t *testing.T, pid int, file string) bool {
	t.Helper()
	return strings.Contains(readFile(t, fmt.Sprintf("/proc/%d/maps", pid)), " "+file)
}

func TestASpareHasTheModulesOfItsServices(t *testing.T) {
	for _, c := range []struct {
		flags []string
		loads bool
	}{{nil, true}, {[]string{"--preload=false"}, false}} {
		t.Run(fmt.Sprint(c.flags), func(t *testing.T) {
			t.Parallel()
			dir := public(t)
			absolute := loadedModule(t, dir+"/pam_absolute.so", "1", "(void)0")
			g := newGround(t, "auth optional "+absolute, "-session optional pam_nosuch.so")
			g.service("newusers", "auth include sshd\naccount required pam_deny.so\n")
			g.service("chpasswd", "auth required pam_rhosts.so\n")
			b := g.broker(append(c.flags, "--policy", policyFile(t, `service { name: "newusers" } service { name: "sshd" } service { name: "not-there" }`))...)
			spare := b.spare()
			for _, module := range []string{absolute, "/pam_warn.so", "/pam_permit.so", "/pam_deny.so"} {
				maps := readFile(t, fmt.Sprintf("/proc/%d/maps", spare))
				if got := strings.Contains(maps, module); got != c.loads {
					t.Errorf("the spare has %s: %v, want %v", module, got, c.loads)
				}
			}
			if maps := readFile(t, fmt.Sprintf("/proc/%d/maps", spare)); strings.Contains(maps, "pam_rhosts.so") {
				t.Error("the spare has a module of a service that is not served")
			}
			if got := b.versionOf(b.launcher()); got != "1" {
				t.Errorf("the login had module %q, want 1", got)
			}
		})
	}
}

func TestAModuleThatIsReplacedWhileASpareWaitsIsTheNewOne(t *testing.T) {
	t.Parallel()
	dir := public(t)
	module := loadedModule(t, dir+"/pam_loaded.so", "1", "(void)0")
	next := loadedModule(t, dir+"/new.so", "2", "(void)0")
	b := newGround(t, "auth optional "+module).broker()
	launcher := b.launcher()
	if got := b.versionOf(launcher); got != "1" {
		t.Fatalf("module: got %q, want 1", got)
	}
	waiting := b.spare()
	if err := os.Rename(next, module); err != nil {
		t.Fatal(err)
	}
	client := b.open(launcher)
	if got := strings.TrimSpace(runIn(t, client, "echo $MODULE", "").stdout); got != "2" {
		t.Errorf("behind the replacing: module %q, want 2", got)
	}
	if worker := b.worker(); worker != waiting {
		t.Errorf("the login has process %d, want %d, started again", worker, waiting)
	}
	if line := readFile(t, fmt.Sprintf("/proc/%d/cmdline", waiting)); strings.Contains(line, "--spare") || strings.Contains(line, "--preload") {
		t.Errorf("the command line of what started again is %q", line)
	}
	b.logs(fmt.Sprintf("[%d]", waiting), module+" has been replaced since this worker was started: it starts again")
	logsOut(t, client)
	b.spare()
	if got := b.versionOf(launcher); got != "2" {
		t.Errorf("the spare after that: module %q, want 2", got)
	}
	waitCalls(t, b.user, whole+" "+whole+" "+whole)
}

// A library is mounted over another one: it has another inode, as after an upgrade.
func TestALibraryThatIsReplacedWhileASpareWaitsIsTheNewOne(t *testing.T) {
	for _, library := range []string{"libpam.so.0", "libc.so.6"} {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			b := newGround(t).broker()
			launcher := b.launcher()
			waiting := b.spare()
			found := regexp.MustCompile(` (/\S*/` + strings.TrimSuffix(library, ".0") + `\S*)\n`).FindStringSubmatch(readFile(t, fmt.Sprintf("/proc/%d/maps", waiting)))
			if found == nil {
				t.Fatalf("the spare has no %s", library)
			}
			replacement := filepath.Join(public(t), filepath.Base(found[1]))
			if err := command("cp", found[1], replacement); err != nil {
				t.Fatal(err)
			}
			if err := command("nsenter", "--mount", "--target", strconv.Itoa(waiting), "mount", "--bind", replacement, found[1]); err != nil {
				t.Fatal(err)
			}
			client := b.open(launcher)
			if worker := b.worker(); worker != waiting {
				t.Errorf("the login has process %d, want %d, started again", worker, waiting)
			}
			b.logs(library+" has been replaced since this worker was started", fmt.Sprintf("[%d]", waiting))
			info, err := os.Stat(replacement)
			if err != nil {
				t.Fatal(err)
			}
			inode := fmt.Sprintf(" %d ", info.Sys().(*syscall.Stat_t).Ino)
			if maps := readFile(t, fmt.Sprintf("/proc/%d/maps", waiting)); !strings.Contains(maps, inode) {
				t.Errorf("the worker does not have the new %s, inode%s:\n%s", library, inode, maps)
			}
			logsOut(t, client)
			waitCalls(t, b.user, whole)
		})
	}
}

// The module is of another service: a login that does not need it goes on.
func TestAModuleThatEndsSparesKeepsNoLoginOut(t *testing.T) {
	for _, c := range []struct{ name, onLoad, says string }{
		{"crashes", "abort()", "was ended by SIGABRT while module pam_crashes.so was being loaded: logins go on without it, and another one is started in 1s"},
		{"exits", "exit(0)", "ended with status 4 while module pam_exits.so was being loaded: logins go on without it, and another one is started in 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			module := loadedModule(t, public(t)+"/pam_"+c.name+".so", "1", c.onLoad)
			g := newGround(t)
			g.service("chpasswd", "auth required "+module+"\n")
			b := g.broker("--policy", policyFile(t, `service { name: "sshd" } service { name: "chpasswd" }`))
			launcher := b.launcher()
			b.logs("spare worker", c.says)
			logsOut(t, b.open(launcher))
			b.logs("another one is started in 2s")
			if n := strings.Count(b.log.String(), "spare worker"); n != 2 {
				t.Errorf("%d lines about spares, want one for each that was started:\n%s", n, b.log)
			}
			// Who repairs it need not wait for the next one.
			loadedModule(t, module, "1", "(void)0")
			b.signal(syscall.SIGHUP)
			b.spare()
		})
	}
}

func TestASpareWhoseModuleHangsEndsWithTheBrokerAndIsReplaced(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the time that a spare has")
	}
	t.Parallel()
	module := loadedModule(t, public(t)+"/pam_hangs.so", "1", "for (;;) pause()")
	g := newGround(t)
	g.service("chpasswd", "auth required "+module+"\n")
	b := g.broker("--policy", policyFile(t, `service { name: "sshd" } service { name: "chpasswd" }`))
	launcher := b.launcher()
	var hanging []int
	hangs := func() bool {
		hanging = sparesOf(t, b.cmd.Process.Pid)
		return len(hanging) == 1 && mapsFile(t, hanging[0], module)
	}
	eventually(t, hangs, "a spare in the module")
	logsOut(t, b.open(launcher))
	b.logs(fmt.Sprintf("[%d]: spare: module pam_hangs.so does not return from being loaded", hanging[0]))
	b.logs(fmt.Sprintf("spare worker %d did not answer, and ended with status 0: logins go on without it, and another one is started in 1s", hanging[0]))
	eventually(t, hangs, "another spare in the module")
	began := time.Now()
	b.signal(syscall.SIGKILL)
	b.exits(-1)
	gone(t, hanging[0])
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the spare in the module ended %s behind its broker, want at once", took)
	}
	syscall.Kill(b.agent, syscall.SIGKILL)
}

// world is what a process finds around itself, as far as two logins can have the
// same.
const world = `ulimit -Sa; ulimit -Ha; umask; pwd; env | sort; id; grep -E '^(Sig[PBIC]|Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status; ls /proc/self/fd`

// comparedLogin is what is to be seen of a login, and of one that is refused.
type comparedLogin struct{ results, inModule, inSession, log string }

// see makes a login, and one that is refused, and looks around.
func (b *brokered) see(waits bool, around string) (s comparedLogin) {
	b.t.Helper()
	launcher := b.launcher()
	for _, steps := range [][]ipc.Step{{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession}, {ipc.Authenticate, ipc.OpenSession}} {
		if waits {
			b.spare()
		}
		client, err := ipc.Dial(b.t.Context(), launcher, ipc.Options{})
		if err != nil {
			b.t.Fatal(err)
		}
		login := loginOf(b.user)
		if len(steps) == 2 {
			login.Service = "chpasswd"
		}
		results, _ := client.Login(b.t.Context(), login, steps...)
		if len(steps) == 4 {
			s.inSession = runIn(b.t, client, world, "").stdout
			last, err := client.Do(b.t.Context(), ipc.CloseSession, ipc.End)
			if err != nil {
				b.t.Error(err)
			}
			results = append(results, last...)
		}
		for _, r := range results {
			r.Duration = 0
			s.results += fmt.Sprintf("%+v %+v\n", r, r.Decision)
		}
		client.Close()
	}
	eventually(b.t, func() bool { return len(b.workers()) == 0 }, "the end of the workers")
	s.inModule = readFile(b.t, around)
	os.Remove(around)
	lines := strings.Split(regexp.MustCompile(`(?m)^pid=.*\n|pamhelper\[\d+\]|0x[0-9a-f]{6,}`).ReplaceAllString(b.log.String(), ""), "\n")
	s.log = strings.Join(lines, "\n")
	return s
}

func TestALoginThroughASpareIsTheSame(t *testing.T) {
	t.Parallel()
	dir := public(t)
	around, script := dir+"/around", dir+"/look"
	writeFile(t, script, "#!/bin/sh\n{ echo $PAM_TYPE; "+world+"; } >>"+around+"\necho printed by $PAM_TYPE\n")
	limits := dir + "/limits"
	writeFile(t, limits, "* soft nofile 123\n* hard core 7\n* soft nproc 4321\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	look := " optional pam_exec.so quiet " + script
	g := newGround(t, "auth optional pam_nosuch.so", "auth"+look, "account"+look, "session required pam_limits.so conf="+limits,
		"session required pam_umask.so umask=0027", "session optional pam_env.so", "session"+look, "-session optional pam_neither.so")
	g.service("chpasswd", "auth [success=1 default=ignore] pam_nosuch.so\nauth required pam_deny.so\naccount required pam_permit.so\n")
	policy := policyFile(t, `service { name: "sshd" } service { name: "chpasswd" }`)
	cold := g.broker("--spare", "0", "--policy", policy).see(false, around)
	if !strings.Contains(cold.inSession, "123") || !strings.Contains(cold.inModule, "open_session") || !strings.Contains(cold.log, "pam_deny.so") {
		t.Fatalf("what is compared is not what it is meant to be: %+v", cold)
	}
	for _, flags := range [][]string{{"--preload=false"}, {"--preload"}} {
		got := g.broker(append(slices.Clone(flags), "--policy", policy)...).see(true, around)
		for _, c := range []struct{ what, got, want string }{
			{"results", got.results, cold.results}, {"the world of a module", got.inModule, cold.inModule},
			{"the world of the session", got.inSession, cold.inSession}, {"the log", got.log, cold.log},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s: got\n%s\nwant, as of a worker that did not wait,\n%s", flags, c.what, c.got, c.want)
			}
		}
	}
}
