package main

import (
	"context"
	"io"
	"os"

	"github.com/pamhelper/pamhelper/pkg/ipc/terminal"
)

// input is standard input, which is read only as long as ctx lasts: what comes
// later is for the next program.
type input struct {
	ctx  context.Context
	file *os.File
}

var _ io.Reader = input{}

func (in input) Read(p []byte) (int, error) {
	if err := terminal.WaitReadable(in.ctx, in.file); err != nil {
		return 0, err
	}
	return in.file.Read(p)
}
