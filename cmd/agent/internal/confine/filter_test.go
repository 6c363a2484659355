//go:build amd64 || arm64

package confine

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const self = 4711 // the process that the filter is for

// machine runs the filter as the kernel does.
type machine struct{ *bpf.VM }

func newMachine(t *testing.T, connects bool) machine {
	t.Helper()
	raw, err := filterFor(self, connects).program()
	if err != nil {
		t.Fatal(err)
	}
	program, known := bpf.Disassemble(raw)
	if !known {
		t.Fatal("the program has instructions that nobody knows")
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	return machine{vm}
}

// answer is what the filter says of a call. The VM reads words in network order.
func (m machine) answer(t *testing.T, arch, call uint32, args [6]uint64) uint32 {
	t.Helper()
	data := binary.BigEndian.AppendUint32(nil, call)
	data = binary.BigEndian.AppendUint32(data, arch)
	data = append(data, make([]byte, 8)...)
	for _, arg := range args {
		data = binary.BigEndian.AppendUint32(data, uint32(arg))
		data = binary.BigEndian.AppendUint32(data, uint32(arg>>32))
	}
	answer, err := m.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(answer)
}

const anyArgs = ^uint64(0)

func TestTheFilterAnswersAccordingToArguments(t *testing.T) {
	m := newMachine(t, true)
	const upper = 1 << 32 // what the kernel does not see of an int
	for _, test := range []struct {
		what string
		call uint32
		args [6]uint64
		want uint32
	}{
		{"read", unix.SYS_READ, [6]uint64{anyArgs, anyArgs, anyArgs}, answerAllow},
		{"mmap to read and write", unix.SYS_MMAP, [6]uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE}, answerAllow},
		{"mmap to execute", unix.SYS_MMAP, [6]uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, answerEPERM},
		{"mmap to read, write and execute: also a number of a call", unix.SYS_MMAP, [6]uint64{0, 4096, 7}, answerEPERM},
		{"mprotect to execute", unix.SYS_MPROTECT, [6]uint64{0, 4096, unix.PROT_EXEC | upper}, answerEPERM},
		{"a thread", unix.SYS_CLONE, [6]uint64{unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD}, answerAllow},
		{"a process", unix.SYS_CLONE, [6]uint64{uint64(unix.SIGCHLD)}, answerEPERM},
		{"a thread above", unix.SYS_CLONE, [6]uint64{unix.CLONE_THREAD << 32}, answerEPERM},
		{"a process that shares memory", unix.SYS_CLONE, [6]uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, answerEPERM},
		{"a thread in a network namespace", unix.SYS_CLONE, [6]uint64{unix.CLONE_THREAD | unix.CLONE_NEWNET}, answerEPERM},
		{"a user namespace", unix.SYS_CLONE, [6]uint64{unix.CLONE_NEWUSER | upper}, answerEPERM},
		{"clone3", unix.SYS_CLONE3, [6]uint64{anyArgs, anyArgs}, answerENOSYS},
		{"a signal to itself", unix.SYS_TGKILL, [6]uint64{self, 1, 9}, answerAllow},
		{"a signal to another", unix.SYS_TGKILL, [6]uint64{self + 1, 1, 9}, answerEPERM},
		{"a signal to all", unix.SYS_KILL, [6]uint64{anyArgs, 9}, answerEPERM},
		{"a signal to its process group", unix.SYS_KILL, [6]uint64{0, 9}, answerEPERM},
		{"asking for a limit", unix.SYS_PRLIMIT64, [6]uint64{0, unix.RLIMIT_NOFILE, 0, 0xc000123000}, answerAllow},
		{"setting a limit", unix.SYS_PRLIMIT64, [6]uint64{0, unix.RLIMIT_CORE, 0xc000123000}, answerEPERM},
		{"setting a limit from an address whose lower half is 0", unix.SYS_PRLIMIT64, [6]uint64{0, unix.RLIMIT_CORE, 0xc000000000}, answerEPERM},
		{"asking for another's limit", unix.SYS_PRLIMIT64, [6]uint64{1, unix.RLIMIT_CORE, 0}, answerEPERM},
		{"open to read", unix.SYS_OPENAT, [6]uint64{anyArgs, 1, unix.O_RDONLY | unix.O_CLOEXEC}, answerAllow},
		{"open to write", unix.SYS_OPENAT, [6]uint64{anyArgs, 1, unix.O_WRONLY}, answerEPERM},
		{"open to create", unix.SYS_OPENAT, [6]uint64{anyArgs, 1, unix.O_CREAT | upper}, answerEPERM},
		{"open a file without a name", unix.SYS_OPENAT, [6]uint64{anyArgs, 1, unix.O_TMPFILE | unix.O_RDWR}, answerEPERM},
		{"openat2", unix.SYS_OPENAT2, [6]uint64{}, answerENOSYS},
		{"a unix socket", unix.SYS_SOCKET, [6]uint64{unix.AF_UNIX, unix.SOCK_STREAM}, answerAllow},
		{"a unix socket as Go makes it", unix.SYS_SOCKET, [6]uint64{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK}, answerAllow},
		{"a connection", unix.SYS_CONNECT, [6]uint64{anyArgs, anyArgs, anyArgs}, answerAllow},
		{"a unix socket of datagrams", unix.SYS_SOCKET, [6]uint64{unix.AF_UNIX, unix.SOCK_DGRAM}, answerEPERM},
		{"a raw unix socket, which is one of datagrams", unix.SYS_SOCKET, [6]uint64{unix.AF_UNIX, unix.SOCK_RAW | unix.SOCK_CLOEXEC}, answerEPERM},
		{"a unix socket of packets", unix.SYS_SOCKET, [6]uint64{unix.AF_UNIX, unix.SOCK_SEQPACKET}, answerEPERM},
		{"a pair", unix.SYS_SOCKETPAIR, [6]uint64{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC}, answerAllow},
		{"a pair of datagram sockets", unix.SYS_SOCKETPAIR, [6]uint64{unix.AF_UNIX, unix.SOCK_DGRAM}, answerEPERM},
		{"a sendto", unix.SYS_SENDTO, [6]uint64{3, 1, 1, unix.MSG_NOSIGNAL}, answerAllow},
		{"a sendto to an address", unix.SYS_SENDTO, [6]uint64{3, 1, 1, 0, 0xc000000000, 16}, answerEPERM},
		{"an IPv4 socket", unix.SYS_SOCKET, [6]uint64{unix.AF_INET, unix.SOCK_STREAM}, answerEPERM},
		{"a netlink socket: also a number of a call", unix.SYS_SOCKET, [6]uint64{unix.AF_NETLINK, unix.SOCK_RAW}, answerEPERM},
		{"a message", unix.SYS_SENDMSG, [6]uint64{3, 1, unix.MSG_NOSIGNAL}, answerAllow},
		{"a message that connects", unix.SYS_SENDMSG, [6]uint64{3, 1, unix.MSG_FASTOPEN}, answerEPERM},
		{"a sendto that connects", unix.SYS_SENDTO, [6]uint64{3, 1, 1, unix.MSG_FASTOPEN | upper}, answerEPERM},
		{"the size of a terminal", unix.SYS_IOCTL, [6]uint64{3, unix.TIOCSWINSZ, 1}, answerAllow},
		{"TIOCSTI", unix.SYS_IOCTL, [6]uint64{3, unix.TIOCSTI, 1}, answerEPERM},
		{"TIOCSTI with a bit above", unix.SYS_IOCTL, [6]uint64{3, unix.TIOCSTI | upper, 1}, answerEPERM},
		{"TIOCLINUX", unix.SYS_IOCTL, [6]uint64{3, unix.TIOCLINUX, 1}, answerEPERM},
		{"keep-alive", unix.SYS_SETSOCKOPT, [6]uint64{3, unix.SOL_SOCKET, unix.SO_KEEPALIVE}, answerAllow},
		{"attaching a program", unix.SYS_SETSOCKOPT, [6]uint64{3, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER}, answerEPERM},
		{"another protocol on top", unix.SYS_SETSOCKOPT, [6]uint64{3, unix.IPPROTO_TCP, unix.TCP_ULP}, answerEPERM},
		{"a level with another's option", unix.SYS_SETSOCKOPT, [6]uint64{3, unix.IPPROTO_TCP, unix.SO_KEEPALIVE}, answerEPERM},
		{"an owner for signals", unix.SYS_FCNTL, [6]uint64{3, unix.F_SETOWN, 1}, answerEPERM},
		{"dumpable again", unix.SYS_PRCTL, [6]uint64{unix.PR_SET_DUMPABLE, 1}, answerEPERM},
		{"a tracer", unix.SYS_PRCTL, [6]uint64{unix.PR_SET_PTRACER, anyArgs}, answerEPERM},
	} {
		if got := m.answer(t, auditArch, test.call, test.args); got != test.want {
			t.Errorf("%s: the filter answers %#x, want %#x", test.what, got, test.want)
		}
	}
}

// An agent of a broker is given every socket that it needs.
func TestAnAgentThatConnectsToNothingHasNoSockets(t *testing.T) {
	m := newMachine(t, false)
	for name, test := range map[string]struct {
		call uint32
		args [6]uint64
		want uint32
	}{
		"a unix socket":     {unix.SYS_SOCKET, [6]uint64{unix.AF_UNIX, unix.SOCK_STREAM}, answerEPERM},
		"connect":           {unix.SYS_CONNECT, [6]uint64{3, 1, 16}, answerEPERM},
		"accept":            {unix.SYS_ACCEPT4, [6]uint64{3, 0, 0, unix.SOCK_CLOEXEC}, answerAllow},
		"a message":         {unix.SYS_SENDMSG, [6]uint64{3, 1, unix.MSG_NOSIGNAL}, answerAllow},
		"a received socket": {unix.SYS_RECVMSG, [6]uint64{3, 1, unix.MSG_CMSG_CLOEXEC}, answerAllow},
	} {
		if got := m.answer(t, auditArch, test.call, test.args); got != test.want {
			t.Errorf("%s: the filter answers %#x, want %#x", name, got, test.want)
		}
	}
}

// Whatever the arguments are.
func TestTheFilterRefuses(t *testing.T) {
	m := newMachine(t, true)
	for name, call := range map[string]uint32{
		"execve": unix.SYS_EXECVE, "execveat": unix.SYS_EXECVEAT, "ptrace": unix.SYS_PTRACE,
		"process_vm_readv": unix.SYS_PROCESS_VM_READV, "process_vm_writev": unix.SYS_PROCESS_VM_WRITEV, "process_madvise": unix.SYS_PROCESS_MADVISE,
		"mount": unix.SYS_MOUNT, "umount2": unix.SYS_UMOUNT2, "pivot_root": unix.SYS_PIVOT_ROOT, "chroot": unix.SYS_CHROOT,
		"move_mount": unix.SYS_MOVE_MOUNT, "open_tree": unix.SYS_OPEN_TREE, "fsopen": unix.SYS_FSOPEN, "fsmount": unix.SYS_FSMOUNT,
		"fsconfig": unix.SYS_FSCONFIG, "fspick": unix.SYS_FSPICK, "mount_setattr": unix.SYS_MOUNT_SETATTR,
		"bpf": unix.SYS_BPF, "perf_event_open": unix.SYS_PERF_EVENT_OPEN, "seccomp": unix.SYS_SECCOMP,
		"keyctl": unix.SYS_KEYCTL, "add_key": unix.SYS_ADD_KEY, "request_key": unix.SYS_REQUEST_KEY,
		"userfaultfd": unix.SYS_USERFAULTFD, "io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER,
		"io_uring_register": unix.SYS_IO_URING_REGISTER, "init_module": unix.SYS_INIT_MODULE, "finit_module": unix.SYS_FINIT_MODULE,
		"delete_module": unix.SYS_DELETE_MODULE, "kexec_load": unix.SYS_KEXEC_LOAD, "kexec_file_load": unix.SYS_KEXEC_FILE_LOAD,
		"unshare": unix.SYS_UNSHARE, "setns": unix.SYS_SETNS, "personality": unix.SYS_PERSONALITY,
		"open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "name_to_handle_at": unix.SYS_NAME_TO_HANDLE_AT, "kcmp": unix.SYS_KCMP,
		"pidfd_open": unix.SYS_PIDFD_OPEN, "pidfd_getfd": unix.SYS_PIDFD_GETFD, "pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL,
		"rt_sigqueueinfo": unix.SYS_RT_SIGQUEUEINFO, "rt_tgsigqueueinfo": unix.SYS_RT_TGSIGQUEUEINFO, "tkill": unix.SYS_TKILL,
		"bind": unix.SYS_BIND, "listen": unix.SYS_LISTEN, "truncate": unix.SYS_TRUNCATE, "unlinkat": unix.SYS_UNLINKAT,
		"mkdirat": unix.SYS_MKDIRAT, "renameat2": unix.SYS_RENAMEAT2, "symlinkat": unix.SYS_SYMLINKAT, "linkat": unix.SYS_LINKAT,
		"fchmodat": unix.SYS_FCHMODAT, "fchownat": unix.SYS_FCHOWNAT, "memfd_create": unix.SYS_MEMFD_CREATE, "mremap": unix.SYS_MREMAP,
		"pkey_mprotect": unix.SYS_PKEY_MPROTECT, "shmat": unix.SYS_SHMAT, "setuid": unix.SYS_SETUID, "setresuid": unix.SYS_SETRESUID,
		"setgroups": unix.SYS_SETGROUPS, "capset": unix.SYS_CAPSET, "setrlimit": unix.SYS_SETRLIMIT, "reboot": unix.SYS_REBOOT,
		"a call of a later kernel": 600,
	} {
		for _, arg := range []uint64{0, 1, anyArgs, 1 << 32} {
			if got := m.answer(t, auditArch, call, [6]uint64{arg, arg, arg, arg, arg, arg}); got != answerEPERM {
				t.Errorf("%s with arguments %#x: the filter answers %#x, want EPERM (%#x)", name, arg, got, answerEPERM)
			}
		}
	}
}

func TestTheFilterRefusesTheCallsOfOtherABIs(t *testing.T) {
	m := newMachine(t, true)
	for what, arch := range map[string]uint32{"i386": unix.AUDIT_ARCH_I386, "arm": unix.AUDIT_ARCH_ARM, "none": 0} {
		for call := range uint32(600) {
			if got := m.answer(t, arch, call, [6]uint64{}); got != answerEPERM {
				t.Fatalf("call %d of %s: the filter answers %#x, want EPERM (%#x)", call, what, got, answerEPERM)
			}
		}
	}
	const x32 = 0x40000000
	for call := range uint32(600) {
		if got := m.answer(t, auditArch, call|x32, [6]uint64{}); got != answerEPERM {
			t.Fatalf("call %d of x32: the filter answers %#x, want EPERM (%#x)", call, got, answerEPERM)
		}
	}
}

// A number in two places would make one of them dead.
func TestEachCallIsInTheFilterOnce(t *testing.T) {
	f := filterFor(self, true)
	all := slices.Concat(f.wholly, f.absent)
	for _, r := range f.partly {
		all = append(all, r.call)
	}
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			t.Errorf("call %d stands twice", all[i])
		}
	}
	m := newMachine(t, true)
	for call := range uint32(600) {
		_, listed := slices.BinarySearch(all, call)
		if got := m.answer(t, auditArch, call, [6]uint64{}); !listed && got != answerEPERM {
			t.Errorf("call %d is not listed, and the filter answers %#x, want EPERM (%#x)", call, got, answerEPERM)
		}
	}
}

// notAfterStart are calls of the runtime that a confined agent does without.
var notAfterStart = map[string]string{
	"arch_prctl":    "sets the first thread's storage, before main",
	"timer_create":  "profiling of the processor, which then falls back to setitimer",
	"timer_settime": "profiling of the processor",
	"timer_delete":  "profiling of the processor",
	"setitimer":     "profiling of the processor: it has no effect",
	"setittimer":    "the same, as the runtime spells it on amd64",
}

// The calls that the runtime makes itself stand in two of its files: a release of
// Go that makes another one is noticed here, not by a server that stands still.
func TestTheFilterKnowsTheCallsOfTheRuntime(t *testing.T) {
	f := filterFor(self, true)
	known := slices.Concat(f.wholly, f.absent)
	for _, r := range f.partly {
		known = append(known, r.call)
	}
	calls := callsIn(t, "runtime/sys_linux_"+runtime.GOARCH+".s", `^#define SYS_(\w+)\s+(\d+)`)
	calls = append(calls, callsIn(t, "internal/runtime/syscall/linux/defs_linux_"+runtime.GOARCH+".go", `^\s+SYS_(\w+)\s+= (\d+)`)...)
	if len(calls) < 30 {
		t.Fatalf("%d calls found in the runtime: it is written otherwise now, look there", len(calls))
	}
	for _, c := range calls {
		if !slices.Contains(known, c.number) && notAfterStart[c.name] == "" {
			t.Errorf("the runtime calls %s (%d): decide about it in calls.go", c.name, c.number)
		}
	}
}

type runtimeCall struct {
	name   string
	number uint32
}

func callsIn(t *testing.T, file, pattern string) []runtimeCall {
	t.Helper()
	f, err := os.Open(filepath.Join(goroot(t), "src", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var calls []runtimeCall
	expression := regexp.MustCompile(pattern)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		match := expression.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		number, err := strconv.ParseUint(match[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, runtimeCall{strings.ToLower(match[1]), uint32(number)})
	}
	return calls
}
