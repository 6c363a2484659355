package main

import (
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// localTerminal is the terminal of the person who logs in.
type localTerminal struct{ file *os.File }

// raw lets every key through to the user's process, which does the echo. restore
// makes the terminal what it was.
func (t localTerminal) raw() (restore func(), err error) {
	before, err := term.MakeRaw(int(t.file.Fd()))
	if err != nil {
		return nil, err
	}
	return func() { term.Restore(int(t.file.Fd()), before) }, nil
}

// size is that of its window; unknown where it does not tell.
func (t localTerminal) size() ipc.Size {
	window, err := unix.IoctlGetWinsize(int(t.file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return ipc.Size{}
	}
	return ipc.Size{Columns: window.Col, Rows: window.Row, WidthPx: window.Xpixel, HeightPx: window.Ypixel}
}
