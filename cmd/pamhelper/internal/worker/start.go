package worker

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// startProcess starts a process of the user. Whatever it cannot do is told to the
// agent, and the session goes on.
func (w *worker) startProcess(req *call) (outcome, error) {
	defer req.closeFiles()
	if !w.processes.allowed {
		return refused, violation("Start without the feature " + ipc.FeatureProcesses)
	}
	started := &pb.Started{}
	p, omitted, err := w.launch(req)
	if err != nil {
		w.log.Printf("%s: no process started: %s", w.name(), printable(err.Error()))
		started.Outcome = &pb.Started_NotStarted{NotStarted: notStarted(err)}
		w.send(&pb.Event{Body: &pb.Event_Started{Started: started}})
		return succeeded, nil
	}
	said := &pb.Process{Number: p.number, Pid: uint32(p.pid), VariablesOmitted: omitted}
	started.Outcome = &pb.Started_Process{Process: said}
	var files []*os.File
	if p.terminal != nil {
		said.Terminal = p.terminal.Name
		files = []*os.File{p.terminal.Master}
	}
	started.Descriptors = uint32(len(files))
	w.send(&pb.Event{Body: &pb.Event_Started{Started: started}}, files...)
	w.watch(p)
	return succeeded, nil
}

func notStarted(err error) *pb.NotStarted {
	var errno syscall.Errno
	errors.As(err, &errno)
	return &pb.NotStarted{Text: err.Error(), Errno: uint32(errno)}
}

// launch starts a process and writes it down before it becomes the user's.
func (w *worker) launch(req *call) (p *process, omitted uint32, err error) {
	start := req.GetStart()
	if req.lost {
		return nil, 0, errors.New("the helper may not have more descriptors open: raise its limit (LimitNOFILE=)")
	}
	if err := startable(start, len(req.files)); err != nil {
		return nil, 0, err
	}
	if err := w.permits(start); err != nil {
		return nil, 0, err
	}
	if len(w.processes.running) >= maxProcesses {
		return nil, 0, fmt.Errorf("%d processes of this login have not ended yet, together with what they left running; no more are started", maxProcesses)
	}
	a, err := w.passwdOfSession()
	if err != nil {
		return nil, 0, err
	}
	if err := w.adopt(); err != nil {
		return nil, 0, err
	}
	p = &process{}
	files, err := p.descriptors(req, a)
	if err != nil {
		return nil, 0, err
	}
	if p.terminal != nil {
		defer files[0].Close() // the slave side
	}
	environment, omitted := w.environment(start, a, p.tty())
	if err := w.run(p, a, string(start.GetCommand()), environment, files); err != nil {
		p.pidfd.Close() // also where there is none
		w.giveBack(p)
		return nil, 0, err
	}
	return p, omitted, nil
}

// descriptors returns what becomes 0, 1 and 2 of the process: a terminal made for
// it, or what came with the request, which closes it.
func (p *process) descriptors(req *call, a userprocess.Passwd) (files [3]*os.File, err error) {
	window := req.GetStart().GetTerminal()
	if window == nil {
		files = [3]*os.File(req.files)
		userprocess.GivePipes(files, a, isLog)
		return files, nil
	}
	var slave *os.File
	p.terminal, slave, err = userprocess.OpenTerminal(a, window)
	return [3]*os.File{slave, slave, slave}, err
}

// run forks the process, writes it down, and lets it become the user's shell.
func (w *worker) run(p *process, a userprocess.Passwd, command string, environment []string, files [3]*os.File) error {
	child, err := userprocess.Spawn(userprocess.Config{
		Passwd: a, Command: command, Environment: environment, Files: files, Terminal: p.terminal != nil,
		Limits: libpam.UserLimits(), Actions: actionsAtStart(),
	})
	if err != nil {
		return err
	}
	if err := p.identify(child.PID); err != nil {
		child.Abandon()
		return err
	}
	w.processes.add(p)
	w.recordLogin(p, a) // before the process can look for it
	if err := w.writeDown(); err != nil {
		w.processes.forget(p)
		child.Abandon()
		return err
	}
	w.life.aside(func() { err = child.Release() })
	if err != nil {
		w.processes.forget(p)
		return errors.Join(err, w.writeDown())
	}
	return nil
}

// maxModes is more than the modes that there are take, in bytes.
const maxModes = 1024

// startable says what in a Start no process could be started with.
func startable(start *pb.Start, files int) error {
	t := start.GetTerminal()
	switch {
	case t == nil && files != 3:
		return fmt.Errorf("%d descriptors came; a process without a terminal needs 3: standard input, output and error", files)
	case t != nil && files != 0:
		return fmt.Errorf("%d descriptors came; a process with a terminal takes none", files)
	case slices.Contains(start.GetCommand(), 0):
		return errors.New("the command holds a NUL byte")
	case !names.IsWord(t.GetType(), "._+-") || len(t.GetType()) > 64:
		return fmt.Errorf("terminal type %s is not one", quoted([]byte(t.GetType())))
	case max(t.GetColumns(), t.GetRows(), t.GetWidthPx(), t.GetHeightPx()) > 0xffff:
		return errors.New("a window of more than 65535 columns, rows or pixels")
	case len(t.GetModes()) > maxModes:
		return fmt.Errorf("terminal modes of %d bytes; at most %d", len(t.GetModes()), maxModes)
	}
	return nil
}
