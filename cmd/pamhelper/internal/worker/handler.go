package worker

import (
	"fmt"
	"os"
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
		LoginTimeoutMs:  uint32(w.policy.login.Milliseconds()),
		PromptTimeoutMs: uint32(w.policy.prompt.Milliseconds()),
		CloseTimeoutMs:  uint32(w.policy.close.Milliseconds()),
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

func (w *worker) begin(req *call) (outcome, error) {
	b := req.GetBegin()
	w.service, w.user = b.GetService(), string(b.GetUser())
	w.title.Store(fmt.Sprintf("login of %s through %s", quoted(b.GetUser()), quoted([]byte(b.GetService()))))
	if err := w.check(b); err != nil {
		return refused, err
	}
	w.life.shorten(ms(b.GetLoginTimeoutMs()), ms(b.GetPromptTimeoutMs()), ms(b.GetCloseTimeoutMs()))
	config := libpam.Config{
		Service:      w.service,
		User:         w.user,
		Tty:          w.policy.tty,
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
	} else {
		// Scripts that root runs read this one: it is never the agent's.
		config.Environment = append(config.Environment, libpam.Variable{Name: "TELEPORT_LOGIN", Value: w.user})
	}
	w.config = config
	return w.step(pb.Step_BEGIN, 0, func(libpam.Flags) (status libpam.Status) {
		w.tx, status = w.start(config)
		return status
	})
}

// check holds a Begin to what the policy allows.
func (w *worker) check(b *pb.Begin) error {
	if w.debug != nil {
		return nil
	}
	if err := w.policy.admit(b); err != nil {
		return err
	}
	denied, err := w.denies(string(b.GetUser()))
	if err != nil {
		w.log.Printf("user %q cannot be looked up: %v", b.GetUser(), err)
	}
	w.denied = denied
	return nil
}

func (w *worker) authenticate(*call) (outcome, error) {
	return w.step(pb.Step_AUTHENTICATE, libpam.DisallowNullAuthtok, func(flags libpam.Flags) libpam.Status {
		status := w.tx.Authenticate(flags)
		if status != libpam.Success || w.denied {
			w.recordFailure()
		}
		if w.debug != nil || status == libpam.Success && !w.denied {
			return status
		}
		// One code for everybody: another one would tell who exists, and who
		// may log in. The log has the stack's own.
		if w.denied {
			w.tx.Overrule(libpam.AuthErr)
		}
		return libpam.AuthErr
	})
}

func (w *worker) account(*call) (outcome, error) {
	return w.step(pb.Step_ACCOUNT, libpam.DisallowNullAuthtok, func(flags libpam.Flags) libpam.Status {
		status := w.tx.Account(flags)
		if status != libpam.Success && status != libpam.NewAuthtokReqd {
			w.recordFailure()
		}
		return status
	})
}

func (w *worker) changePassword(*call) (outcome, error) {
	return w.step(pb.Step_CHANGE_PASSWORD, libpam.ChangeExpiredAuthtok, w.tx.ChangePassword)
}

func (w *worker) credentials(*call) (outcome, error) {
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
		return refused, &fault{kind: pb.Fault_INTERNAL, text: err.Error()}
	}
	result, err := w.step(pb.Step_OPEN_SESSION, 0, w.tx.OpenSession)
	if result == succeeded && err == nil && w.debug == nil {
		w.life.opened()
	}
	return result, err
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

// step runs one libpam call and sends its Result.
func (w *worker) step(step pb.Step, flags libpam.Flags, call func(libpam.Flags) libpam.Status) (outcome, error) {
	w.conv.waited, w.conv.abandoned = 0, false
	began := time.Now()
	status := call(w.flags(flags))
	duration := time.Since(began) - w.conv.waited

	result := &pb.Result{
		Step:       step,
		Outcome:    &pb.Result_Code{Code: pb.PamCode(status)},
		Text:       status.Text(),
		DurationUs: uint64(duration.Microseconds()),
	}
	// What modules set or changed before they said no would tell who exists.
	if isNo := step == pb.Step_AUTHENTICATE && status != libpam.Success && w.debug == nil; isNo {
		result.User = []byte(w.user)
	} else if w.tx != nil {
		if err := w.acceptable(step); err != nil {
			return refused, err
		}
		result.User = []byte(w.tx.User())
		result.Environment, result.EnvironmentOmitted = fitting(w.tx.Environment())
	}
	result.Decision = w.explain(step, status)
	w.send(&pb.Event{Body: &pb.Event_Result{Result: result}})
	switch {
	case status == libpam.Success:
		return succeeded, nil
	case step == pb.Step_ACCOUNT && status == libpam.NewAuthtokReqd:
		return mustChange, nil
	}
	return refused, nil
}

// flags returns what a step is called with: a real login's flags, or those the
// person debugging chose, as far as the step knows them.
func (w *worker) flags(login libpam.Flags) libpam.Flags {
	if w.debug != nil && w.debug.Flags != nil {
		return *w.debug.Flags & (libpam.Silent | login)
	}
	return login
}

// acceptable makes sure that the service can prove who somebody is, and then that
// it is still the login that Begin bound.
func (w *worker) acceptable(step pb.Step) error {
	if w.debug != nil {
		return nil
	}
	if step == pb.Step_BEGIN && w.tx.HasNoFile() {
		return refuse("service %q has no file, and libpam would take the service other for it; write /etc/pam.d/%s", w.service, w.service)
	}
	if step == pb.Step_BEGIN {
		if err := provable(w.service, w.tx.Authenticators()); err != nil {
			return err
		}
	}
	if user := w.tx.User(); user != w.user {
		return refuse("a module changed the user from %q to %s", w.user, quoted([]byte(user)))
	}
	if service := w.tx.Service(); service != w.service {
		return refuse("a module changed the service from %q to %s", w.service, quoted([]byte(service)))
	}
	return nil
}

// maxEnvironment is how much of the environment goes into one Result, in bytes.
const maxEnvironment = 512 << 10

func fitting(environment []libpam.Variable) (variables []*pb.Variable, omitted uint32) {
	size := 0
	for i, v := range environment {
		if size += len(v.Name) + len(v.Value) + 16; size > maxEnvironment {
			return variablesOf(environment[:i]), uint32(len(environment) - i)
		}
	}
	return variablesOf(environment), 0
}

func variablesOf(environment []libpam.Variable) (variables []*pb.Variable) {
	for _, v := range environment {
		variables = append(variables, &pb.Variable{Name: []byte(v.Name), Value: []byte(v.Value)})
	}
	return variables
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// hang ends the process: a module did not return, and nothing can make it. Killing
// what the module waits for may let it return: the login must not go on then, as
// if its session had been closed.
func (w *worker) hang() {
	libpam.Halt()
	module := libpam.Module()
	file, line := libpam.Place()
	text := "the helper did not finish closing before its deadline"
	if module != "" {
		text = fmt.Sprintf("module %s%s does not return; the helper has ended without it", module, ipc.At(file, line))
	}
	f := &fault{kind: pb.Fault_HANG, text: text, module: module, file: file, line: line}
	w.log.Printf("%s: %s", w.name(), text)
	w.sending.Lock()
	w.hung = true
	w.conn.SetWriteDeadline(time.Now().Add(time.Second))
	w.conn.Write(f.event())
	w.sending.Unlock()
	killDescendants(w.log)
	os.Exit(ExitBroken)
}
