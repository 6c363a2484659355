package ipc

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
)

// Launcher reaches a worker that nobody else uses, and returns the agent's end
// of its socket. Closing the connection also releases what the launcher holds.
type Launcher interface {
	Launch(ctx context.Context) (net.Conn, error)
}

var (
	_ Launcher = Exec{}
	_ Launcher = Unix{}
	_ Launcher = (*Broker)(nil)
)

// ParseLauncher reads how a person says where the helper is:
//
//	broker:      ask the broker that started this program (a *Broker)
//	unix:PATH    connect to a socket of systemd (a Unix)
//	exec:PATH    start PATH as a child (an Exec)
//
// A relative PATH is taken from the working directory as it is now.
func ParseLauncher(text string) (Launcher, error) {
	kind, path, found := strings.Cut(text, ":")
	switch {
	case !found:
	case kind == "broker" && path == "":
		broker, err := OpenBroker()
		if err != nil {
			return nil, err // not a nil pointer in an interface
		}
		return broker, nil
	case kind == "broker":
		return nil, fmt.Errorf("%q: nothing comes behind broker:, an agent has the one that started it", text)
	case (kind == "unix" || kind == "exec") && path == "":
		return nil, fmt.Errorf("%q: %s: needs a path behind it", text, kind)
	case kind == "unix" || kind == "exec":
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("%q: %w; give the whole path", text, err)
		}
		if kind == "unix" {
			return Unix{Path: absolute}, nil
		}
		return Exec{Path: absolute}, nil
	}
	return nil, fmt.Errorf("%q is none of broker:, unix:PATH and exec:PATH", text)
}
