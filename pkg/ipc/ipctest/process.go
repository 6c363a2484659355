package ipctest

import (
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Process is a process of the user as Helper.Run plays it.
type Process struct {
	// Login and Command are what Begin bound and what Start asked for. Command's
	// files are not set.
	Login   ipc.Login
	Command ipc.Command
	// Stdin, Stdout and Stderr are the descriptors that came with Start, or the
	// terminal's slave side three times. They are closed when Run returns.
	Stdin, Stdout, Stderr *os.File
	// Signals brings what the agent sends, and SIGHUP when the login ends: Run
	// has to return then. Signals that nobody takes are dropped.
	Signals <-chan syscall.Signal

	signals chan syscall.Signal
	number  uint32
	once    sync.Once
}

// start plays the worker's answer to Start, and then the process.
func (w *worker) start(req request) bool {
	skipped := w.failed || len(w.next) > 0 && w.next[0] == ipc.ChangePassword
	if !w.open && !skipped {
		closeAll(req.files)
		w.fault(pb.Fault_VIOLATION, "a request that is not permitted now", "")
		return false
	}
	started := &pb.Started{}
	if skipped {
		closeAll(req.files)
		started.Outcome = &pb.Started_Skipped{Skipped: &pb.Skipped{}}
		w.send(&pb.Event{Body: &pb.Event_Started{Started: started}})
		return true
	}
	p, master, name, err := w.newProcess(req.GetStart(), req.files)
	if err != nil {
		started.Outcome = &pb.Started_NotStarted{NotStarted: &pb.NotStarted{Text: err.Error()}}
		w.send(&pb.Event{Body: &pb.Event_Started{Started: started}})
		return true
	}
	started.Outcome = &pb.Started_Process{Process: &pb.Process{Number: p.number, Pid: uint32(os.Getpid()), Terminal: name}}
	event := &pb.Event{Body: &pb.Event_Started{Started: started}}
	started.Descriptors = uint32(len(master))
	err = w.conn.WriteFiles(event, master)
	closeAll(master)
	if err != nil {
		closeAll([]*os.File{p.Stdin, p.Stdout, p.Stderr})
		panic(errGone)
	}
	w.running.Go(func() { w.play(p) })
	return true
}

func (w *worker) newProcess(start *pb.Start, files []*os.File) (p *Process, master []*os.File, name string, err error) {
	p = &Process{Login: w.login, Command: ipc.Command{Line: string(start.GetCommand())}, signals: make(chan syscall.Signal, 16)}
	p.Signals = p.signals
	for _, v := range start.GetVariables() {
		p.Command.Variables = append(p.Command.Variables, ipc.Variable{Name: string(v.GetName()), Value: string(v.GetValue())})
	}
	if t := start.GetTerminal(); t != nil {
		p.Command.Terminal = &ipc.Terminal{Type: t.GetType(), Size: ipc.Size{
			Columns: uint16(t.GetColumns()), Rows: uint16(t.GetRows()), WidthPx: uint16(t.GetWidthPx()), HeightPx: uint16(t.GetHeightPx()),
		}, Modes: t.GetModes()}
		var side *os.File
		side, p.Stdin, name, err = openTerminal(t)
		if err != nil {
			return nil, nil, "", err
		}
		p.Stdout, p.Stderr, master = p.Stdin, p.Stdin, []*os.File{side}
	} else if len(files) != 3 {
		closeAll(files)
		return nil, nil, "", fmt.Errorf("%d descriptors, 3 are needed", len(files))
	} else {
		p.Stdin, p.Stdout, p.Stderr = files[0], files[1], files[2]
	}
	w.started = append(w.started, p)
	p.number = uint32(len(w.started))
	return p, master, name, nil
}

// openTerminal makes a terminal with the window that was asked for.
func openTerminal(t *pb.Terminal) (master, slave *os.File, name string, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, "", err
	}
	fd := int(master.Fd())
	var number int
	if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err == nil {
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(t.GetRows()), Col: uint16(t.GetColumns()),
			Xpixel: uint16(t.GetWidthPx()), Ypixel: uint16(t.GetHeightPx())})
	}
	name = fmt.Sprintf("/dev/pts/%d", number)
	if err == nil {
		slave, err = os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, "", err
	}
	return master, slave, name, nil
}

// play runs a process to its end and tells the agent.
func (w *worker) play(p *Process) {
	exit := ipc.Exit{}
	if w.helper.Run != nil {
		exit = w.helper.Run(p)
	}
	closeAll([]*os.File{p.Stdin, p.Stdout, p.Stderr})
	exited := &pb.Exited{Process: p.number, CoreDumped: exit.Core, How: &pb.Exited_Status{Status: uint32(exit.Status)}}
	if exit.Signal != 0 {
		exited.How = &pb.Exited_Signal{Signal: uint32(exit.Signal)}
	}
	w.conn.Write(&pb.Event{Body: &pb.Event_Exited{Exited: exited}}) // fails where the agent has left
}

func (w *worker) signal(s *pb.Signal) bool {
	if s.GetProcess() == 0 || int(s.GetProcess()) > len(w.started) || pb.Signal_Number_name[int32(s.GetNumber())] == "" {
		w.fault(pb.Fault_VIOLATION, "a signal to a process that was never started", "")
		return false
	}
	w.started[s.GetProcess()-1].tell(syscall.Signal(s.GetNumber()))
	return true
}

func (p *Process) tell(signal syscall.Signal) {
	select {
	case p.signals <- signal:
	default:
	}
}

// endProcesses ends what runs, as the end of a login does, and waits for it.
func (w *worker) endProcesses() {
	for _, p := range w.started {
		p.once.Do(func() { p.tell(syscall.SIGHUP) })
	}
	w.running.Wait()
}

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}
