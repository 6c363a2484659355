package worker

import (
	"errors"
	"fmt"
	"slices"

	pb "github.com/pamhelper/pamhelper/proto"
)

// allowedCommand says why the policy lets a command not be started. It is
// compared as a whole: what a part of it means is the shell's to say.
func allowedCommand(s *pb.Service, command []byte) error {
	only := s.GetCommands()
	switch {
	case only == nil:
		return nil
	case len(command) == 0 && only.GetShell():
		return nil
	case len(command) == 0:
		return fmt.Errorf("no login shell is started through service %q; the policy allows: %s", s.GetName(), allowedCommands(only))
	case slices.Contains(only.GetLine(), string(command)):
		return nil
	}
	return fmt.Errorf("that command is not started through service %q; the policy allows: %s", s.GetName(), allowedCommands(only))
}

func allowedCommands(only *pb.Commands) string {
	var list []string
	if only.GetShell() {
		list = append(list, "the login shell")
	}
	for _, line := range only.GetLine() {
		list = append(list, quoted([]byte(line)))
	}
	return listed(list)
}

// permits holds a Start to the policy.
func (w *worker) permits(start *pb.Start) error {
	if w.debug != nil {
		return nil
	}
	if w.served == nil {
		return errors.New("no service is served")
	}
	return allowedCommand(w.served, start.GetCommand())
}
