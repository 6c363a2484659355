package worker

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Debug is what a worker that its own starter debugs a stack with is given on
// its command line, where no agent behind a broker can put it.
type Debug struct {
	ConfDir string // read service files from here
	Tty     string // PAM_TTY; empty: not set
	// Flags are PAM's flags for every step; nil: those of a real login.
	Flags *libpam.Flags
}

// Options are what a worker's starter decides.
type Options struct {
	// Debug is nil for an agent's worker.
	Debug *Debug
	// Policy is the file that says what the agent may ask for, or
	// PolicyOnDescriptor; empty: the machine's own. Whoever debugs has none.
	Policy string
	// AgentUID is the agent's uid, where the starter knows it.
	AgentUID *uint32
	// Spare says that descriptor 3 is not the agent's socket, but one that it will
	// come from. Policy is PolicyOnDescriptor then.
	Spare bool
	// Preload makes a spare load what a login will need.
	Preload bool
	// Trace writes what every step did into the log.
	Trace bool
	// Untraced leaves out reading the service's files: no step says which line
	// decided. For measuring what that costs.
	Untraced bool
}

// ErrNoSocket is returned where there is no connection to serve.
var ErrNoSocket = errors.New("no connection on descriptor 3")

// errNoStart is for the person who starts a worker by hand.
var errNoStart = fmt.Errorf(`%w: a worker is started by an agent or a socket unit, one per login
to debug a PAM stack by hand, run: pamhelper try SERVICE USER`, ErrNoSocket)

// Main serves the login on descriptor 3 and returns when it is over. The
// calling goroutine is locked to the main thread.
func Main(options Options) error {
	return run(options, func(w *worker, policyError error) error {
		w.logsTraces, w.untraced = options.Trace, options.Untraced
		if err := w.prepare(options, policyError); err != nil {
			return w.turnAway(err)
		}
		return w.serve()
	})
}

// prepare says why no login is served at all.
func (w *worker) prepare(options Options, policyError error) error {
	if w.debug != nil {
		return nil
	}
	if policyError != nil {
		w.log.Print(policyError)
		return badPolicy(options.Policy)
	}
	isRoot := os.Geteuid() == 0
	w.recorded, w.counts, w.loginRecords = isRoot, isRoot, isRoot && w.policy.GetLoginRecords()
	if err := w.knowAgent(options.AgentUID); err != nil {
		return err
	}
	return w.countStart()
}

// run prepares the process and its worker, lets it work, and leaves nothing
// running. Where the policy cannot be read, work gets the built-in one and is told.
func run(options Options, work func(w *worker, policyError error) error) error {
	fd := socketFD()
	if fd < 0 {
		return errNoStart
	}
	logger := log.New(io.Discard, fmt.Sprintf("pamhelper[%d]: ", os.Getpid()), 0)
	if f := logFile(); f != nil {
		logger.SetOutput(&boundedLog{to: f, left: maxLog})
	}
	if err := harden(); err != nil {
		logger.Print(err)
		return err
	}
	output, err := captureOutput()
	if err != nil {
		logger.Print(err)
		return err
	}
	held, policyError := loadPolicy(options)
	if policyError != nil {
		held = policy.Builtin()
	}
	printed := logOutput(output, logger)
	terminated := heedSignals()
	libpam.Guard(fd) // keeps the dispositions as they are from here on
	libpam.SetLimits(limitsAtStart())
	if options.Spare {
		if fd, err = waitForLogin(fd, options, held, logger, terminated); err != nil {
			logger.Print(err)
			return err
		}
	}
	stream, err := connection(fd)
	if err != nil {
		logger.Print(err)
		return err
	}

	w := newWorker(ipc.NewConn(stream), held, options.Debug, logger)
	w.life.onHang = w.hang
	w.crashFD = descriptorOf(stream)
	libpam.CrashTo(w.crashFD)
	terminated.is(func() { w.life.stop(&fault{kind: pb.Fault_STOPPED, text: "the worker got SIGTERM"}) })
	err = work(w, policyError)
	killDescendants(logger)
	w.letGo()
	printed.Wait()
	return err
}

func newWorker(conn *ipc.Conn, held *pb.Policy, debug *Debug, logger *log.Logger) *worker {
	w := &worker{conn: conn, table: strict, policy: held, debug: debug, log: logger, crashFD: -1, grain: grain,
		directory: nss{}, groups: setGroups, warned: map[string]bool{}, agentUID: noUID}
	limits := deadlinesOf(held)
	if debug != nil {
		w.table = debugging
		limits.login, limits.prompt, limits.closeFloor = time.Hour, time.Hour, 0
	} else {
		conn.RefuseDescriptors()
	}
	w.queue = make(chan *call, ipc.MaxQueued)
	w.processes = newProcesses()
	w.life = newLife(limits)
	w.writesLeft = closingWrites
	w.life.onStop = func() { conn.SetWriteDeadline(time.Now().Add(closingWrites)) }
	w.conv = &conversation{w: w}
	w.start = func(config libpam.Config) (transaction, libpam.Status) {
		releaseFloor()
		tx, status := libpam.Start(config)
		if status != libpam.Success {
			return nil, status // not a nil pointer in an interface
		}
		return tx, status
	}
	return w
}
