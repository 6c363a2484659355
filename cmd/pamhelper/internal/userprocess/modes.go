package userprocess

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Opcodes of encoded terminal modes (RFC 4254, 8).
const (
	modesEnd       = 0
	firstUndefined = 160 // from here on nobody knows how long an argument is
)

// characters are the indexes into c_cc.
var characters = map[byte]int{
	1: unix.VINTR, 2: unix.VQUIT, 3: unix.VERASE, 4: unix.VKILL, 5: unix.VEOF, 6: unix.VEOL, 7: unix.VEOL2, 8: unix.VSTART,
	9: unix.VSTOP, 10: unix.VSUSP, 12: unix.VREPRINT, 13: unix.VWERASE, 14: unix.VLNEXT, 16: unix.VSWTC, 18: unix.VDISCARD,
}

var inputFlags = map[byte]uint32{
	30: unix.IGNPAR, 31: unix.PARMRK, 32: unix.INPCK, 33: unix.ISTRIP, 34: unix.INLCR, 35: unix.IGNCR, 36: unix.ICRNL,
	37: unix.IUCLC, 38: unix.IXON, 39: unix.IXANY, 40: unix.IXOFF, 41: unix.IMAXBEL, 42: unix.IUTF8,
}

var localFlags = map[byte]uint32{
	50: unix.ISIG, 51: unix.ICANON, 52: unix.XCASE, 53: unix.ECHO, 54: unix.ECHOE, 55: unix.ECHOK, 56: unix.ECHONL,
	57: unix.NOFLSH, 58: unix.TOSTOP, 59: unix.IEXTEN, 60: unix.ECHOCTL, 61: unix.ECHOKE, 62: unix.PENDIN,
}

var outputFlags = map[byte]uint32{
	70: unix.OPOST, 71: unix.OLCUC, 72: unix.ONLCR, 73: unix.OCRNL, 74: unix.ONOCR, 75: unix.ONLRET,
}

var controlFlags = map[byte]uint32{92: unix.PARENB, 93: unix.PARODD}

// Of the character size only one flag of the two that make it is left.
var characterSizes = map[byte]uint32{90: unix.CS7, 91: unix.CS8}

// setModes sets the modes of a terminal from its master side. Speeds are left
// out: a pseudo-terminal has none.
func setModes(master int, encoded []byte) error {
	mode, err := unix.IoctlGetTermios(master, unix.TCGETS)
	if err != nil {
		return err
	}
	applyModes(mode, encoded)
	return unix.IoctlSetTermios(master, unix.TCSETS, mode)
}

// applyModes takes what is known of the modes, up to their end.
func applyModes(mode *unix.Termios, encoded []byte) {
	for len(encoded) >= 5 && encoded[0] != modesEnd && encoded[0] < firstUndefined {
		opcode, value := encoded[0], binary.BigEndian.Uint32(encoded[1:])
		applyMode(mode, opcode, value)
		encoded = encoded[5:]
	}
}

func applyMode(mode *unix.Termios, opcode byte, value uint32) {
	if at, ok := characters[opcode]; ok {
		if mode.Cc[at] = byte(value); value == 255 {
			mode.Cc[at] = 0 // _POSIX_VDISABLE
		}
	}
	set(&mode.Iflag, inputFlags[opcode], value)
	set(&mode.Lflag, localFlags[opcode], value)
	set(&mode.Oflag, outputFlags[opcode], value)
	set(&mode.Cflag, controlFlags[opcode], value)
	if size, ok := characterSizes[opcode]; ok && value != 0 {
		mode.Cflag = mode.Cflag&^unix.CSIZE | size
	}
}

func set(flags *uint32, flag, value uint32) {
	if value == 0 {
		*flags &^= flag
		return
	}
	*flags |= flag
}
