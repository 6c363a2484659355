package worker

import (
	"fmt"
	"slices"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

func (w *worker) hello(req *call) (outcome, error) {
	h := req.GetHello()
	if h.GetVersion() != ipc.Version {
		return refused, &fault{kind: pb.Fault_VERSION,
			text: fmt.Sprintf("the agent speaks version %d, this helper version %d", h.GetVersion(), ipc.Version)}
	}
	welcome := &pb.Welcome{Version: ipc.Version, Libpam: libpam.Library(), Limits: &pb.Limits{
		MaxFrame:        ipc.MaxFrame,
		MaxAnswer:       maxAnswer,
		MaxQueued:       ipc.MaxQueued,
		LoginTimeoutMs:  uint32(w.life.limits.login.Milliseconds()),
		PromptTimeoutMs: uint32(w.life.limits.prompt.Milliseconds()),
		CloseTimeoutMs:  uint32(w.life.limits.close.Milliseconds()),
		MaxProcesses:    maxProcesses,
	}}
	w.conv.binary = slices.Contains(h.GetFeatures(), ipc.FeatureBinaryPrompt)
	w.processes.allowed = slices.Contains(h.GetFeatures(), ipc.FeatureProcesses)
	if w.conv.binary {
		welcome.Features = append(welcome.Features, ipc.FeatureBinaryPrompt)
	}
	if w.processes.allowed {
		welcome.Features = append(welcome.Features, ipc.FeatureProcesses)
	}
	// Only who debugs with this worker sees all of the stack.
	if w.tracing = w.debug != nil && slices.Contains(h.GetFeatures(), ipc.FeatureTrace); w.tracing {
		welcome.Features = append(welcome.Features, ipc.FeatureTrace)
	}
	w.send(&pb.Event{Body: &pb.Event_Welcome{Welcome: welcome}})
	return succeeded, nil
}

// begin binds the login, and chooses with the service what the policy wants of it.
func (w *worker) begin(req *call) (outcome, error) {
	b := req.GetBegin()
	w.service, w.claimed = b.GetService(), string(b.GetUser())
	w.user = w.claimed
	w.entitle()
	if err := w.label(b.GetLoginId()); err != nil {
		return refused, err
	}
	if err := w.check(b); err != nil {
		return refused, err
	}
	w.life.shorten(ms(b.GetLoginTimeoutMs()), ms(b.GetPromptTimeoutMs()), ms(b.GetCloseTimeoutMs()))
	w.config = w.configOf(b)
	result, err := w.step(pb.Step_BEGIN, 0, func(libpam.Flags) (status libpam.Status) {
		w.tx, status = w.start(w.config)
		return status
	})
	if result != succeeded || err != nil {
		return result, err
	}
	switch {
	case w.served.GetProof() == pb.Service_AGENT:
		w.log.Printf("%s: the agent says it is %q: proof AGENT", w.name(), w.user)
		return vouched, nil
	case w.served.GetAccountFirst():
		return accountComesFirst, nil
	}
	return succeeded, nil
}

func (w *worker) configOf(b *pb.Begin) libpam.Config {
	config := libpam.Config{
		Service:      w.service,
		User:         w.user,
		Tty:          w.served.GetTty(),
		Rhost:        b.GetRhost(),
		Ruser:        string(b.GetRuser()),
		Conversation: w.conv,
		CrashFD:      w.crashFD,
	}
	if !w.untraced {
		config.Traced = w.traced
	}
	for _, v := range b.GetVariables() {
		config.Environment = append(config.Environment, libpam.Variable{Name: string(v.GetName()), Value: string(v.GetValue())})
	}
	if w.debug != nil {
		config.ConfDir, config.Tty = w.debug.ConfDir, w.debug.Tty
		return config
	}
	config.Environment = append(config.Environment, libpam.Variable{Name: loginVariable, Value: w.user})
	w.export(config.Environment)
	return config
}

// entitle makes the login's name in the log.
func (w *worker) entitle() {
	w.title.Store(fmt.Sprintf("login of %s through %s", quoted([]byte(w.user)), quoted([]byte(w.service))))
}

// check holds a Begin to what the policy allows.
func (w *worker) check(b *pb.Begin) (err error) {
	if w.debug != nil {
		return nil
	}
	if w.served, err = admit(w.policy, b); err != nil {
		return err
	}
	w.denial = w.judgeName(w.user)
	return nil
}

// credentials comes behind the proof and account: who has got here is told why he
// gets no further.
func (w *worker) credentials(*call) (outcome, error) {
	if w.debug == nil {
		if denial := w.judgeAccount(); denial != "" {
			return refused, refuse("user %q does not log in: %s", w.user, denial)
		}
	}
	if err := w.countUser(); err != nil {
		return refused, err
	}
	if err := w.groups(w.tx.User(), w.debug == nil); err != nil {
		return refused, err
	}
	if err := w.beginRecord(); err != nil {
		return refused, err
	}
	return w.step(pb.Step_CREDENTIALS, 0, w.tx.Credentials)
}

func (w *worker) openSession(*call) (outcome, error) {
	if w.record != nil {
		w.record.Session = true // before it is: a worker killed meanwhile has one to close
	}
	if err := w.writeDown(); err != nil {
		return refused, internal(err)
	}
	return w.step(pb.Step_OPEN_SESSION, 0, func(flags libpam.Flags) libpam.Status {
		status := w.tx.OpenSession(flags)
		if status == libpam.Success && w.debug == nil {
			w.opened()
		}
		return status
	})
}

// opened lets go what only a login without a session is held to. It comes before
// the agent is told.
func (w *worker) opened() {
	w.life.opened()
	w.countOpen()
	w.conn.AcceptDescriptors()
}

func (w *worker) closeSession(*call) (result outcome, err error) {
	w.endProcesses()
	w.life.bound(func() { result, err = w.step(pb.Step_CLOSE_SESSION, 0, w.tx.CloseSession) })
	if w.debug == nil {
		w.life.closed()
	}
	if w.record != nil {
		w.record.Session = false
		w.note()
	}
	return result, err
}

// end undoes what is open; its Result is the last event.
func (w *worker) end(*call) (outcome, error) {
	_, err := w.step(pb.Step_END, 0, func(libpam.Flags) (status libpam.Status) {
		if w.tx != nil {
			status = w.undo()
		}
		return status
	})
	return succeeded, err // ended, whatever the undoing returned
}

func (w *worker) skip(req *call) (outcome, error) {
	if req.GetStart() != nil {
		req.closeFiles()
		w.send(&pb.Event{Body: &pb.Event_Started{Started: &pb.Started{Outcome: &pb.Started_Skipped{Skipped: &pb.Skipped{}}}}})
		return succeeded, nil
	}
	w.send(&pb.Event{Body: &pb.Event_Result{Result: &pb.Result{
		Step:    pb.Step(ipc.StepOf(req.Request)),
		Outcome: &pb.Result_Skipped{Skipped: &pb.Skipped{}},
	}}})
	// Skipping succeeds: the phase stays as the table says.
	return succeeded, nil
}

// undo ends, closes and deletes what was begun. No part keeps the next one from
// being done. PAM's part runs under the close deadline.
func (w *worker) undo() (status libpam.Status) {
	w.endProcesses()
	tx := w.tx
	w.tx = nil
	w.life.bound(func() { status = tx.Undo(w.flags(0)) })
	w.removeRecord()
	return status
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
