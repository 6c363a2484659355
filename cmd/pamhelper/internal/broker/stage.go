// The last step before the agent: a process of its own that gives away all that it
// has of root, looks whether it really has, and becomes the agent. The order
// matters: each step needs privileges that a later one takes away.

package broker

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// stageName is the command that a broker starts the stage with.
const stageName = "agent-stage"

// stage is what the broker tells it.
type stage struct {
	uid, gid  int
	groups    []int
	listening int
	command   []string
}

// StageCommand is the hidden command of the stage.
func StageCommand() *cobra.Command {
	var s stage
	cmd := &cobra.Command{
		Use:    stageName,
		Short:  "Become an agent without privileges (started by the broker)",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s.command = args
			return s.become()
		},
	}
	cmd.Flags().IntVar(&s.uid, "uid", -1, "the agent's user id")
	cmd.Flags().IntVar(&s.gid, "gid", -1, "its group id")
	cmd.Flags().IntSliceVar(&s.groups, "groups", nil, "its supplementary groups")
	cmd.Flags().IntVar(&s.listening, "listening", 0, "the number of sockets it listens on, behind the control socket")
	for _, name := range []string{"uid", "gid"} {
		cmd.MarkFlagRequired(name)
	}
	return cmd
}

// become becomes the agent, and returns only where that fails. Capabilities, bits
// and signal masks belong to a thread: it is this one that executes COMMAND.
func (s stage) become() error {
	runtime.LockOSThread()
	for _, step := range []struct {
		name string
		take func() error
	}{
		{"set the limits", surroundings},
		{"drop the bounding set", dropBounding},
		{"lock the securebits", lockSecurebits},
		{"become the user", s.changeUser},
		{"drop the capabilities", dropCapabilities},
		{"set no_new_privs", func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }},
		{"leave root's keyring", leaveKeyring},
		{"verify that nothing of root is left", s.verify},
	} {
		if err := step.take(); err != nil {
			return fmt.Errorf("%s: %w", step.name, explainEPERM(err))
		}
	}
	path, err := find(s.command[0])
	if err != nil {
		return err
	}
	if err := s.lastSteps(); err != nil {
		return err
	}
	return fmt.Errorf("execute %s: %w", path, syscall.Exec(path, s.command, s.environment()))
}

// explainEPERM is for a container, where root does not have everything.
func explainEPERM(err error) error {
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	return fmt.Errorf("%w; a broker needs CAP_SETPCAP, CAP_SETUID and CAP_SETGID", err)
}

// surroundings: an agent holds passwords, which belong into no file.
func surroundings() error {
	unix.Umask(0o077)
	return errors.Join(unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}), os.Chdir("/"))
}

func dropBounding() error {
	for capability := uintptr(0); capability <= math.MaxUint8; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if err == unix.EINVAL { // behind the last that the kernel has
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Bits of linux/securebits.h. That setuid takes the capabilities away, as it does
// without the bit, is locked too.
const (
	noRoot                  = 1 << 0
	noRootLocked            = 1 << 1
	noSetuidFixupLocked     = 1 << 3
	keepCapsLocked          = 1 << 5
	noCapAmbientRaise       = 1 << 6
	noCapAmbientRaiseLocked = 1 << 7
	securebitsOfAgent       = noRoot | noRootLocked | noSetuidFixupLocked | keepCapsLocked | noCapAmbientRaise | noCapAmbientRaiseLocked
)

func lockSecurebits() error {
	err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	return errors.Join(err, unix.Prctl(unix.PR_SET_SECUREBITS, securebitsOfAgent, 0, 0, 0))
}

func (s stage) changeUser() error {
	if err := syscall.Setgroups(s.groups); err != nil {
		return fmt.Errorf("set the groups: %w", err)
	}
	if err := syscall.Setresgid(s.gid, s.gid, s.gid); err != nil {
		return fmt.Errorf("set the group id %d: %w", s.gid, err)
	}
	if err := syscall.Setresuid(s.uid, s.uid, s.uid); err != nil {
		return fmt.Errorf("set the user id %d: %w", s.uid, err)
	}
	return nil
}

var capabilityHeader = unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}

func dropCapabilities() error {
	header, none := capabilityHeader, [2]unix.CapUserData{}
	return unix.Capset(&header, &none[0])
}

// leaveKeyring: a session keyring is inherited, and who possesses a key may read
// it. Where the kernel has no keyrings, or a container has none, none is inherited.
func leaveKeyring() error {
	_, _, errno := unix.Syscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
	if errno != 0 && errno != unix.ENOSYS && errno != unix.EPERM {
		return errno
	}
	return nil
}

// find returns the path of COMMAND, as the agent's user sees it.
func find(command string) (string, error) {
	if filepath.IsAbs(command) {
		return command, executable(command)
	}
	if strings.Contains(command, "/") {
		return "", fmt.Errorf("COMMAND %s is a relative path: give the whole path", command)
	}
	for dir := range strings.SplitSeq(agentPath, ":") {
		if path := filepath.Join(dir, command); executable(path) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("COMMAND %s is not in %s, or may not be executed there: give the whole path", command, agentPath)
}

func executable(path string) error {
	_, err := exec.LookPath(path)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("COMMAND %s: the agent's user may not execute it: %w", path, err)
	}
	if err != nil {
		return fmt.Errorf("COMMAND %s cannot be executed: %w", path, err)
	}
	return nil
}

// Signals that the C library keeps to itself (signal(7)).
const (
	firstSignalOfLibc = 32
	lastSignalOfLibc  = 33
)

// lastSteps leaves the agent no other descriptors, signals as after login, and an
// empty signal mask.
func (s stage) lastSteps() error {
	first := uint(controlFD + 1 + s.listening)
	if err := unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close descriptors: %w", err)
	}
	notIgnored()
	return unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
}

// notIgnored makes every signal one that execve(2) leaves as a default one: a signal
// that has a handler. The runtime gives all one but those of a terminal's job control
// and what its starter ignores of SIGHUP and SIGINT. Others are not taken here: a
// SIGTERM that the agent does not get would be waited for.
func notIgnored() {
	taken := []os.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT}
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) {
			taken = append(taken, sig)
		}
	}
	signal.Notify(make(chan os.Signal, 1), taken...)
	// Those of the C library, whose posix_spawn ignores one in what it starts, are not
	// the runtime's to give a handler.
	for number := uintptr(firstSignalOfLibc); number <= lastSignalOfLibc; number++ {
		var byDefault [4]uint64 // struct sigaction of the kernel
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, number, uintptr(unsafe.Pointer(&byDefault)), 0, unsafe.Sizeof(byDefault[0]), 0, 0)
	}
}

// environment adds what the stage alone knows: LISTEN_PID is the agent's own
// process id (sd_listen_fds(3)).
func (s stage) environment() []string {
	environment := os.Environ()
	if s.listening == 0 {
		return environment
	}
	return append(environment,
		fmt.Sprintf("LISTEN_PID=%d", os.Getpid()),
		fmt.Sprintf("LISTEN_FDS=%d", 1+s.listening),
		"LISTEN_FDNAMES=pamhelper"+strings.Repeat(":listen", s.listening))
}
