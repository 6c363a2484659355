package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tracefs is the directory of a mounted tracefs.
type tracefs string

// openTracefs mounts the tracefs, of which the kernel has one, where nobody else
// sees it and where it goes away with the process: on no directory at all.
func openTracefs() (tracefs, error) {
	fd, err := mountTracefs()
	dir := tracefs(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil { // such as a kernel before 5.2
		const usual = "/sys/kernel/tracing"
		var stat unix.Statfs_t
		if unix.Statfs(usual, &stat) != nil || stat.Type != unix.TRACEFS_MAGIC {
			if errors.Is(err, unix.ENODEV) {
				return "", errors.New("this kernel has no tracefs: it is built without CONFIG_FTRACE")
			}
			return "", fmt.Errorf("mount the kernel's tracefs: %w", explained(err))
		}
		dir = usual
	}
	if _, err := os.Stat(dir.path("uprobe_events")); errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("this kernel cannot probe programs: it is built without CONFIG_UPROBE_EVENTS")
	}
	// Where the kernel is locked down, this is what fails.
	file, err := os.OpenFile(dir.path("uprobe_events"), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return "", fmt.Errorf("open uprobe_events of the kernel's tracefs: %w", explained(err))
	}
	return dir, file.Close()
}

func mountTracefs() (fd int, err error) {
	context, err := unix.Fsopen("tracefs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(context)
	if err := unix.FsconfigCreate(context); err != nil {
		return -1, err
	}
	return unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOEXEC|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

// lockdownFile says how far the kernel is locked down; the word in brackets counts.
const lockdownFile = "/sys/kernel/security/lockdown"

// explained says what to do about an error of the tracefs.
func explained(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	lockdown, _ := os.ReadFile(lockdownFile)
	return refused(err, string(lockdown))
}

func refused(err error, lockdown string) error {
	if strings.Contains(lockdown, "[confidentiality]") {
		return fmt.Errorf("%w: the kernel is locked down (lockdown=confidentiality) and lets nobody trace", err)
	}
	return fmt.Errorf("%w: this root may not trace: run it outside of the container, with CAP_SYS_ADMIN", err)
}

func (t tracefs) path(elements ...string) string {
	return filepath.Join(append([]string{string(t)}, elements...)...)
}

// write writes one command: each is one write(2), whose error is the command's.
func (t tracefs) write(text string, elements ...string) error {
	file, err := os.OpenFile(t.path(elements...), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(text)
	return err
}
