package ipc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Command is a process to start as the user, in the open session.
type Command struct {
	// Line is what the user's shell is given behind -c, at most 131071 bytes.
	// Empty: the login shell.
	Line string
	// Variables are what the client asked for, at most 256, and 64 KiB. The helper's
	// policy says which names it admits; the others are left out.
	Variables []Variable
	// Terminal, where not nil, gives the process a terminal of its own, whose
	// master side is Process.Master.
	Terminal *Terminal
	// Without a terminal these become descriptors 0, 1 and 2 of the process; nil
	// is /dev/null. They are made blocking, and stay the caller's, who closes
	// them when Start has returned.
	Stdin, Stdout, Stderr *os.File
}

// Terminal is what a new terminal starts with.
type Terminal struct {
	Type string // TERM; empty: not set
	Size Size
	// Modes are those of the terminal, encoded as in SSH (RFC 4254, 8). What the
	// helper does not know of them is left out. Empty: the kernel's own.
	Modes []byte
}

// Size is a terminal's window, in characters and in pixels; 0 is unknown.
type Size struct{ Columns, Rows, WidthPx, HeightPx uint16 }

// ErrNotStarted: the helper could not start a process. The session goes on.
var ErrNotStarted = errors.New("the process was not started")

// NotStartedError says why a process was not started. It unwraps to
// ErrNotStarted and, where there is one, the system's error number.
type NotStartedError struct {
	Text  string
	Errno syscall.Errno // 0: the helper itself refused
}

func (e *NotStartedError) Error() string { return e.Text }

// Unwrap returns ErrNotStarted and the error number.
func (e *NotStartedError) Unwrap() []error {
	if e.Errno == 0 {
		return []error{ErrNotStarted}
	}
	return []error{ErrNotStarted, e.Errno}
}

// Exit is how a process ended.
type Exit struct {
	Status int            // 0 to 255; -1 where a signal ended it
	Signal syscall.Signal // 0 where it exited
	Core   bool           // it left a core dump
	// CPU time of the process and of the children it waited for.
	User, System time.Duration
	MaxRSS       int64 // its largest resident set, in bytes
}

// Process is a process of the user.
type Process struct {
	Number int // 1 for the first of a login
	PID    int // as the helper sees it: for people to read
	// Terminal is the name of its terminal, such as "/dev/pts/3", and Master the
	// other side of it, which the caller reads, writes and closes. Where the
	// process has ended a read returns EIO. Empty and nil without a terminal.
	Terminal string
	Master   *os.File
	// VariablesOmitted are those of Command that the policy did not admit.
	VariablesOmitted int

	client *Client
	ended  chan struct{}
	exit   Exit
}

// Start starts a process of the user. It may be called as long as the session is
// open, also while others run. The error is a *NotStartedError where the helper
// could not start it, or would not take what is asked for; the session goes on then. ctx bounds the wait for the
// answer, not the process: where it ends first, the whole login is ended, as with
// every step.
func (c *Client) Start(ctx context.Context, command Command) (*Process, error) {
	if !c.processes {
		return nil, errors.New("this helper starts no processes")
	}
	request, files, done, err := command.request()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.release()
	if err := c.send(ctx, func() error { return c.conn.WriteFiles(request, files) }); err != nil {
		return nil, err
	}
	event, err := c.next(newPatience(ctx))
	if err != nil {
		return nil, err
	}
	started := event.GetStarted()
	if started == nil {
		return nil, c.end(&ViolationError{Text: fmt.Sprintf("unexpected event %T", event.GetBody())})
	}
	return c.startedAs(event.process, started, command.Terminal != nil)
}

// startedAs turns the answer to Start into a process or its error.
func (c *Client) startedAs(p *Process, started *pb.Started, terminal bool) (*Process, error) {
	switch outcome := started.GetOutcome().(type) {
	case *pb.Started_NotStarted:
		return nil, &NotStartedError{Text: outcome.NotStarted.GetText(), Errno: syscall.Errno(outcome.NotStarted.GetErrno())}
	case *pb.Started_Skipped:
		return nil, ErrSkipped
	case *pb.Started_Process:
	default:
		return nil, c.end(&ViolationError{Text: "a Started without an outcome"})
	}
	if terminal && p.Master == nil {
		p.Signal(syscall.SIGKILL) // nobody could read what it writes
		return nil, ErrDescriptorsLost
	}
	return p, nil
}

// request returns the message for a command, the files that go with it, and what
// is to be called when it has been sent.
func (m Command) request() (*pb.Request, []*os.File, func(), error) {
	if err := m.bounded(); err != nil {
		return nil, nil, nil, err
	}
	start := &pb.Start{Command: []byte(m.Line)}
	for _, v := range m.Variables {
		start.Variables = append(start.Variables, &pb.Variable{Name: []byte(v.Name), Value: []byte(v.Value)})
	}
	request := &pb.Request{Body: &pb.Request_Start{Start: start}}
	if m.Terminal != nil {
		start.Terminal = m.Terminal.message()
		return request, nil, func() {}, nil
	}
	files := []*os.File{m.Stdin, m.Stdout, m.Stderr}
	start.Descriptors = uint32(len(files))
	done, err := orNull(files)
	if err != nil {
		return nil, nil, nil, err
	}
	for i, file := range files {
		if err := unix.SetNonblock(descriptorOf(file), false); err != nil {
			done()
			return nil, nil, nil, fmt.Errorf("descriptor %d for the process: %w", i, err)
		}
	}
	return request, files, done, nil
}

// orNull puts /dev/null in the place of each file that is nil. It is opened only
// where one is: a confined agent cannot open it.
func orNull(files []*os.File) (done func(), err error) {
	if !slices.Contains(files, nil) {
		return func() {}, nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	for i, file := range files {
		if file == nil {
			files[i] = null
		}
	}
	return func() { null.Close() }, nil
}

func (t *Terminal) message() *pb.Terminal {
	return &pb.Terminal{
		Type:    t.Type,
		Columns: uint32(t.Size.Columns), Rows: uint32(t.Size.Rows),
		WidthPx: uint32(t.Size.WidthPx), HeightPx: uint32(t.Size.HeightPx),
		Modes: t.Modes,
	}
}

// Resize sets the size of the terminal's window, which tells the process
// (SIGWINCH).
func (p *Process) Resize(size Size) error {
	if p.Master == nil {
		return errors.New("the process has no terminal")
	}
	window := &unix.Winsize{Row: size.Rows, Col: size.Columns, Xpixel: size.WidthPx, Ypixel: size.HeightPx}
	return unix.IoctlSetWinsize(descriptorOf(p.Master), unix.TIOCSWINSZ, window)
}

// Signal sends a signal of RFC 4254 to the process and its group, with the
// user's own rights. It returns os.ErrProcessDone where the process has ended.
func (p *Process) Signal(signal syscall.Signal) error {
	if _, known := pb.Signal_Number_name[int32(signal)]; !known || signal == 0 {
		return fmt.Errorf("signal %d cannot be sent", int(signal))
	}
	select {
	case <-p.ended:
		return os.ErrProcessDone
	default:
	}
	return p.client.conn.Write(&pb.Request{Body: &pb.Request_Signal{Signal: &pb.Signal{
		Process: uint32(p.Number), Number: pb.Signal_Number(signal),
	}}})
}

// Wait waits until the process has ended. The error is that of ctx, or what
// ended the login. It may be called more than once.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-p.ended:
		return p.exit, nil
	case <-ctx.Done():
		return Exit{Status: -1}, context.Cause(ctx)
	case <-p.client.alive.Done():
	}
	select {
	case <-p.ended: // it was the last thing the worker said
		return p.exit, nil
	default:
		return Exit{Status: -1}, p.client.failure()
	}
}

// newProcess enters a process that was started: its Exited may be the next event.
func (c *Client) newProcess(started *pb.Started, files []*os.File) *Process {
	said := started.GetProcess()
	if said == nil {
		Release(files)
		return nil
	}
	p := &Process{
		Number: int(said.GetNumber()), PID: int(said.GetPid()), Terminal: said.GetTerminal(),
		VariablesOmitted: int(said.GetVariablesOmitted()), client: c, ended: make(chan struct{}),
	}
	if len(files) > 0 {
		p.Master = pollable(files[0])
		Release(files[1:])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started[said.GetNumber()] = p
	return p
}

// abandon closes what nobody will ask for.
func (p *Process) abandon() {
	if p != nil && p.Master != nil {
		p.Master.Close()
	}
}

// pollable returns the file as one that reading it can be interrupted on.
func pollable(file *os.File) *os.File {
	number, err := unix.FcntlInt(uintptr(descriptorOf(file)), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil || unix.SetNonblock(number, true) != nil {
		return file
	}
	file.Close()
	return os.NewFile(uintptr(number), "terminal")
}

func (c *Client) exited(e *pb.Exited) error {
	c.mu.Lock()
	p := c.started[e.GetProcess()]
	delete(c.started, e.GetProcess())
	c.mu.Unlock()
	if p == nil {
		return &ViolationError{Text: "the end of a process that was not started"}
	}
	p.exit = Exit{
		Core:   e.GetCoreDumped(),
		User:   time.Duration(e.GetUserTimeUs()) * time.Microsecond,
		System: time.Duration(e.GetSystemTimeUs()) * time.Microsecond,
		MaxRSS: int64(e.GetMaxRssKib()) << 10,
	}
	switch how := e.GetHow().(type) {
	case *pb.Exited_Status:
		p.exit.Status = int(how.Status)
	case *pb.Exited_Signal:
		p.exit.Status, p.exit.Signal = -1, syscall.Signal(how.Signal)
	default:
		return &ViolationError{Text: "the end of a process without a status"}
	}
	close(p.ended)
	return nil
}
