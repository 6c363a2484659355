// Package libpam runs one PAM transaction over github.com/msteinert/pam, with
// what a process that lives for one login needs around it: the module that
// runs is known, a module that crashes is told, the process state that modules
// change is put back, answers are wiped, and undoing happens in PAM's order.
//
// All calls of a transaction are made on one OS thread: the caller has locked
// its goroutine to it (for what belongs to a thread, such as loginuid, keyrings
// and namespaces, the process's main thread). One transaction per process at a
// time. What a service's files say is package pamstack's to read: here its model
// follows what libpam really does, and both have to agree.
package libpam

/*
#cgo LDFLAGS: -lpam -ldl -lpthread
#include "hooks.h"
*/
import "C"

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/msteinert/pam/v2"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// Status is a return code of libpam (Linux-PAM, security/_pam_types.h).
type Status int

// The return codes this package or its callers name.
const (
	Success        Status = 0
	SystemErr      Status = 4
	PermDenied     Status = 6
	AuthErr        Status = 7
	NewAuthtokReqd Status = 12
	Abort          Status = 26
)

// Text returns libpam's words for a status (pam_strerror(3)).
func (s Status) Text() string { return pam.Error(s).Error() }

// Config is what a transaction starts with.
type Config struct {
	Service string
	User    string // empty: PAM asks
	// ConfDir, where not empty, is read instead of the system's service files
	// (pam_start_confdir(3)).
	ConfDir string
	Tty     string // PAM_TTY; empty: not set
	Rhost   string // PAM_RHOST; empty: not set
	Ruser   string // PAM_RUSER; empty: not set
	// Environment is put into the PAM environment before the first module runs.
	Environment []Variable
	// Conversation must not be nil.
	Conversation Conversation
	// CrashFD is where the crash frame of a dying process goes, -1 for nowhere.
	CrashFD int
	// Traced, where not nil, is told after each call of libpam what it did,
	// pam_start and pam_end included, on the PAM thread. The service's files are
	// read for it, and the frame of a crash names the line.
	Traced func(Trace)
}

// Variable is one variable of the PAM environment.
type Variable struct{ Name, Value string }

// Transaction is one pam_handle_t from pam_start to pam_end.
type Transaction struct {
	handle      *pam.Transaction
	conv        *conversation
	confdir     string
	traced      func(Trace)
	model       *model // nil where nobody is told
	credentials bool
	session     bool
}

// Start calls pam_start and sets the items and variables. The modules of the
// service are loaded now. On a status other than Success there is nothing to
// end.
func Start(config Config) (*Transaction, Status) {
	C.pamhelper_guard_init(C.int(config.CrashFD))
	C.pamhelper_hooks_reset()
	C.pamhelper_set_status(-1)
	t := &Transaction{conv: &conversation{caller: config.Conversation}, confdir: config.ConfDir, traced: config.Traced}
	if t.traced != nil {
		// No module has run yet that could change whose eyes the files are read with.
		t.model = loadModel(config.Service, t.confdir)
	}
	status := t.guarded("pam_start", func() (err error) {
		if config.ConfDir != "" {
			t.handle, err = pam.StartConfDir(config.Service, config.User, t.conv, config.ConfDir)
			return err
		}
		t.handle, err = pam.Start(config.Service, config.User, t.conv)
		return err
	}, func(trace *Trace, r record) {
		trace.Notes = r.notes
		trace.Disagreement = t.model.started(trace.Status, r.notes)
		t.model.start(trace)
	})
	if status != Success {
		return nil, status
	}
	if status := t.setItems(config); status != Success {
		t.End()
		return nil, status
	}
	return t, Success
}

func (t *Transaction) setItems(config Config) Status {
	items := []struct {
		item  pam.Item
		value string
	}{{pam.Tty, config.Tty}, {pam.Rhost, config.Rhost}, {pam.Ruser, config.Ruser}}
	for _, i := range items {
		if i.value == "" {
			continue
		}
		if err := t.handle.SetItem(i.item, i.value); err != nil {
			return statusOf(err)
		}
	}
	for _, v := range config.Environment {
		if err := t.handle.PutEnv(v.Name + "=" + v.Value); err != nil {
			return statusOf(err)
		}
	}
	return Success
}

// Authenticators returns the modules that Authenticate can call, as libpam has
// bound them.
func (t *Transaction) Authenticators() []Bound {
	if t.model == nil {
		return (&model{}).authenticators()
	}
	return t.model.authenticators()
}

// HasNoFile says that libpam has no file for the service, and uses the lines of
// the service other in its place. It is false where that is not known.
func (t *Transaction) HasNoFile() bool {
	return t.model != nil && t.model.stack != nil && t.model.stack.Err == nil && t.model.stack.File == ""
}

// UsesOther says that the service has no line of a facility, and libpam uses those of
// the service other in their place. It is false where that is not known.
func (t *Transaction) UsesOther(facility pamstack.Facility) bool {
	if t.model == nil || t.model.stack == nil || t.model.stack.Err != nil {
		return false
	}
	chain := t.model.stack.Chain(facility)
	return len(chain) > 0 && chain[0].Other
}

// Authenticate calls pam_authenticate(3).
func (t *Transaction) Authenticate(flags Flags) Status {
	return t.step(pamstack.Authenticate, func() error { return t.handle.Authenticate(pam.Flags(flags)) })
}

// Account calls pam_acct_mgmt(3).
func (t *Transaction) Account(flags Flags) Status {
	return t.step(pamstack.AcctMgmt, func() error { return t.handle.AcctMgmt(pam.Flags(flags)) })
}

// ChangePassword calls pam_chauthtok(3).
func (t *Transaction) ChangePassword(flags Flags) Status {
	return t.step(pamstack.Chauthtok, func() error { return t.handle.ChangeAuthTok(pam.Flags(flags)) })
}

// Credentials calls pam_setcred(3) with PAM_ESTABLISH_CRED. Undo deletes what
// it established.
func (t *Transaction) Credentials(flags Flags) Status {
	status := t.step(pamstack.Setcred, func() error { return t.handle.SetCred(pam.Flags(flags | EstablishCred)) })
	t.credentials = t.credentials || status == Success
	return status
}

// OpenSession calls pam_open_session(3). Undo closes what it opened.
func (t *Transaction) OpenSession(flags Flags) Status {
	status := t.step(pamstack.OpenSession, func() error { return t.handle.OpenSession(pam.Flags(flags)) })
	t.session = t.session || status == Success
	return status
}

// CloseSession calls pam_close_session(3). It is not tried a second time.
func (t *Transaction) CloseSession(flags Flags) Status {
	t.session = false
	return t.step(pamstack.CloseSession, func() error { return t.handle.CloseSession(pam.Flags(flags)) })
}

// Resume makes Undo close a session or delete credentials that another handle
// opened, of a process that is dead.
func (t *Transaction) Resume(credentials, session bool) {
	t.credentials, t.session = credentials, session
}

// Undo does in order what is left to do: closes the session, deletes the
// credentials, ends the transaction. A step that fails does not stop the next
// one; the first failure is returned. The transaction is gone afterwards.
func (t *Transaction) Undo(flags Flags) Status {
	first := Success
	note := func(status Status) {
		if first == Success {
			first = status
		}
	}
	if t.session {
		note(t.CloseSession(flags))
	}
	if t.credentials {
		t.credentials = false
		note(t.step(pamstack.Setcred, func() error { return t.handle.SetCred(pam.Flags(flags | DeleteCred)) }))
	}
	note(t.End())
	return first
}

// End calls pam_end(3) with the status of the last step, and nothing before it.
func (t *Transaction) End() Status {
	return t.guarded("pam_end", t.handle.End, func(trace *Trace, r record) { trace.Notes = r.notes })
}

// User returns PAM_USER as the modules left it.
func (t *Transaction) User() string {
	user, err := t.handle.GetItem(pam.User)
	if err != nil {
		return ""
	}
	return user
}

// Overrule makes pam_end pass on another status than the last step's: where the
// caller refuses what the stack let in.
func (t *Transaction) Overrule(status Status) { C.pamhelper_set_status(C.int(status)) }

// Service returns PAM_SERVICE as the modules left it.
func (t *Transaction) Service() string {
	service, err := t.handle.GetItem(pam.Service)
	if err != nil {
		return ""
	}
	return service
}

// Environment returns the PAM environment, sorted by name.
func (t *Transaction) Environment() []Variable {
	list, err := t.handle.GetEnvList()
	if err != nil {
		return nil
	}
	variables := make([]Variable, 0, len(list))
	for name, value := range list {
		variables = append(variables, Variable{name, value})
	}
	slices.SortFunc(variables, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
	return variables
}

// PutEnv sets a variable of the PAM environment (pam_putenv(3)).
func (t *Transaction) PutEnv(name, value string) Status {
	return statusOf(t.handle.PutEnv(name + "=" + value))
}

// Module returns the file name of the module that runs now, or "". It may be
// called from any thread.
func Module() string { return C.GoString(C.pamhelper_module()) }

// Place returns the line of the module that runs now, or "" and 0. It may be
// called from any thread.
func Place() (file string, line int) {
	var number C.uint
	file = C.GoString(C.pamhelper_place(&number))
	return file, int(number)
}

// Library returns the file name of the libpam in use, with its version, such
// as "libpam.so.0.85.1".
func Library() string { return filepath.Base(libraryPath()) }

var libraryPath = sync.OnceValue(func() string { return C.GoString(C.pamhelper_library()) })

// step runs one call of a chain, whose status pam_end has to see.
func (t *Transaction) step(c pamstack.Call, call func() error) Status {
	reread := ""
	if C.pamhelper_hooks_reread() != 0 {
		reread = t.Service()
	}
	status := t.guarded("pam_"+c.String(), call, func(trace *Trace, r record) {
		if reread != "" {
			t.model = loadModel(reread, t.confdir)
			trace.Disagreement = t.model.reread(trace.Status, r.notes)
		}
		trace.Notes = r.notes
		t.model.follow(trace, c, r)
	})
	C.pamhelper_set_status(C.int(status))
	return status
}

// guarded runs one call that may run code of modules. Where somebody is to be
// told what it did, describe says that.
func (t *Transaction) guarded(function string, call func() error, describe func(*Trace, record)) Status {
	C.pamhelper_trace_reset()
	defer C.pamhelper_trace_reset() // texts may hold secrets
	defer t.conv.wipe()
	status := t.inside(function, call)
	if t.traced != nil {
		r := takeRecord(t.conv.hidden)
		trace := Trace{Function: function, Status: status, NotesLost: r.notesLost, TurnsLost: r.callsLost}
		describe(&trace, r)
		t.traced(trace)
	}
	return status
}

func (t *Transaction) inside(function string, call func() error) Status {
	var loads C.int
	if function == "pam_start" || function == "pam_end" {
		loads = 1
	}
	C.pamhelper_guard_enter()
	defer C.pamhelper_guard_leave(loads)
	err := call()
	if halted.Load() {
		select {} // until the process has ended
	}
	return statusOf(err)
}

var halted atomic.Bool

// Halt keeps the call that runs, and any later one, from returning: for who ends
// the process because a module does not return. What the module waits for is ended
// first, and that must not look like an end of the module's work.
func Halt() { halted.Store(true) }

func statusOf(err error) Status {
	if err == nil {
		return Success
	}
	var status pam.Error
	if errors.As(err, &status) {
		return Status(status)
	}
	return SystemErr
}

// ChildSignals sets what children forked by modules get back: 65 struct
// sigaction and a sigset_t of C, which are copied. Without it they get the
// default dispositions and the mask of the PAM thread.
func ChildSignals(actions, mask unsafe.Pointer) {
	C.pamhelper_guard_child((*C.struct_sigaction)(actions), mask)
}

// Limits are resource limits by their numbers (getrlimit(2), RLIMIT_*).
type Limits [C.PAMHELPER_RLIMITS]syscall.Rlimit

// SetLimits says which limits the user's process begins with, and modules see.
// It comes behind Guard; without it they are those of this process.
func SetLimits(limits Limits) {
	C.pamhelper_limits_init((*C.struct_rlimit)(unsafe.Pointer(&limits)))
}

// UserLimits returns the limits as modules have left them, for the user's
// process. Those of this process never change: what modules set is kept aside.
func UserLimits() (limits Limits) {
	C.pamhelper_limits_get((*C.struct_rlimit)(unsafe.Pointer(&limits)))
	return limits
}

// ExitStatus is the exit status of a process that a module ended with exit(3).
const ExitStatus = C.PAMHELPER_EXIT_STATUS

// Guard takes over the signals of faults before Start does, for what else may
// run foreign code: a crash is told on crashFD. The calling goroutine is locked
// to the PAM thread. A module that calls exit(3) ends the process with ExitStatus.
// Meanwhile it is found out which libpam this is, for the first
// transaction that is traced.
func Guard(crashFD int) {
	CrashTo(crashFD)
	go library()
}

// CrashTo has crashes told on another descriptor, behind Guard.
func CrashTo(crashFD int) { C.pamhelper_guard_init(C.int(crashFD)) }
