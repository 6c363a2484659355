package realpam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where things are on the private machine.
const (
	base      = "/run/realpam"
	pamhelper = base + "/pamhelper"
	agent     = base + "/agent"
	records   = base + "/records" // what the sshd stack's scripts saw, a file for each user
)

// makeMachine replaces what PAM reads and writes by copies.
func makeMachine(programs string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := tmpfs("/run"); err != nil {
		return err
	}
	for _, dir := range []string{base, records, "/run/lock", "/run/user", base + "/etc"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := command("cp", programs+"/pamhelper", programs+"/agent", programs+"/pamhelper-pie", base); err != nil {
		return err
	}
	if err := command("cp", "-r", programs+"/installed", base); err != nil {
		return err
	}
	if err := command("cp", "-a", "/etc/.", base+"/etc"); err != nil {
		return err
	}
	if err := unix.Mount(base+"/etc", "/etc", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("replace /etc: %w", err)
	}
	if err := os.MkdirAll("/etc/pamhelper", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	if err := devices(); err != nil {
		return err
	}
	for _, dir := range []string{"/home", "/var/log", "/var/lib", "/var/mail", "/var/tmp", "/tmp"} {
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
	if err := os.RemoveAll("/etc/update-motd.d"); err != nil { // pam_motd runs what is in it
		return err
	}
	if err := listenLog(); err != nil {
		return err
	}
	if err := makeUsers(); err != nil {
		return err
	}
	if err := makeNodes(); err != nil {
		return err
	}
	if err := makeServers(); err != nil {
		return err
	}
	if err := makeStacked(); err != nil {
		return err
	}
	if err := keepDebiansSSHD(); err != nil {
		return err
	}
	return makeSSHD()
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

// devices gives the machine a /dev with a log socket and terminals of its own.
func devices() error {
	dev := base + "/dev"
	if err := os.MkdirAll(dev+"/pts", 0o755); err != nil {
		return err
	}
	for name, number := range map[string]uint64{
		"null": unix.Mkdev(1, 3), "zero": unix.Mkdev(1, 5), "full": unix.Mkdev(1, 7),
		"random": unix.Mkdev(1, 8), "urandom": unix.Mkdev(1, 9), "tty": unix.Mkdev(5, 0),
	} {
		path := filepath.Join(dev, name)
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(number)); err != nil {
			return fmt.Errorf("make device %s: %w", name, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", dev+"/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("mount devpts: %w", err)
	}
	if err := unix.Mount(dev, "/dev", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("replace /dev: %w", err)
	}
	return nil
}

func tmpfs(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", dir, err)
	}
	return nil
}

func command(name string, args ...string) error {
	return commandWith("", name, args...)
}

func commandWith(input, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// leftRunning reaps what has ended, as process 1 has to, and names the rest.
func leftRunning() (left []string) {
	for deadline := time.Now().Add(patience); ; {
		var status syscall.WaitStatus
		for {
			if pid, _ := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); pid <= 0 {
				break
			}
		}
		left = processes()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pollEvery)
	}
}

// processes names all processes of the machine but this one.
func processes() (names []string) {
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		if err == nil {
			names = append(names, entry.Name()+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return names
}
