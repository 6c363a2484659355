package realpam_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// What the kernel refuses reaches nobody of the helper: those attacks have no line in
// its log.
func TestATakenOverAgentCannotReachIntoTheMachine(t *testing.T) {
	t.Parallel()
	attempted(t, reaches, func(g *takenOver) {
		g.scene.Setuid = filepath.Join(public(g.t), "id")
		if err := errors.Join(command("cp", "/usr/bin/id", g.scene.Setuid), os.Chmod(g.scene.Setuid, 0o755|os.ModeSetuid)); err != nil {
			g.t.Fatal(err)
		}
		// Without no_new_privs it would make root of the agent's user.
		if r := run(g.t, "", "setpriv", "--reuid", strconv.Itoa(g.uid+10000), "--clear-groups", g.scene.Setuid, "-u"); r.stdout != "0\n" {
			g.t.Fatalf("a setuid program on this machine: got %+v, want uid 0", r)
		}
	})
}

// unprivileged is a transport where the agent is not root.
var unprivileged = []transport{overBroker, overSocket}

// victim opens a session with a process, and finds the processes.
func (a *intruder) victim() (pids map[string]int, done func() string) {
	p := a.inSession()
	output := p.running(startRequest("echo $PPID $$; read x; echo alive", 3))
	_ = output
	pids = map[string]int{"who starts workers": a.Helper}
	for _, pid := range offspring(a.Helper) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.HasPrefix(string(line), "pamhelper\x00worker") || strings.Contains(string(line), "/pamhelper\x00worker") {
			pids["the worker"] = pid
			for _, child := range offspring(pid) {
				pids["the user's process"] = child
			}
		}
	}
	if len(pids) != 3 {
		panic(fmt.Sprintf("processes: %v", pids))
	}
	return pids, func() string {
		for _, pid := range pids {
			if !lives(pid) {
				return "; one has ended"
			}
		}
		return "; all live, and the login ends in order: " + strings.TrimPrefix(p.take(ipc.CloseSession, ipc.End).end(), opened+", started, ")
	}
}

// offspring are found by their parents, as every user can.
func offspring(parent int) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		status, _ := os.ReadFile("/proc/" + entry.Name() + "/status")
		if strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", parent)) {
			pid, _ := strconv.Atoi(entry.Name())
			pids = append(pids, pid)
		}
	}
	return pids
}

func lives(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && !strings.Contains(string(status), "\nState:\tZ")
}

// onEach does something to each process, and says what was not refused.
func onEach(what func(pid int) error) func(*intruder) string {
	return func(a *intruder) string {
		pids, done := a.victim()
		var found []string
		for name, pid := range pids {
			if err := what(pid); !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
				found = append(found, fmt.Sprintf("%s: %v", name, err))
			}
		}
		slices.Sort(found)
		if len(found) == 0 {
			found = []string{"refused"}
		}
		return strings.Join(found, ", ") + done()
	}
}

const unharmed = "refused; all live, and the login ends in order: exited, close_session=SUCCESS, end=SUCCESS"

func onProcesses(name string, what func(pid int) error) attack {
	return attack{name: name, do: onEach(what), wants: unharmed, only: unprivileged}
}

func sending(sig unix.Signal) func(int) error {
	return func(pid int) error { return unix.Kill(pid, sig) }
}

func opening(file string, flags int) func(int) error {
	return func(pid int) error {
		f, err := os.OpenFile(fmt.Sprintf("/proc/%d/%s", pid, file), flags, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if n, err := f.Read(make([]byte, 1)); n == 0 && err != nil && !errors.Is(err, unix.EISDIR) {
			return err // some are refused only then
		}
		return nil
	}
}

func listing(dir string) func(int) error {
	return func(pid int) error {
		_, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, dir))
		return err
	}
}

func following(link string) func(int) error {
	return func(pid int) error {
		_, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, link))
		return err
	}
}

// onFiles does things to files of root, and says which were not refused.
func onFiles(name string, what map[string]func() error) attack {
	return attack{name: name, only: unprivileged, wants: "refused",
		do: func(*intruder) string {
			var found []string
			for name, do := range what {
				if err := do(); !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
					found = append(found, fmt.Sprintf("%s: %v", name, err))
				}
			}
			slices.Sort(found)
			if len(found) == 0 {
				return "refused"
			}
			return strings.Join(found, ", ")
		},
	}
}

func written(path string, flags int) func() error {
	return func() error {
		f, err := os.OpenFile(path, flags, 0o644)
		if err == nil {
			f.Close()
		}
		return err
	}
}

var thePolicy = policyDir + "/policy.textproto"

var reaches = table("CannotReachIntoTheMachine",
	onProcesses("to end them", sending(unix.SIGKILL)),
	onProcesses("to stop them", sending(unix.SIGSTOP)),
	onProcesses("to signal them in another way", func(pid int) error {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
	}),
	onProcesses("to trace them", func(pid int) error { return unix.PtraceAttach(pid) }),
	onProcesses("to seize them", func(pid int) error { return unix.PtraceSeize(pid) }),
	onProcesses("to read their memory", opening("mem", os.O_RDONLY)),
	onProcesses("to write their memory", opening("mem", os.O_RDWR)),
	onProcesses("to copy their memory", func(pid int) error {
		buf := make([]byte, 8)
		_, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &buf[0], Len: 8}}, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&buf[0])), Len: 8}}, 0)
		return err
	}),
	onProcesses("to read their environment", opening("environ", os.O_RDONLY)),
	onProcesses("to read their maps", opening("maps", os.O_RDONLY)),
	onProcesses("to read what they wait in", opening("syscall", os.O_RDONLY)),
	onProcesses("to list their descriptors", listing("fd")),
	onProcesses("to enter their root", listing("root/etc")),
	onProcesses("to follow their directory", following("cwd")),
	onProcesses("to find their program", following("exe")),
	onProcesses("to take a descriptor", func(pid int) error {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		got, err := unix.PidfdGetfd(fd, 3, 0)
		if err == nil {
			unix.Close(got)
		}
		return err
	}),
	onProcesses("to enter their namespaces", func(pid int) error {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Setns(fd, unix.CLONE_NEWNS)
	}),
	onProcesses("to change their limits", func(pid int) error { return unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: 1}, nil) }),
	onProcesses("to be killed for them when memory is short", opening("oom_score_adj", os.O_WRONLY)),
	onProcesses("to slow them down", func(pid int) error { return unix.Setpriority(unix.PRIO_PROCESS, pid, 19) }),
	onFiles("records of logins", map[string]func() error{
		"list":      func() error { _, err := os.ReadDir(recordDir); return err },
		"fill":      written(recordDir+"/x", os.O_CREATE|os.O_WRONLY),
		"directory": func() error { return os.Mkdir(recordDir+"/x", 0o700) },
		"link":      func() error { return os.Symlink("/etc/shadow", recordDir+"/slots") },
		"hard link": func() error { return os.Link("/etc/passwd", recordDir+"/x") },
		"replace":   func() error { return os.Rename(recordDir, "/run/other") },
		"beside":    written("/run/pamhelper.sock2", os.O_CREATE|os.O_WRONLY),
		"slots":     written(recordDir+"/slots/logins.0", os.O_RDWR),
	}),
	onFiles("the policy", map[string]func() error{
		"write":            written(thePolicy, os.O_WRONLY),
		"cut":              func() error { return os.Truncate(thePolicy, 0) },
		"remove":           func() error { return os.Remove(thePolicy) },
		"rename it":        func() error { return os.Rename(thePolicy, policyDir+"/old") },
		"link":             func() error { return os.Symlink("/tmp/policy", thePolicy+"2") },
		"hard link":        func() error { return os.Link(thePolicy, policyDir+"/second") },
		"rename its place": func() error { return os.Rename(policyDir, "/etc/pamhelper2") },
		"a place above":    func() error { return os.Mkdir("/etc/pamhelper2", 0o755) },
		"its mode":         func() error { return os.Chmod(thePolicy, 0o666) },
		"its owner":        func() error { return os.Chown(thePolicy, os.Getuid(), -1) },
		"mount over it":    func() error { return unix.Mount("tmpfs", policyDir, "tmpfs", 0, "") },
		"the services":     written("/etc/pam.d/sshd", os.O_WRONLY),
		"a new service":    written("/etc/pam.d/mine", os.O_CREATE|os.O_WRONLY),
		"the helper":       written(pamhelper, os.O_WRONLY),
		"the passwords":    written("/etc/shadow", os.O_RDONLY),
	}),
	attack{name: "root by a setuid program", only: unprivileged,
		do: func(a *intruder) string {
			out, err := exec.Command(a.Setuid, "-u").Output()
			if strings.TrimSpace(string(out)) == strconv.Itoa(os.Getuid()) {
				return "still the agent"
			}
			return fmt.Sprintf("uid %s, %v", out, err)
		},
		wants: "still the agent",
	},
	attack{name: "root by a system call", only: unprivileged,
		do: func(*intruder) string {
			return fmt.Sprint(unix.Setuid(0), ", ", unix.Setresgid(0, 0, 0), ", ", unix.Setgroups([]int{0}))
		},
		wants: "operation not permitted, operation not permitted, operation not permitted",
	},
	attack{name: "a worker of its own", only: unprivileged, // it has the agent's rights
		do: func(a *intruder) string {
			b := *a
			b.launch = execLauncher(pamhelper, os.Stderr)
			return b.logIn(a.User, password, inSessionSteps...).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, account=skipped, credentials=skipped, open_session=skipped",
		logs:  `login of "{user}" through "sshd": authenticate: …`,
	},
	attack{name: "a worker of its own that debugs", only: unprivileged,
		do: func(a *intruder) string {
			dir, err := os.MkdirTemp("/var/tmp", "confdir")
			if err != nil {
				panic(err)
			}
			defer os.RemoveAll(dir)
			os.WriteFile(dir+"/sshd", []byte(complete("auth required pam_permit.so")), 0o644)
			b := *a
			b.launch = execLauncher(pamhelper, os.Stderr, "--debug", "--confdir", dir)
			return b.logIn(a.User, "", inSessionSteps...).tell(onTerminalOf("xterm")).end()
		},
		wants: "welcome, begin=SUCCESS, authenticate=SUCCESS, account=SUCCESS, credentials=SUCCESS, open_session=SUCCESS, not started: the helper runs with uid … and cannot become user …",
	},
	attack{name: "another login's socket by its name", only: unprivileged,
		do: func(a *intruder) string {
			sockets, err := os.ReadFile("/proc/net/unix")
			if err != nil {
				return err.Error()
			}
			var named []string
			for line := range strings.Lines(string(sockets)) {
				if fields := strings.Fields(line); len(fields) == 8 && strings.Contains(fields[7], "pamhelper") && fields[7] != a.Socket {
					named = append(named, fields[7])
				}
			}
			return fmt.Sprintf("%d names", len(named))
		},
		wants: "0 names",
	},
	attack{name: "input into root's terminal", only: unprivileged,
		do: func(*intruder) string {
			tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
			if err != nil {
				return errors.Unwrap(err).Error()
			}
			defer tty.Close()
			char := byte('x')
			_, _, errno := unix.Syscall(unix.SYS_IOCTL, tty.Fd(), unix.TIOCSTI, uintptr(unsafe.Pointer(&char)))
			return "the terminal is there: " + errno.Error()
		},
		wants: "no such device or address",
	},
	attack{name: "what root has left to its agent", only: []transport{overBroker},
		do: func(*intruder) string {
			status, _ := os.ReadFile("/proc/self/status")
			var found []string
			for line := range strings.Lines(string(status)) {
				for _, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"} {
					if fields := strings.Fields(line); fields[0] == name+":" {
						found = append(found, name+"="+strings.TrimLeft(fields[1], "0"))
					}
				}
			}
			var variables []string
			for _, v := range os.Environ() {
				name, _, _ := strings.Cut(v, "=")
				variables = append(variables, name)
			}
			slices.Sort(variables)
			return strings.Join(found, " ") + "; " + strings.Join(variables, " ")
		},
		wants: "CapInh= CapPrm= CapEff= CapBnd= CapAmb= NoNewPrivs=1; HOME LOGNAME PATH SHELL TERM USER",
	},
)
