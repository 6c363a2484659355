package confine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// attempt is something that a confined process must not get done. It is made by a
// free process too, to show that the process, the file or the call is there.
type attempt struct {
	name     string
	try      func(*ground) error
	free     string // what comes of it in a process that is not confined
	confined string
	// needs is part of a lack: on a kernel that reports it, the attempt ends as in a
	// free process, or, without seccomp, as in landlock.
	needs string
	// landlock is what Landlock makes of it without seccomp, if it has an opinion.
	landlock string
}

// attempts by what is protected. They are made by each thread.
var attempts = []attempt{
	{"execve", func(g *ground) error { return unix.Exec(g.outside+"/none", nil, nil) }, "ENOENT", "EPERM", "system calls", ""},
	{"execveat", func(g *ground) error {
		return raw(unix.SYS_EXECVEAT, atFDCWD, pointer(g.outside+"/none"), 0, 0, 0)
	}, "ENOENT", "EPERM", "system calls", ""},
	{"start a program", func(*ground) error { return start(0) }, "ok", "EPERM", "system calls", "EACCES"},
	{"start a program in a user namespace", func(*ground) error { return start(unix.CLONE_NEWUSER) }, "ok", "EPERM", "system calls", "EACCES"},
	{"clone3", func(*ground) error { return raw(unix.SYS_CLONE3, 0, 1) }, "EINVAL", "ENOSYS", "system calls", ""},
	{"unshare", func(*ground) error { return raw(unix.SYS_UNSHARE, unix.CLONE_NEWUSER) }, "EINVAL", "EPERM", "system calls", ""},
	{"setns", func(*ground) error { return raw(unix.SYS_SETNS, badFD, 0) }, "EBADF", "EPERM", "system calls", ""},
	{"mount", func(g *ground) error { return unix.Mount("none", g.outside+"/none", "tmpfs", 0, "") }, "ENOENT", "EPERM", "system calls", ""},
	{"open_tree", func(*ground) error { return raw(unix.SYS_OPEN_TREE, badFD, pointer(""), unix.AT_EMPTY_PATH) }, "EBADF", "EPERM", "system calls", ""},
	{"personality", func(*ground) error { return raw(unix.SYS_PERSONALITY, 0xffffffff) }, "ok", "EPERM", "system calls", ""},

	{"ptrace another", func(g *ground) error { return seize(g.Sibling) }, "ok", "EPERM", "system calls", "EPERM"},
	{"read another's memory", func(g *ground) error { return readMemory(g.Sibling) }, "ok", "EPERM", "system calls", "EPERM"},
	{"signal another", func(g *ground) error { return unix.Kill(g.Sibling, 0) }, "ok", "EPERM", "system calls", "EPERM"},
	{"pidfd_open", func(g *ground) error { return closed(unix.PidfdOpen(g.Sibling, 0)) }, "ok", "EPERM", "system calls", ""},
	{"pidfd_getfd", func(*ground) error { return raw(unix.SYS_PIDFD_GETFD, badFD, 0, 0) }, "EBADF", "EPERM", "system calls", ""},
	{"kcmp", func(g *ground) error { return raw(unix.SYS_KCMP, uintptr(g.Sibling), uintptr(g.Sibling), 1) }, "ok", "EPERM", "system calls", "EPERM"},
	{"own a descriptor for another", func(g *ground) error {
		return raw(unix.SYS_FCNTL, uintptr(g.sockets.fastopen), unix.F_SETOWN, uintptr(g.Sibling))
	}, "ok", "EPERM", "system calls", ""},

	{"perf_event_open", func(*ground) error { return raw(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, uintptr(badFD), 0) }, "EFAULT", "EPERM", "system calls", ""},
	{"keyctl", func(*ground) error { return raw(unix.SYS_KEYCTL, unix.KEYCTL_GET_KEYRING_ID, sessionKeyring, 1) }, "ok", "EPERM", "system calls", ""},
	{"add_key", func(*ground) error { return raw(unix.SYS_ADD_KEY, 1, 1, 0, 0, sessionKeyring) }, "EFAULT", "EPERM", "system calls", ""},
	{"request_key", func(*ground) error { return raw(unix.SYS_REQUEST_KEY, 1, 1, 0, 0) }, "EFAULT", "EPERM", "system calls", ""},
	{"userfaultfd", func(*ground) error {
		fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, 1 /* UFFD_USER_MODE_ONLY */, 0, 0)
		return closed(int(fd), orNil(errno))
	}, "ok", "EPERM", "system calls", ""},
	{"io_uring_setup", func(*ground) error {
		var params [120]byte
		fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
		return closed(int(fd), orNil(errno))
	}, "ok", "EPERM", "system calls", ""},
	{"memory to execute", func(*ground) error { return mapped(unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC) }, "ok", "EPERM", "system calls", ""},
	{"be dumpable", func(*ground) error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }, "ok", "EPERM", "system calls", ""},
	{"set a limit", func(*ground) error { return unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{}) }, "ok", "EPERM", "system calls", ""},

	{"a netlink socket", func(*ground) error { return socket(unix.AF_NETLINK, unix.SOCK_RAW) }, "ok", "EPERM", "system calls", ""},
	{"a TCP socket", func(*ground) error { return socket(unix.AF_INET, unix.SOCK_STREAM) }, "ok", "EPERM", "system calls", ""},
	{"a UDP socket", func(*ground) error { return socket(unix.AF_INET6, unix.SOCK_DGRAM) }, "ok", "EPERM", "system calls", ""},
	{"a TCP socket that calls itself unix in half of the word", func(*ground) error {
		return raw(unix.SYS_SOCKET, unix.AF_INET|uintptr(unix.AF_UNIX)<<32, unix.SOCK_STREAM)
	}, "ok", "EPERM", "system calls", ""},
	{"a unix socket of datagrams", func(*ground) error { return socket(unix.AF_UNIX, unix.SOCK_DGRAM) }, "ok", "EPERM", "system calls", ""},
	{"send to a socket elsewhere out of a pair", func(g *ground) error { return sendFromPair(g.outside + "/none") }, "ENOENT", "EPERM", "system calls", ""},
	{"bind a socket from before", func(g *ground) error {
		return unix.Bind(g.sockets.bind, &unix.SockaddrInet4{Addr: loopback})
	}, "ok", "EPERM", "system calls", "EACCES"},
	{"connect a socket from before", func(g *ground) error { return unix.Connect(g.sockets.connect, g.listener()) }, "ok", "EACCES", "an accepted", ""},
	{"connect a socket from before by sending", func(g *ground) error {
		return unix.Sendto(g.sockets.fastopen, []byte("x"), unix.MSG_FASTOPEN, g.listener())
	}, "ok", "EPERM", "system calls", ""},
	{"connect an accepted connection elsewhere", func(g *ground) error { return g.reconnect() }, "ok", "EACCES", "an accepted", ""},
	{"connect to an abstract socket", func(g *ground) error { return connectUnix("@" + g.Abstract) }, "ok", "EPERM", "abstract", ""},
	{"connect to a socket elsewhere", func(g *ground) error { return connectUnix(g.outside + "/socket") }, "ok", "EACCES", "to unix sockets", ""},

	{"read a file elsewhere", func(g *ground) error { return open(g.outside+"/file", unix.O_RDONLY) }, "ok", "EACCES", "reading", ""},
	{"read a file elsewhere by way of its own directory", func(g *ground) error { return open(g.dir+"/../outside/file", unix.O_RDONLY) }, "ok", "EACCES", "reading", ""},
	{"read /etc/passwd", func(*ground) error { return open("/etc/passwd", unix.O_RDONLY) }, "ok", "EACCES", "reading", ""},
	{"read /proc", func(*ground) error { return open("/proc/version", unix.O_RDONLY) }, "ok", "EACCES", "reading", ""},
	{"list a directory elsewhere", func(g *ground) error { return open(g.outside, unix.O_RDONLY|unix.O_DIRECTORY) }, "ok", "EACCES", "reading", ""},
	{"write a file", func(g *ground) error { return open(g.dir+"/file", unix.O_WRONLY) }, "ok", "EPERM", "system calls", "EACCES"},
	{"make a file", func(g *ground) error { return open(g.dir+"/new", unix.O_RDWR|unix.O_CREAT) }, "ok", "EPERM", "system calls", "EACCES"},
	{"truncate a file", func(g *ground) error { return unix.Truncate(g.dir+"/file", 1) }, "ok", "EPERM", "system calls", "EACCES"},
	{"make a directory", func(g *ground) error { return unix.Mkdir(g.outside+"/none/new", 0o700) }, "ENOENT", "EPERM", "system calls", ""},
	{"make a link", func(g *ground) error { return unix.Symlink("a", g.outside+"/none/new") }, "ENOENT", "EPERM", "system calls", ""},
	{"rename a file", func(g *ground) error { return unix.Rename(g.dir+"/file", g.dir+"/file") }, "ok", "EPERM", "system calls", "EACCES"},
	{"remove a file", func(g *ground) error { return unix.Unlink(g.dir + "/none") }, "ENOENT", "EPERM", "system calls", ""},
	{"change a mode", func(g *ground) error { return unix.Chmod(g.dir+"/file", 0o644) }, "ok", "EPERM", "system calls", ""},
	{"a handle of a file", func(g *ground) error {
		_, _, err := unix.NameToHandleAt(unix.AT_FDCWD, g.dir+"/file", 0)
		return err
	}, "ok", "EPERM", "system calls", ""},

	{"type into a terminal", func(*ground) error { return ioctl(unix.TIOCSTI) }, "ok", "EPERM", "system calls", ""},
	{"type into a terminal, with a bit above", func(*ground) error { return ioctl(unix.TIOCSTI | 1<<32) }, "ok", "EPERM", "system calls", ""},
	{"TIOCLINUX", func(*ground) error { return ioctl(unix.TIOCLINUX) }, "ENOTTY", "EPERM", "system calls", ""},
}

const (
	badFD          = ^uintptr(0)
	sessionKeyring = ^uintptr(2) // KEY_SPEC_SESSION_KEYRING, -3
)

var atFDCWD = uintptr(unix.AT_FDCWD & (1<<64 - 1))

var loopback = [4]byte{127, 0, 0, 1}

func raw(call uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.Syscall6(call, a[0], a[1], a[2], a[3], a[4], a[5])
	return orNil(errno)
}

func orNil(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// closed closes what an attempt opened against the rules.
func closed(fd int, err error) error {
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func open(path string, flags int) error { return closed(unix.Open(path, flags|unix.O_CLOEXEC, 0o600)) }

func socket(family, kind int) error { return closed(unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)) }

func ioctl(request uintptr) error {
	letter := [32]byte{'x'}
	return raw(unix.SYS_IOCTL, terminalFD, request, uintptr(unsafe.Pointer(&letter)))
}

func mapped(protection int) error {
	memory, err := unix.Mmap(-1, 0, 4096, protection, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err == nil {
		unix.Munmap(memory)
	}
	return err
}

func start(namespaces uintptr) error {
	pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: namespaces}})
	if err == nil {
		_, err = unix.Wait4(pid, nil, 0, nil)
	}
	return err
}

// seize traces a process, and lets it go.
func seize(pid int) error {
	if err := raw(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid)); err != nil {
		return err
	}
	return errors.Join(
		raw(unix.SYS_PTRACE, unix.PTRACE_INTERRUPT, uintptr(pid)),
		func() error { _, err := unix.Wait4(pid, nil, unix.WALL, nil); return err }(),
		raw(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(pid)))
}

// readMemory reads a variable of another process that runs the same program.
func readMemory(pid int) error {
	var here [4]byte
	local := []unix.Iovec{{Base: &here[0], Len: 4}}
	remote := []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&lastUID)), Len: 4}}
	_, err := unix.ProcessVMReadv(pid, local, remote, 0)
	return err
}

func connectUnix(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path})
}

// sendFromPair needs no connect(2): a datagram has an address of its own.
func sendFromPair(path string) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	return unix.Sendmsg(fds[0], []byte("x"), nil, &unix.SockaddrUnix{Name: path}, 0)
}

// pointer is the address of a string that is kept.
func pointer(s string) uintptr {
	p, err := unix.BytePtrFromString(s)
	if err != nil {
		panic(err)
	}
	kept = append(kept, p)
	return uintptr(unsafe.Pointer(p))
}

var kept []*byte

// ground is what a child stands on.
type ground struct {
	order
	dir, outside string
	tcp          *unix.SockaddrInet4
	sockets      sockets
}

// sockets are made before a process is confined, for one thread's attempts.
type sockets struct{ bind, connect, fastopen, accepted int }

func newGround(o order) (*ground, error) {
	g := &ground{order: o, dir: filepath.Join(o.Base, "dir"), outside: filepath.Join(o.Base, "outside")}
	return g, os.Chdir(g.dir)
}

func (g *ground) listener() unix.Sockaddr { return g.tcp }

// prepare makes the sockets of a thread: three that are not connected, and one
// that was accepted by fd.
func (g *ground) prepare(fd int) (s sockets, err error) {
	client := 0
	for _, socket := range []*int{&s.bind, &s.connect, &s.fastopen, &client} {
		if *socket, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return s, err
		}
	}
	if err := unix.Connect(client, g.tcp); err != nil {
		return s, err
	}
	s.accepted, _, err = unix.Accept4(fd, unix.SOCK_CLOEXEC)
	return s, err
}

// reconnect makes a new connection out of one that somebody else made.
func (g *ground) reconnect() error {
	unspecified := [16]byte{unix.AF_UNSPEC}
	if err := raw(unix.SYS_CONNECT, uintptr(g.sockets.accepted), uintptr(unsafe.Pointer(&unspecified)), 16); err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	return unix.Connect(g.sockets.accepted, g.tcp)
}

func addressOf(p *uint32) uintptr { return uintptr(unsafe.Pointer(p)) }

// hide makes the kernel answer to system calls as one that does not have them.
func hide(calls []string) error {
	program := []bpf.Instruction{bpf.LoadAbsolute{Off: 0, Size: 4}}
	for _, name := range calls {
		number := map[string]uint32{"landlock": unix.SYS_LANDLOCK_CREATE_RULESET, "seccomp": unix.SYS_SECCOMP}[name]
		program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: number, SkipFalse: 1},
			bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)})
	}
	instructions, err := bpf.Assemble(append(program, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}))
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(instructions))
	for i, in := range instructions {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return raw(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
}
