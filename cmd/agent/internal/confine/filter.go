package confine

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// filter is a list of system calls, which becomes a program for seccomp(2). Calls
// of another machine's ABI (32 bits on amd64) are answered with EPERM like what is
// not in the list.
type filter struct {
	arch   uint32   // AUDIT_ARCH_*
	wholly []uint32 // allowed
	partly []rule   // allowed with some arguments
	absent []uint32 // answered with ENOSYS
}

// rule is a call that is allowed with some arguments. Its number stands in one
// rule only.
type rule struct {
	call uint32
	when anyOf
}

// anyOf holds if one of its alternatives does, and that if all of its conditions do.
type anyOf [][]condition

// condition is about an argument of a call. All but isNil look at its lower half:
// the kernel ignores the upper one of an int, and a comparison that did not would
// be passed by an argument with a bit set there.
type condition struct {
	kind  kind
	arg   uint32
	value uint32
}

type kind int

const (
	equal   kind = iota // the value
	some                // one of the value's bits, at least
	none                // none of the value's bits
	zeroPtr             // nil, in both halves
)

func is(arg, value uint32) condition     { return condition{equal, arg, value} }
func with(arg, bits uint32) condition    { return condition{some, arg, bits} }
func without(arg, bits uint32) condition { return condition{none, arg, bits} }
func isNil(arg uint32) condition         { return condition{zeroPtr, arg, 0} }

// Where things are in struct seccomp_data, on a little-endian machine: the number
// of the call, the architecture, the instruction pointer, six arguments.
const (
	offCall = 0
	offArch = 4
	offArgs = 16
)

const (
	answerAllow  = unix.SECCOMP_RET_ALLOW
	answerEPERM  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	answerENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

func load(offset uint32) bpf.Instruction  { return bpf.LoadAbsolute{Off: offset, Size: 4} }
func answer(value uint32) bpf.Instruction { return bpf.RetConstant{Val: value} }

// program is straight: each call has a block, which answers it or skips to the
// next. A block that looked at arguments always answers, because the number of the
// call is then no longer in the accumulator.
func (f *filter) program() ([]bpf.RawInstruction, error) {
	program := []bpf.Instruction{
		load(offArch),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: f.arch, SkipTrue: 1},
		answer(answerEPERM),
		load(offCall),
	}
	for _, call := range f.wholly {
		program = append(program, block(call, answer(answerAllow))...)
	}
	for _, call := range f.absent {
		program = append(program, block(call, answer(answerENOSYS))...)
	}
	for _, r := range f.partly {
		program = append(program, block(r.call, r.when.check()...)...)
	}
	return bpf.Assemble(append(program, answer(answerEPERM)))
}

// block is what is done for one call.
func block(call uint32, do ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: call, SkipFalse: uint8(len(do))}}, do...)
}

// check answers according to the arguments.
func (a anyOf) check() []bpf.Instruction {
	var all []bpf.Instruction
	for _, conditions := range a {
		all = append(all, allOf(conditions)...)
	}
	return append(all, answer(answerEPERM))
}

// allOf allows if all conditions hold, and falls through otherwise. It is put
// together from its end, where the way out of each condition leads.
func allOf(conditions []condition) []bpf.Instruction {
	out := []bpf.Instruction{answer(answerAllow)}
	for i := len(conditions) - 1; i >= 0; i-- {
		out = append(conditions[i].check(uint8(len(out))), out...)
	}
	return out
}

// check goes on if the condition holds, and skips what follows it otherwise.
func (c condition) check(skip uint8) []bpf.Instruction {
	low := offArgs + 8*c.arg
	switch c.kind {
	case equal:
		return []bpf.Instruction{load(low), bpf.JumpIf{Cond: bpf.JumpEqual, Val: c.value, SkipFalse: skip}}
	case some:
		return []bpf.Instruction{load(low), bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: c.value, SkipFalse: skip}}
	case none:
		return []bpf.Instruction{load(low), bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: c.value, SkipTrue: skip}}
	default: // zeroPtr
		return []bpf.Instruction{
			load(low), bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipFalse: skip + 2},
			load(low + 4), bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipFalse: skip},
		}
	}
}
