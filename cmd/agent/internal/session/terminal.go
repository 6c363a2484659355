package session

import (
	"context"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/output"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// pty takes what the terminal is to begin with.
func (s *session) pty(payload []byte) bool {
	var asked struct {
		Type                             string
		Columns, Rows, WidthPx, HeightPx uint32
		Modes                            string
	}
	if ssh.Unmarshal(payload, &asked) != nil || s.terminal != nil || s.running != nil {
		return false
	}
	if !s.Permits.Terminal {
		s.Journal.Warn("terminal refused", "why", "the certificate does not permit one")
		return false
	}
	s.terminal = &ipc.Terminal{
		Type: asked.Type, Size: size(asked.Columns, asked.Rows, asked.WidthPx, asked.HeightPx), Modes: []byte(asked.Modes),
	}
	return true
}

// sizeOf reads a window-change request.
func sizeOf(payload []byte) (ipc.Size, bool) {
	var asked struct{ Columns, Rows, WidthPx, HeightPx uint32 }
	if ssh.Unmarshal(payload, &asked) != nil {
		return ipc.Size{}, false
	}
	return size(asked.Columns, asked.Rows, asked.WidthPx, asked.HeightPx), true
}

// size is unknown where a number cannot be one of a window.
func size(columns, rows, width, height uint32) ipc.Size {
	const most = 1<<16 - 1
	if columns > most || rows > most {
		return ipc.Size{}
	}
	if width > most || height > most {
		width, height = 0, 0
	}
	return ipc.Size{Columns: uint16(columns), Rows: uint16(rows), WidthPx: uint16(width), HeightPx: uint16(height)}
}

// onItsTerminal is a process with a terminal.
type onItsTerminal struct {
	s        *session
	process  *ipc.Process
	greeting string
}

var _ running = (*onItsTerminal)(nil)

// onTerminal starts a process on a terminal. A login shell shows what the
// session's modules said.
func (s *session) onTerminal(ctx context.Context, kind string, command ipc.Command) (running, error) {
	process, err := s.Client.Start(ctx, command)
	if err != nil {
		return nil, err
	}
	s.started(process, kind)
	t := &onItsTerminal{s: s, process: process}
	if kind == "shell" && !s.Permits.Forced {
		t.greeting = s.takeMessages()
	}
	return t, nil
}

func (t *onItsTerminal) follow(ctx context.Context) {
	io.WriteString(t.s.channel, strings.ReplaceAll(t.greeting, "\n", "\r\n"))
	var typing sync.WaitGroup
	typing.Go(func() { feed(t.process.Master, t.s.input) })
	defer typing.Wait()
	screen := output.Pass(t.process.Master, t.s.channel, func() int { return output.MaxInTerminal })
	exit, err := t.process.Wait(ctx)
	screen.Finish()
	<-screen.Passed
	t.process.Master.Close() // what is typed now is for nobody
	if err != nil {
		t.s.lost(err)
		return
	}
	t.s.end(exit)
}

func (t *onItsTerminal) resize(size ipc.Size) { t.process.Resize(size) }

func (t *onItsTerminal) signal(name string) { signal(t.process, name) }

// hangUp has nothing to do: the terminal hangs up when its other side is closed.
func (t *onItsTerminal) hangUp() {}
