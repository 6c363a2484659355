package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// base is where the programs and everything of the rows are.
const base = "/run/bench"

// program is one of those that were gathered.
func program(name string) string { return filepath.Join(base, name) }

// makeMachine replaces what PAM and the servers read and write by copies, which
// vanish with this process's mount namespace.
func makeMachine(programs string) error {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"make mounts private", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"make /run", func() error { return makeRun(programs) }},
		{"replace /etc", replaceEtc},
		{"mount /proc", func() error {
			return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}},
		{"bring lo up", loopbackUp},
		{"replace /dev", devices},
		{"make empty directories", emptyDirectories},
		{"make users", makeUsers},
		{"make services", makeServices},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

func makeRun(programs string) error {
	if err := tmpfs("/run"); err != nil {
		return err
	}
	for _, dir := range []string{base, "/run/lock", "/run/user", "/run/sshd"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return command("cp", "-r", programs+"/.", base)
}

func replaceEtc() error {
	if err := command("cp", "-a", "/etc/.", base+"/etc"); err != nil {
		return err
	}
	if err := unix.Mount(base+"/etc", "/etc", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	os.Remove("/etc/nologin") // often not there
	// Programs that pam_motd would run: with them their time is what is measured.
	return os.RemoveAll("/etc/update-motd.d")
}

func emptyDirectories() error {
	for _, dir := range []string{"/home", "/var/log", "/var/mail", "/var/tmp", "/tmp"} {
		if err := tmpfs(dir); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
			return err
		}
	}
	for _, file := range []string{"/run/utmp", "/var/log/wtmp", "/var/log/btmp", "/var/log/lastlog"} {
		if err := os.WriteFile(file, nil, 0o660); err != nil {
			return err
		}
	}
	return nil
}

// devices gives the machine a /dev without a log: nothing that modules say reaches
// the log of the real one.
func devices() error {
	dev := base + "/dev"
	if err := os.MkdirAll(dev+"/pts", 0o755); err != nil {
		return err
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		path := filepath.Join(dev, name)
		if err := unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(1, minor))); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", dev+"/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return err
	}
	return unix.Mount(dev, "/dev", "", unix.MS_BIND|unix.MS_REC, "")
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

func tmpfs(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755")
}

func command(name string, args ...string) error { return commandWith("", name, args...) }

func commandWith(input, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
