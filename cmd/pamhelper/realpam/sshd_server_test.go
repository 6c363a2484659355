package realpam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// What is made with the machine, before other threads could hold a program that
// is still being written.
const (
	probe         = base + "/probe"          // testdata/probe.c
	askpass       = base + "/askpass"        // tells ssh the password in ASKED
	answering     = base + "/answering"      // answers ssh by the table in ANSWERS
	inServer      = base + "/in-server"      // runs pamhelper where a server is
	debiansStack  = base + "/openssh-server" // the file sshd as the package has it
	loopback      = "127.0.0.1"              // where the servers are, and their clients
	serverProgram = "/usr/sbin/sshd"         // sshd insists on an absolute name
	emptyDir      = "/run/sshd"              // of its process without privileges
	inServerText  = `#!/bin/sh
dir=${0%/*}
exec nsenter --mount=/proc/$(cat "$dir/pid")/ns/mnt sh "$dir/start" ` + pamhelper + ` "$@"
`
	askpassText   = "#!/bin/sh\nprintf '%s\\n' \"$ASKED\"\n"
	sshdsAccount  = "sshd:x:122:65534::/run/sshd:/usr/sbin/nologin\n"
	serverOptions = `ListenAddress ` + loopback + `
PidFile none
UsePAM yes
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
`
)

// ports numbers the servers, below the range that clients get theirs from.
var ports atomic.Int32

// makeServers makes what Debian's sshd needs on the machine. It comes before the
// stack of sshd is replaced.
func makeServers() error {
	ports.Store(2200)
	if err := os.Mkdir(emptyDir, 0o755); err != nil {
		return err
	}
	if err := command("cp", "/etc/pam.d/sshd", debiansStack); err != nil {
		return fmt.Errorf("openssh-server's stack (make test installs it): %w", err)
	}
	if err := command("gcc", "-Wall", "-Wextra", "-Werror", "-o", probe, "testdata/probe.c"); err != nil {
		return err
	}
	for path, text := range map[string]string{askpass: askpassText, answering: answerScript, inServer: inServerText} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			return err
		}
	}
	return makeServedUsers()
}

// server is Debian's sshd in a mount namespace of its own, where some files are
// others, and a way to a helper in the same one.
type server struct {
	dir    string
	helper string // pamhelper in the server's mount namespace
	port   int
	cmd    *exec.Cmd
	log    workerLog
}

// serve starts sshd with a stack and with files in place of the machine's, by
// their paths. Both sshd and the helper are started by a script, start, which
// becomes its arguments.
func serve(t *testing.T, stack, start string, files map[string]string) *server {
	t.Helper()
	ready(t)
	s := &server{dir: t.TempDir(), port: int(ports.Add(1))}
	s.helper = s.path("pamhelper")
	if err := os.Symlink(inServer, s.helper); err != nil {
		t.Fatal(err)
	}
	if err := command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.path("key")); err != nil {
		t.Fatal(err)
	}
	key := readFile(t, s.path("key.pub"))
	writeFile(t, s.path("known_hosts"), fmt.Sprintf("[%s]:%d %s", loopback, s.port, key))
	writeFile(t, s.path("sshd_config"), fmt.Sprintf("Port %d\nHostKey %s\n%s", s.port, s.path("key"), serverOptions))
	writeFile(t, s.path("start"), start)
	s.start(t, s.replace(t, stack, files))
	return s
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

// own is the server's own file for one of the machine's.
func (s *server) own(path string) string { return s.path(strings.ReplaceAll(path, "/", "+")) }

// replace writes the server's own files and returns the commands that put them
// over the machine's.
func (s *server) replace(t *testing.T, stack string, files map[string]string) (mounts string) {
	t.Helper()
	mount := func(path, text string) {
		writeFile(t, s.own(path), text)
		mounts += fmt.Sprintf("mount --bind %s %s\n", s.own(path), path)
	}
	mount("/etc/pam.d/sshd", stack)
	for path, text := range files {
		mount(path, text)
	}
	return mounts
}

func (s *server) start(t *testing.T, mounts string) {
	t.Helper()
	s.cmd = exec.Command("unshare", "--mount", "sh", "-ec", mounts+"exec sh "+s.path("start")+" "+serverProgram+" -D -e -f "+s.path("sshd_config"))
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.cmd.Wait()
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.String())
		}
	})
	writeFile(t, s.path("pid"), strconv.Itoa(s.cmd.Process.Pid))
	eventually(t, func() bool { return strings.Contains(s.log.String(), "Server listening") }, "a server that listens; its log:\n%s", &s.log)
}

// inside is a command in the server's mount namespace.
func (s *server) inside(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{fmt.Sprintf("--mount=/proc/%d/ns/mnt", s.cmd.Process.Pid), name}, args...)...)
}
