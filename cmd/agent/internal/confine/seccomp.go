package confine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// seccompState is what came of limiting the system calls.
type seccompState struct {
	loaded bool
	needs  string // why it is not
}

func (s seccompState) lacks() []Lack {
	if s.loaded {
		return nil
	}
	return []Lack{{Protection: "seccomp", Open: "system calls that the agent does not need", Needs: s.needs}}
}

// restrictCalls loads the filter for all threads. What it refuses stands in the
// kernel's audit log.
func restrictCalls(connects bool) (seccompState, error) {
	filter := filterFor(os.Getpid(), connects)
	if filter == nil {
		return seccompState{needs: "an agent that knows the system calls of " + runtime.GOARCH}, nil
	}
	program, err := filter.program()
	if err != nil {
		return seccompState{}, fmt.Errorf("seccomp: %w", err)
	}
	return stateOf(install(program))
}

// stateOf tells a kernel without filters from one that refused this filter.
func stateOf(err error) (seccompState, error) {
	switch {
	case err == nil:
		return seccompState{loaded: true}, nil
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
		return seccompState{needs: "seccomp filters with a log (CONFIG_SECCOMP_FILTER, Linux 4.14)"}, nil
	}
	return seccompState{}, fmt.Errorf("seccomp: %w", err)
}

// install makes program the filter of all threads, or of none.
func install(program []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_LOG
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	if thread != 0 {
		return fmt.Errorf("thread %d has a filter of its own", thread)
	}
	return nil
}
