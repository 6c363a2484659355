package ipc

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// What a worker takes in a Start. More breaks the protocol, and a client of the
// agent must not end a whole login by what it asks for.
const (
	maxCommand       = 128<<10 - 1
	maxTerminalType  = 256
	maxVariables     = 256
	maxVariableBytes = 64 << 10
)

// bounded says why a command cannot be sent. Its error is a *NotStartedError.
func (m Command) bounded() error {
	size := 0
	for _, v := range m.Variables {
		size += len(v.Name) + len(v.Value)
	}
	refused := ""
	switch {
	case strings.Contains(m.Line, "\x00"):
		refused = "the command holds a NUL byte"
	case len(m.Line) > maxCommand:
		refused = fmt.Sprintf("the command has %d bytes; at most %d", len(m.Line), maxCommand)
	case m.Terminal != nil && (len(m.Terminal.Type) > maxTerminalType || !utf8.ValidString(m.Terminal.Type)):
		refused = "the terminal's type is none: it has too many bytes, or they are no text"
	case len(m.Variables) > maxVariables || size > maxVariableBytes:
		refused = fmt.Sprintf("%d variables of %d bytes; at most %d of %d bytes", len(m.Variables), size, maxVariables, maxVariableBytes)
	}
	if refused == "" {
		return nil
	}
	return &NotStartedError{Text: refused}
}
