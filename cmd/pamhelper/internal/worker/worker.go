// Package worker is the root side of one login: it takes an agent's requests
// off a socket, holds them to the phase table and the policy, and runs them as
// one PAM transaction on the process's main thread. It ends with the login. A broker
// may start it before there is one, as a spare.
//
// After the session is open it starts the user's processes, and before that is
// closed it ends them. How that is done is package userprocess, and what a
// service's files say package pamstack.
package worker

import (
	"errors"
	"fmt"
	"io"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/record"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// worker is one login.
type worker struct {
	conn      *ipc.Conn
	table     []rule
	phase     phase
	policy    *pb.Policy
	served    *pb.Service // the policy's, as Begin chose it; nil before, and for who debugs
	debug     *Debug      // nil: the strict table and the policy
	start     func(libpam.Config) (transaction, libpam.Status)
	directory directory
	groups    func(user string, strict bool) error
	log       *log.Logger
	warned    map[string]bool // what warnOnce has said
	agentUID  uint32          // who never logs in; noUID: root, or not known

	life  *life
	conv  *conversation
	queue chan *call

	config       libpam.Config      // as Begin bound it
	passwd       userprocess.Passwd // of the session; empty before the first process
	processes    *processes
	leftovers    *leftovers
	counts       bool // count the login in /run/pamhelper
	slots        counted
	recorded     bool         // keep a record in /run/pamhelper
	record       *record.Held // nil: nothing to undo yet
	held         atomic.Pointer[record.Held]
	loginRecords bool          // keep utmp, wtmp, lastlog and btmp
	recordWait   time.Duration // spent on their locks so far

	sending sync.Mutex
	hung    bool // the agent was told that a module hangs: no event after that
	// writesLeft is what is left of closingWrites.
	writesLeft time.Duration
	tx         transaction
	service    string       // as bound by Begin
	claimed    string       // as Begin has it
	user       string       // as bound by Begin, or a canonical name that was admitted
	title      atomic.Value // both, for the log
	crashFD    int          // where the signal handler writes
	grain      time.Duration
	denial     string // why the user may not log in, and must not learn it; for the log

	accounted     bool          // the account step came first, and has been
	accountStatus libpam.Status // what it said, where it came before the proof

	traces     []libpam.Trace // of the step that runs
	tracing    bool           // the starter gets them
	logsTraces bool           // the log gets them
	untraced   bool           // nobody does
}

// transaction is what the worker needs of libpam.Transaction.
type transaction interface {
	Authenticate(libpam.Flags) libpam.Status
	Account(libpam.Flags) libpam.Status
	ChangePassword(libpam.Flags) libpam.Status
	Credentials(libpam.Flags) libpam.Status
	OpenSession(libpam.Flags) libpam.Status
	CloseSession(libpam.Flags) libpam.Status
	Undo(libpam.Flags) libpam.Status
	Overrule(libpam.Status)
	Authenticators() []libpam.Bound
	HasNoFile() bool
	UsesOther(pamstack.Facility) bool
	Service() string
	User() string
	Environment() []libpam.Variable
	PutEnv(name, value string) libpam.Status
}

var _ transaction = (*libpam.Transaction)(nil)

// serve runs the login to its end, whichever that is. It returns nil where the
// login ended in order or the agent went away.
func (w *worker) serve() error {
	received := make(chan struct{})
	go func() {
		defer close(received)
		w.receive()
	}()
	err := w.steps()
	w.life.stop(err) // from here on prompts fail and the close deadline runs
	if w.tx != nil {
		w.tracing = false // nobody waits for a step any more
		w.explain(pb.Step_END, w.undo())
	}
	var f *fault
	if errors.As(err, &f) {
		w.log.Printf("%s ended: %s", w.name(), ipc.Printable([]byte(f.text)))
		w.send(f.event())
	}
	w.life.over()
	if w.conn.LetGo() { // otherwise it ends with the process
		<-received
	}
	w.dropQueue()
	if f == nil {
		return nil
	}
	return f
}

// dropQueue closes the descriptors of requests that are not served any more.
func (w *worker) dropQueue() {
	for {
		select {
		case req := <-w.queue:
			req.closeFiles()
		default:
			return
		}
	}
}

// name is the login in a line of the log.
func (w *worker) name() string {
	if title, ok := w.title.Load().(string); ok {
		return title
	}
	return "login that has not begun"
}

// steps serves requests until the login has ended or is stopped.
func (w *worker) steps() error {
	for w.phase != ended {
		select {
		case <-w.life.stopped:
			return w.life.reason()
		case p := <-w.processes.exits:
			w.ended(p)
			w.takeExits()
		case <-w.orphanEnded():
			w.reapOrphans()
		case req := <-w.queue:
			if w.life.isStopped() {
				req.closeFiles()
				return w.life.reason()
			}
			rule, err := w.permit(req)
			if err != nil {
				req.closeFiles()
				return err
			}
			result, err := rule.handler(w, req)
			if err != nil {
				return err
			}
			w.phase = w.follow(rule, result)
		}
	}
	return nil
}

// receive reads requests: answers go to the waiting prompt, steps wait their
// turn. It ends with the connection.
func (w *worker) receive() {
	for {
		req, files, err := w.conn.ReadRequest()
		lost := errors.Is(err, ipc.ErrDescriptorsLost)
		if err == nil || lost {
			err = w.route(&call{req, files, lost})
		}
		if err != nil {
			w.life.stop(readFault(err))
			return
		}
	}
}

// route hands a request on, or says what it breaks. What waits is kept in
// memory, so it is measured before.
func (w *worker) route(req *call) (err error) {
	defer func() {
		if err != nil {
			req.closeFiles()
		}
	}()
	switch body := req.GetBody().(type) {
	case *pb.Request_Answer:
		return w.conv.deliver(body.Answer.GetId(), body.Answer)
	case *pb.Request_Cancel:
		return w.conv.deliver(body.Cancel.GetId(), nil)
	case *pb.Request_Hello:
		if err := bounded(body.Hello); err != nil {
			return err
		}
	case *pb.Request_Begin:
		if err := wellFormed(body.Begin); err != nil {
			return err
		}
	case *pb.Request_Start:
		if err := boundedStart(body.Start); err != nil {
			return err
		}
	case *pb.Request_Signal:
		return w.signal(body.Signal)
	}
	select {
	case w.queue <- req:
		return nil
	default:
		return violation(fmt.Sprintf("more than %d requests wait", ipc.MaxQueued))
	}
}

// readFault says what an error of the connection means for the login: nil
// where the agent left, which needs no fault, since nobody would read it.
func readFault(err error) error {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	var v *ipc.ViolationError
	if errors.As(err, &v) {
		return violation(v.Text)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return violation("the connection ended inside a frame")
	}
	return nil
}
