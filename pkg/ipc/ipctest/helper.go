// Package ipctest is a pamhelper worker in memory, for people who write agents:
// it speaks the real protocol over a socketpair and does what a script says,
// without root, libpam or any file.
//
//	helper := &ipctest.Helper{Steps: map[ipc.Step]ipctest.Handler{
//		ipc.Authenticate: func(c *ipctest.Call) ipc.Code {
//			if string(c.Prompt(false, "Password: ")) != "secret" {
//				return ipc.AuthErr
//			}
//			return ipc.Success
//		},
//	}}
//	client, err := ipc.Dial(ctx, helper, ipc.Options{Conversation: conversation})
//
// It holds the agent to the order of a login as a worker does. It has no policy,
// no deadlines and no limit on waiting requests.
package ipctest

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Handler plays the modules of one step and returns the step's code.
type Handler func(*Call) ipc.Code

// Helper is an ipc.Launcher whose workers follow a script. A step without a
// handler succeeds. The zero Helper lets everybody in.
type Helper struct {
	Steps map[ipc.Step]Handler
	// Run plays the processes of the user, each on a goroutine of its own. Nil:
	// they exit at once, with status 0.
	Run func(*Process) ipc.Exit
	// Version is the protocol version it answers with; 0: the one of package ipc.
	Version uint32
	// Busy, where it is set, is what every worker says in the place of Welcome.
	Busy *ipc.BusyError

	mu      sync.Mutex
	workers sync.WaitGroup
	taken   []ipc.Step
}

var _ ipc.Launcher = (*Helper)(nil)

// Launch starts one worker.
func (h *Helper) Launch(context.Context) (net.Conn, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, err := ipc.UnixConn(os.NewFile(uintptr(fds[0]), "worker"))
	if err != nil {
		syscall.Close(fds[1])
		return nil, err
	}
	h.workers.Go(func() {
		w := &worker{helper: h, conn: ipc.NewConn(ours), env: map[string]string{}}
		defer w.conn.Close()
		w.serve()
	})
	theirs, err := ipc.UnixConn(os.NewFile(uintptr(fds[1]), "agent"))
	if err != nil {
		return nil, err
	}
	return theirs, nil
}

// Wait waits until every worker has seen the end of its login.
func (h *Helper) Wait() { h.workers.Wait() }

// Taken returns the steps that were run, of all workers, in order. Closing an
// open session when the agent leaves is one of them, as CloseSession; what End
// closes is not.
func (h *Helper) Taken() []ipc.Step {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]ipc.Step(nil), h.taken...)
}

func (h *Helper) note(step ipc.Step) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken = append(h.taken, step)
}

// worker is one login.
type worker struct {
	helper  *Helper
	started []*Process
	running sync.WaitGroup
	conn    *ipc.Conn
	queue   []request
	login   ipc.Login
	env     map[string]string
	prompts uint64
	greeted bool
	next    []ipc.Step // what the order of a login allows now, besides End
	failed  bool
	open    bool
	// tolerated: what Credentials returns does not count.
	tolerated bool
}

// order lists what may follow a step that succeeded.
var order = map[ipc.Step][]ipc.Step{
	ipc.Begin:          {ipc.Authenticate},
	ipc.Authenticate:   {ipc.Account},
	ipc.Account:        {ipc.Credentials},
	ipc.ChangePassword: {ipc.Credentials},
	ipc.Credentials:    {ipc.OpenSession},
	ipc.OpenSession:    {ipc.CloseSession},
}

// errGone ends a worker whose agent has left or whose login is over.
var errGone = errors.New("gone")

func (w *worker) serve() {
	defer func() {
		w.endProcesses()
		if w.open {
			w.helper.note(ipc.CloseSession)
		}
	}()
	// A handler that ends the login (Crash, Hang, Die) gets here.
	defer func() {
		if r := recover(); r != nil && r != any(errGone) {
			panic(r)
		}
	}()
	for {
		req := w.read()
		if !w.serveOne(req) {
			return
		}
	}
}

// serveOne serves one request and reports whether the login goes on.
func (w *worker) serveOne(req request) bool {
	if !w.greeted {
		return w.greet(req.GetHello())
	}
	step := ipc.StepOf(req.Request)
	switch {
	case req.GetStart() != nil:
		return w.start(req)
	case req.GetSignal() != nil:
		return w.signal(req.GetSignal())
	case step == ipc.End:
		w.endProcesses()
		w.finish(ipc.End, w.run(ipc.End))
		w.open = false
		return false
	case step == 0 || !w.allowed(step):
		w.fault(pb.Fault_VIOLATION, "a request that is not permitted now", "")
		return false
	case w.failed || step != w.next[0]:
		w.send(&pb.Event{Body: &pb.Event_Result{Result: &pb.Result{
			Step: pb.Step(step), Outcome: &pb.Result_Skipped{Skipped: &pb.Skipped{}},
		}}})
		return true
	}
	if step == ipc.Begin {
		w.bind(req.GetBegin())
	}
	if step == ipc.CloseSession {
		w.endProcesses()
	}
	w.finish(step, w.run(step))
	return true
}

// allowed reports whether a step is permitted, skipped ones included.
func (w *worker) allowed(step ipc.Step) bool {
	if w.failed {
		return step != ipc.Begin
	}
	if len(w.next) == 0 {
		return false
	}
	// Behind an expired password the steps queued before are skipped.
	skipped := w.next[0] == ipc.ChangePassword && (step == ipc.Credentials || step == ipc.OpenSession || step == ipc.CloseSession)
	return step == w.next[0] || skipped
}

func (w *worker) greet(hello *pb.Hello) bool {
	if hello == nil {
		w.fault(pb.Fault_VIOLATION, "the first request is not Hello", "")
		return false
	}
	if w.helper.Busy != nil {
		w.busy(w.helper.Busy)
		return false
	}
	version := w.helper.Version
	if version == 0 {
		version = ipc.Version
	}
	w.greeted, w.next = true, []ipc.Step{ipc.Begin}
	w.send(&pb.Event{Body: &pb.Event_Welcome{Welcome: &pb.Welcome{
		Version: version, Features: hello.GetFeatures(), Libpam: "ipctest",
		Limits: &pb.Limits{MaxFrame: ipc.MaxFrame, MaxAnswer: 64 << 10, MaxQueued: ipc.MaxQueued, MaxProcesses: 256},
	}}})
	return true
}

func (w *worker) bind(b *pb.Begin) {
	w.login = ipc.Login{Service: b.GetService(), User: string(b.GetUser()), Rhost: b.GetRhost(), Ruser: string(b.GetRuser())}
	for _, v := range b.GetVariables() {
		w.login.Variables = append(w.login.Variables, ipc.Variable{Name: string(v.GetName()), Value: string(v.GetValue())})
		w.env[string(v.GetName())] = string(v.GetValue())
	}
}

func (w *worker) run(step ipc.Step) ipc.Code {
	w.helper.note(step)
	handler := w.helper.Steps[step]
	if handler == nil {
		return ipc.Success
	}
	return handler(&Call{Login: w.login, worker: w})
}

// finish sends a step's result and moves on.
func (w *worker) finish(step ipc.Step, code ipc.Code) {
	switch {
	case code == ipc.Success || step == ipc.Credentials && w.tolerated:
		w.next = order[step]
	case step == ipc.Account && code == ipc.NewAuthtokReqd:
		w.next = []ipc.Step{ipc.ChangePassword}
	default:
		w.failed = true
	}
	if code == ipc.Success && step == ipc.OpenSession {
		w.open = true
	}
	if step == ipc.CloseSession {
		w.open = false
	}
	w.send(&pb.Event{Body: &pb.Event_Result{Result: &pb.Result{
		Step: pb.Step(step), Outcome: &pb.Result_Code{Code: pb.PamCode(code)}, Text: code.String(),
		User: []byte(w.login.User), Environment: variables(w.env),
		Tolerated: code != ipc.Success && step == ipc.Credentials && w.tolerated,
	}}})
}

// request is what the agent asks, with the descriptors that came along.
type request struct {
	*pb.Request
	files []*os.File
}

func (w *worker) read() request {
	if len(w.queue) > 0 {
		req := w.queue[0]
		w.queue = w.queue[1:]
		return req
	}
	return w.receive()
}

func (w *worker) receive() request {
	req, files, err := w.conn.ReadRequest()
	if err != nil {
		panic(errGone)
	}
	return request{req, files}
}

func (w *worker) fault(kind pb.Fault_Kind, text, module string) {
	w.send(&pb.Event{Body: &pb.Event_Fault{Fault: &pb.Fault{Kind: kind, Text: text, Module: module}}})
}

func (w *worker) busy(e *ipc.BusyError) {
	w.send(&pb.Event{Body: &pb.Event_Fault{Fault: &pb.Fault{Kind: pb.Fault_BUSY, Text: e.Error(),
		Busy: &pb.Busy{RetryAfterMs: uint32(e.RetryAfter.Milliseconds()), Text: e.Text}}}})
}

func (w *worker) send(m proto.Message) {
	if w.conn.Write(m) != nil {
		panic(errGone)
	}
}
