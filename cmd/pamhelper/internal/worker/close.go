package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/loginrecord"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/proc"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/record"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Close closes the login of a worker that is dead, from its record: it ends the
// processes, closes the session and deletes the credentials in a fresh handle,
// under the close deadline. It is a process of its own for that, since the module
// that killed the first worker may do the same again. The result of End, or what
// kept it from that, goes over the socket on descriptor 3; nothing is read there.
func Close(id string) error {
	return run(Options{}, func(w *worker, badPolicy error) error {
		if badPolicy != nil {
			w.log.Printf("%v\nwithout a policy: the built-in one's deadlines are taken", badPolicy)
		}
		return w.close(id)
	})
}

func (w *worker) close(id string) error {
	defer w.conn.LetGo()
	err := w.closeRecorded(id)
	w.life.over()
	if err != nil {
		w.log.Printf("%s: %v", w.name(), err)
		w.send((&fault{kind: pb.Fault_INTERNAL, text: err.Error()}).event())
	}
	return err
}

func (w *worker) closeRecorded(id string) error {
	held, err := record.Take(id)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("somebody else has closed it")
	}
	if err != nil {
		return err
	}
	w.title.Store(fmt.Sprintf("closing the login of %s through %s", quoted(held.GetUser()), quoted([]byte(held.GetService()))))
	w.life.stop(nil) // prompts fail, and the close deadline runs
	if state := held.State(); state == record.OldBoot {
		w.send(endResult(libpam.Success)) // what was open ended with that boot
		return held.Remove()
	} else if state != record.Dead {
		held.Close()
		return fmt.Errorf("it is %s: it cannot be closed from here", state)
	}
	held.Failures++ // taken back by removing the record
	if err := held.Save(); err != nil {
		return err
	}
	return w.closeHeld(held)
}

func (w *worker) closeHeld(held *record.Held) error {
	w.service, w.user = held.GetService(), string(held.GetUser())
	w.config = libpam.Config{
		Service: w.service, User: w.user, Tty: held.GetTty(), Rhost: held.GetRhost(), Ruser: string(held.GetRuser()),
		Conversation: w.conv, CrashFD: w.crashFD, Traced: w.traced,
	}
	for _, v := range held.GetEnvironment() {
		w.config.Environment = append(w.config.Environment, libpam.Variable{Name: string(v.GetName()), Value: string(v.GetValue())})
	}
	w.endRecorded(held)
	if err := setGroups(w.user, false); err != nil {
		w.log.Printf("%s: %v", w.name(), err)
	}
	status, err := w.closeInFreshHandle(held)
	if err != nil {
		held.Close()
		return err
	}
	w.send(endResult(status))
	return held.Remove()
}

// closeInFreshHandle returns the first failure of the undoing, which has been
// tried as a whole. The error is a service that could not be started.
func (w *worker) closeInFreshHandle(held *record.Held) (libpam.Status, error) {
	if !held.GetSession() && !held.GetCredentials() {
		return libpam.Success, nil
	}
	releaseFloor()
	tx, status := libpam.Start(w.config)
	if status != libpam.Success {
		w.explain(pb.Step_END, status)
		return status, fmt.Errorf("service %q cannot be started: %s", w.service, status.Text())
	}
	tx.Resume(held.GetCredentials(), held.GetSession())
	status = tx.Undo(0)
	w.explain(pb.Step_END, status)
	return status, nil
}

// endRecorded ends the processes of the record and takes their terminals back.
func (w *worker) endRecorded(held *record.Held) {
	var leaders []proc.Leader
	for _, p := range held.GetProcesses() {
		leaders = append(leaders, proc.Leader{PID: int(p.GetPid()), Start: p.GetStartTime(), UID: held.GetUid()})
	}
	if len(leaders) == 0 {
		return
	}
	w.life.aside(func() {
		if err := proc.End(leaders, graceOf(w.policy), func() {}); err != nil {
			w.log.Printf("%s: %v", w.name(), err)
		}
	})
	for _, p := range held.GetProcesses() {
		if p.GetLoginRecord() {
			w.keep("logout", func() error {
				return loginrecord.Logout(loginrecord.Entry{Line: p.GetTerminal(), PID: int(held.GetWorker()), Time: time.Now()})
			})
		}
		if p.GetTerminal() == "" {
			continue
		}
		if err := userprocess.GiveBackNamed(p.GetTerminal(), p.GetTerminalChangedNs(), held.GetUid()); err != nil {
			w.log.Printf("%s: give back %s: %v", w.name(), p.GetTerminal(), err)
		}
	}
}

func endResult(status libpam.Status) *pb.Event {
	return &pb.Event{Body: &pb.Event_Result{Result: &pb.Result{
		Step: pb.Step_END, Outcome: &pb.Result_Code{Code: pb.PamCode(status)}, Text: status.Text(),
	}}}
}
