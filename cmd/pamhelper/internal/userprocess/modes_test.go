package userprocess

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// encode is as RFC 4254, 8 has it: opcodes and values in turn.
func encode(pairs ...uint32) (encoded []byte) {
	for i := 0; i < len(pairs); i += 2 {
		encoded = binary.BigEndian.AppendUint32(append(encoded, byte(pairs[i])), pairs[i+1])
	}
	return append(encoded, modesEnd)
}

func TestModesAreAppliedInOrderUpToTheirEnd(t *testing.T) {
	t.Parallel()
	before := unix.Termios{Iflag: unix.ICRNL, Oflag: unix.OPOST, Lflag: unix.ECHO | unix.ICANON, Cflag: unix.CS8}
	before.Cc[unix.VINTR] = 3
	for name, c := range map[string]struct {
		encoded []byte
		change  func(*unix.Termios)
	}{
		"none":           {nil, func(*unix.Termios) {}},
		"echo off":       {encode(53, 0), func(m *unix.Termios) { m.Lflag = unix.ICANON }},
		"utf8":           {encode(42, 1), func(m *unix.Termios) { m.Iflag |= unix.IUTF8 }},
		"interrupt":      {encode(1, 7), func(m *unix.Termios) { m.Cc[unix.VINTR] = 7 }},
		"no interrupt":   {encode(1, 255), func(m *unix.Termios) { m.Cc[unix.VINTR] = 0 }},
		"seven bits":     {encode(90, 1), func(m *unix.Termios) { m.Cflag = unix.CS7 }},
		"speeds":         {encode(128, 9600, 129, 9600), func(*unix.Termios) {}},
		"unknown":        {encode(150, 1, 53, 0), func(m *unix.Termios) { m.Lflag = unix.ICANON }},
		"behind the end": {append(encode(), encode(53, 0)...), func(*unix.Termios) {}},
		"undefined":      {append([]byte{160}, encode(53, 0)...), func(*unix.Termios) {}},
		"cut":            {encode(53, 0)[:4], func(*unix.Termios) {}},
	} {
		got, want := before, before
		c.change(&want)
		applyModes(&got, c.encoded)
		if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func FuzzModes(f *testing.F) {
	f.Add(encode(53, 0, 1, 255))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, encoded []byte) { applyModes(new(unix.Termios), encoded) })
}
