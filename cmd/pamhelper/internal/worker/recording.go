// What a login leaves behind for others: the record in /run/pamhelper, by which
// it is closed when its worker has died, and the machine's login records.

package worker

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/loginrecord"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/record"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	pb "github.com/pamhelper/pamhelper/proto"
)

// beginRecord makes the record, before there is anything to undo. Without it no
// credentials are established: nobody could delete them.
func (w *worker) beginRecord() error {
	if !w.recorded || w.record != nil {
		return nil
	}
	r := &pb.Record{
		Worker: uint32(os.Getpid()), Since: time.Now().Unix(), Service: w.config.Service, User: []byte(w.config.User),
		Tty: w.config.Tty, Rhost: w.config.Rhost, Ruser: []byte(w.config.Ruser), Credentials: true,
	}
	r.Environment = variablesOf(w.tx.Environment())
	err := aboveFloor(func() (err error) {
		w.record, err = record.Create(r)
		return err
	})
	if err != nil {
		return internal(err)
	}
	w.held.Store(w.record)
	return nil
}

// writeDown brings the record up to date. Without a record it does nothing.
func (w *worker) writeDown() error {
	if w.record == nil {
		return nil
	}
	w.record.Processes = nil
	for _, p := range w.processes.which(func(*process) bool { return true }) {
		r := &pb.RecordedProcess{Pid: uint32(p.pid), StartTime: p.start, Terminal: p.tty(), LoginRecord: p.recorded}
		if p.terminal != nil {
			r.TerminalChangedNs = p.terminal.Changed
		}
		w.record.Processes = append(w.record.Processes, r)
	}
	if w.tx != nil {
		w.record.Environment = variablesOf(w.tx.Environment())
	}
	return w.record.Save()
}

// note brings the record up to date where a failure only means that more than
// needed will be undone.
func (w *worker) note() {
	if err := w.writeDown(); err != nil {
		w.log.Printf("%s: %v", w.name(), err)
	}
}

// removeRecord: nothing is left to undo.
func (w *worker) removeRecord() {
	if w.record == nil {
		return
	}
	w.held.Store(nil)
	if err := w.record.Remove(); err != nil {
		w.log.Printf("%s: remove its record: %v", w.name(), err)
	}
	w.record = nil
}

// recordLogin writes the login of a process with a terminal into the machine's
// files.
func (w *worker) recordLogin(p *process, a userprocess.Passwd) {
	if p.terminal == nil || !w.loginRecords {
		return
	}
	p.recorded = true
	w.keep("login", func() error { return loginrecord.Login(w.entry(p.terminal.Name, a.UID)) })
}

func (w *worker) recordLogout(p *process) {
	if p.recorded {
		w.keep("logout", func() error { return loginrecord.Logout(w.entry(p.terminal.Name, 0)) })
	}
}

// recordFailure writes a login that was refused into btmp, where somebody
// answered: who only left has not failed.
func (w *worker) recordFailure() {
	if !w.loginRecords || w.conv.abandoned {
		return
	}
	w.keep("failed login", func() error { return loginrecord.Failed(w.entry("", 0)) })
}

// entry is one for the machine's files. The worker's process id stands there: it
// lives as long as the login.
func (w *worker) entry(line string, uid uint32) loginrecord.Entry {
	return loginrecord.Entry{User: w.user, UID: uid, Line: line, Host: w.config.Rhost, PID: os.Getpid(), Time: time.Now()}
}

// maxRecordWait is how long the records of a login that ends may wait for others'
// locks on the machine's files, before the rest of them is left out.
const maxRecordWait = 15 * time.Second

// keep writes one record of the machine's files. Everybody who may read them can
// keep them locked, and each wait ends by itself (package loginrecord): it must
// not take the time that closing the session has.
func (w *worker) keep(what string, write func() error) {
	if w.life.isStopped() && w.recordWait > maxRecordWait {
		w.log.Printf("%s: record of the %s: left out, the files are kept locked", w.name(), what)
		return
	}
	began := time.Now()
	w.life.aside(func() { w.logRecord(what, write()) })
	w.recordWait += time.Since(began)
}

// logRecord logs what could not be written. A file that does not exist is the
// administrator's way of not keeping it.
func (w *worker) logRecord(what string, err error) {
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap() // one for each file
	}
	for _, err := range list {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.log.Printf("%s: record of the %s: %v", w.name(), what, err)
		}
	}
}
