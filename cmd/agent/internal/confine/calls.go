//go:build amd64 || arm64

package confine

import (
	"slices"

	"golang.org/x/sys/unix"
)

// The system calls of a serving agent. It is a list of what is allowed: a list of
// what is forbidden misses what the next kernel adds. Anything else is answered
// with EPERM, and does not kill: a call that a new Go release makes fails, and
// TestTheFilterKnowsTheCallsOfTheRuntime tells before that is shipped.

// wholly are the calls that may be made with any argument, by what they are for.
var wholly = slices.Concat(
	// Memory.
	[]uint32{unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK},
	// Threads.
	[]uint32{unix.SYS_FUTEX, unix.SYS_GETTID, unix.SYS_GETPID, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY,
		unix.SYS_RESTART_SYSCALL, unix.SYS_EXIT, unix.SYS_EXIT_GROUP},
	// Signals to itself.
	[]uint32{unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK},
	// Time and randomness.
	[]uint32{unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_GETTIMEOFDAY, unix.SYS_NANOSLEEP, unix.SYS_GETRANDOM},
	// Waiting.
	[]uint32{unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_PWAIT2, unix.SYS_EVENTFD2, unix.SYS_PPOLL},
	// What is open.
	[]uint32{unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_LSEEK,
		unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_PIPE2, unix.SYS_SENDFILE, unix.SYS_SPLICE, unix.SYS_COPY_FILE_RANGE},
	// Files, as far as Landlock lets see them.
	[]uint32{unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_READLINKAT, unix.SYS_GETDENTS64, unix.SYS_GETCWD},
	// Connections.
	[]uint32{unix.SYS_ACCEPT4, unix.SYS_SHUTDOWN, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME,
		unix.SYS_GETSOCKOPT, unix.SYS_RECVFROM, unix.SYS_RECVMSG},
	// Who and what it is.
	[]uint32{unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_GETRESUID, unix.SYS_GETRESGID,
		unix.SYS_GETGROUPS, unix.SYS_GETPPID, unix.SYS_UNAME, unix.SYS_GETRUSAGE, unix.SYS_GETRLIMIT},
	onThisMachine,
)

// absent are calls whose arguments stand in memory, where a filter cannot look.
// They are answered with ENOSYS, as by an older kernel: the caller then takes the
// older call, which is looked into.
var absent = []uint32{unix.SYS_CLONE3, unix.SYS_OPENAT2}

// namespaces are the flags of clone(2) that make one.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// partly are the calls that may be made with some arguments only, by the process
// pid. connects: it connects to a helper by itself.
func partly(pid int, connects bool) []rule {
	self := uint32(pid)
	return []rule{
		// No memory is made executable.
		{unix.SYS_MMAP, anyOf{{without(2, unix.PROT_EXEC)}}},
		{unix.SYS_MPROTECT, anyOf{{without(2, unix.PROT_EXEC)}}},
		{unix.SYS_PRCTL, anyOf{{is(0, unix.PR_SET_VMA)}}},
		// Threads, but no processes.
		{unix.SYS_CLONE, anyOf{{with(0, unix.CLONE_THREAD), without(0, namespaces)}}},
		{unix.SYS_KILL, anyOf{{is(0, self)}}},
		{unix.SYS_TGKILL, anyOf{{is(0, self)}}},
		// Limits are read, not set.
		{unix.SYS_PRLIMIT64, anyOf{{is(0, 0), isNil(2)}}},
		// Files are not written, on a kernel without Landlock either.
		{unix.SYS_OPENAT, anyOf{{without(2, unix.O_WRONLY|unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)}}},
		// No new sockets but for the helper.
		{unix.SYS_SOCKET, only(connects, anyOf{unixStream})},
		{unix.SYS_CONNECT, only(connects, anyOf{{}})},
		{unix.SYS_SOCKETPAIR, anyOf{unixStream}},
		// MSG_FASTOPEN connects, and is no connect(2). Nor is an address.
		{unix.SYS_SENDTO, anyOf{{without(3, unix.MSG_FASTOPEN), isNil(4)}}},
		{unix.SYS_SENDMSG, anyOf{{without(2, unix.MSG_FASTOPEN)}}},
		// F_SETOWN would have the kernel signal others.
		{unix.SYS_FCNTL, anyOf{{is(1, unix.F_DUPFD_CLOEXEC)}, {is(1, unix.F_GETFD)}, {is(1, unix.F_SETFD)},
			{is(1, unix.F_GETFL)}, {is(1, unix.F_SETFL)}, {is(1, unix.F_GETPIPE_SZ)}, {is(1, unix.F_SETPIPE_SZ)}}},
		// The size and the modes of a user's terminal, and how much a pipe holds.
		// TIOCSTI would type into it.
		{unix.SYS_IOCTL, anyOf{{is(1, unix.TCGETS)}, {is(1, unix.TCSETS)}, {is(1, unix.TCSETSW)}, {is(1, unix.TCSETSF)},
			{is(1, unix.TIOCGWINSZ)}, {is(1, unix.TIOCSWINSZ)}, {is(1, unix.TIOCINQ)}}},
		// What Go's net package sets on a connection, and the agent. Other options attach programs
		// to it, or put further protocols on top.
		{unix.SYS_SETSOCKOPT, anyOf{
			{is(1, unix.SOL_SOCKET), is(2, unix.SO_KEEPALIVE)}, {is(1, unix.SOL_SOCKET), is(2, unix.SO_LINGER)},
			{is(1, unix.SOL_SOCKET), is(2, unix.SO_RCVBUF)}, {is(1, unix.SOL_SOCKET), is(2, unix.SO_SNDBUF)},
			{is(1, unix.IPPROTO_TCP), is(2, unix.TCP_NODELAY)}, {is(1, unix.IPPROTO_TCP), is(2, unix.TCP_KEEPIDLE)},
			{is(1, unix.IPPROTO_TCP), is(2, unix.TCP_KEEPINTVL)}, {is(1, unix.IPPROTO_TCP), is(2, unix.TCP_KEEPCNT)},
			{is(1, unix.IPPROTO_TCP), is(2, unix.TCP_USER_TIMEOUT)},
			{is(1, unix.IPPROTO_TCP), is(2, unix.TCP_QUICKACK)}}},
	}
}

// unixStream are the first arguments of socket(2) for a unix socket of a stream. One
// of datagrams, even of a pair, sends to any socket that others listen on, such as
// those of logs, and is no connect(2). The flags of the type are bits above.
var unixStream = []condition{is(0, unix.AF_UNIX), with(1, unix.SOCK_STREAM), without(1, 0xf&^unix.SOCK_STREAM)}

// only is the alternatives, or never.
func only(when bool, a anyOf) anyOf {
	if when {
		return a
	}
	return nil
}

// filterFor is the filter of the process pid.
func filterFor(pid int, connects bool) *filter {
	return &filter{arch: auditArch, wholly: wholly, partly: partly(pid, connects), absent: absent}
}
