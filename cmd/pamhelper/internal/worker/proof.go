// What shows that the user is who the login says, and the account step, which comes
// behind it or, where the policy says account_first, before it.
//
// Before the proof nothing is told: a user who does not exist or may not log in
// gets the events that a wrong password gets. Then account always answers a success,
// what its modules say is kept, and its code becomes that of a successful proof.

package worker

import (
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// provable refuses a service whose success proves nothing.
func provable(service string, authenticators []libpam.Bound) error {
	for _, a := range authenticators {
		if why := names.WithoutProof(a.Module); why != "" {
			return refuse("service %q is not served: %s%s in its auth lines %s; use a service without it", service, a.Module,
				ipc.At(a.File, a.Line), why)
		}
	}
	return nil
}

// nullAuthtok is what authenticate and account are called with.
func (w *worker) nullAuthtok() libpam.Flags {
	if w.served.GetAllowEmptyPassword() {
		return 0
	}
	return libpam.DisallowNullAuthtok
}

// authenticate has one code for every failure: another one would tell who exists,
// and who may log in. The log has the stack's own.
func (w *worker) authenticate(*call) (outcome, error) {
	return w.step(pb.Step_AUTHENTICATE, w.nullAuthtok(), func(flags libpam.Flags) libpam.Status {
		status := w.tx.Authenticate(flags)
		if w.debug != nil {
			return status
		}
		if status == libpam.Success && w.denial == "" && !w.accounted {
			w.denial = w.takeOver()
		}
		if status != libpam.Success || w.denial != "" {
			w.recordFailure()
			if w.denial != "" {
				w.tx.Overrule(libpam.AuthErr)
			}
			return libpam.AuthErr
		}
		w.conv.tell()
		return w.outstanding()
	})
}

// outstanding is what account said before the proof.
func (w *worker) outstanding() libpam.Status {
	if w.accountStatus == libpam.Success {
		return libpam.Success
	}
	if w.accountStatus != libpam.NewAuthtokReqd {
		w.recordFailure()
	}
	w.tx.Overrule(w.accountStatus)
	return w.accountStatus
}

func (w *worker) account(*call) (outcome, error) {
	return w.step(pb.Step_ACCOUNT, w.nullAuthtok(), func(flags libpam.Flags) libpam.Status {
		status := w.callAccount(flags)
		if status != libpam.Success && status != libpam.NewAuthtokReqd {
			w.recordFailure()
		}
		return status
	})
}

// accountFirst is account for somebody who has proved nothing yet.
func (w *worker) accountFirst(*call) (outcome, error) {
	return w.step(pb.Step_ACCOUNT, w.nullAuthtok(), func(flags libpam.Flags) libpam.Status {
		w.accounted = true
		if w.denial != "" {
			return libpam.Success
		}
		w.conv.keeping = true
		w.accountStatus = w.callAccount(flags)
		w.conv.keeping = false
		if err := w.unchanged(); err != nil && w.denial == "" {
			w.denial = err.Error()
		}
		w.explain(pb.Step_ACCOUNT, w.accountStatus)
		return libpam.Success
	})
}

// callAccount runs no script of the stack for a user who may not log in. The stack
// may make the user, give him groups and another name: he is judged again behind it.
func (w *worker) callAccount(flags libpam.Flags) libpam.Status {
	if w.denial != "" {
		w.tx.Overrule(libpam.PermDenied)
		return libpam.PermDenied
	}
	status := w.tx.Account(flags)
	if w.debug != nil || status != libpam.Success && status != libpam.NewAuthtokReqd {
		return status
	}
	if w.denial = w.takeOver(); w.denial == "" {
		w.denial = w.judgeAccount()
	}
	if w.denial != "" {
		w.tx.Overrule(libpam.PermDenied)
		return libpam.PermDenied
	}
	return status
}

func (w *worker) changePassword(*call) (outcome, error) {
	return w.step(pb.Step_CHANGE_PASSWORD, libpam.ChangeExpiredAuthtok, w.tx.ChangePassword)
}
