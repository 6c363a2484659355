package worker

import (
	"time"

	"github.com/pamhelper/pamhelper/pkg/pamstack"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// step runs one libpam call and sends its Result.
func (w *worker) step(step pb.Step, flags libpam.Flags, call func(libpam.Flags) libpam.Status) (outcome, error) {
	if err := w.hasLines(step); err != nil {
		return refused, err
	}
	w.conv.waited, w.conv.abandoned = 0, false
	began := time.Now()
	status := call(w.flags(flags))
	result := &pb.Result{
		Step:    step,
		Outcome: &pb.Result_Code{Code: pb.PamCode(status)},
		Text:    status.Text(),
	}
	switch {
	case w.tx == nil:
	case w.hides(step, status):
		result.User = []byte(w.claimed)
	default:
		if err := w.acceptable(step); err != nil {
			return refused, err
		}
		result.User = []byte(w.tx.User())
		result.Environment, result.EnvironmentOmitted = fitting(w.tx.Environment())
	}
	result.Decision = w.explain(step, status)
	result.Tolerated = w.tolerates(step, status)
	if w.hides(step, status) {
		w.even(began)
	}
	result.DurationUs = uint64((time.Since(began) - w.conv.waited).Microseconds())
	w.send(&pb.Event{Body: &pb.Event_Result{Result: result}})
	switch {
	case status == libpam.Success || result.Tolerated:
		return succeeded, nil
	case (step == pb.Step_ACCOUNT || step == pb.Step_AUTHENTICATE) && status == libpam.NewAuthtokReqd:
		return mustChange, nil
	}
	return refused, nil
}

// hides reports whether what modules set or changed, and how long they took, is not
// for the agent: to somebody who has proved nothing it would tell who exists.
func (w *worker) hides(step pb.Step, status libpam.Status) bool {
	switch {
	case w.debug != nil:
		return false
	case step == pb.Step_AUTHENTICATE:
		return status != libpam.Success
	case step == pb.Step_ACCOUNT:
		return w.phase == accountFirst || w.denial != ""
	}
	return false
}

// tolerates reports whether a step that failed does not end the login. Where PAM
// did not authenticate, modules may have nothing to make credentials of.
func (w *worker) tolerates(step pb.Step, status libpam.Status) bool {
	return step == pb.Step_CREDENTIALS && status != libpam.Success && w.served.GetProof() == pb.Service_AGENT
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
	if step == pb.Step_BEGIN && w.served.GetProof() == pb.Service_PAM {
		if err := provable(w.service, w.tx.Authenticators()); err != nil {
			return err
		}
	}
	return w.unchanged()
}

// hasLines refuses a step for which the service has no line: that the service other
// has one is hardly meant, and its lines are no proof that this user may come in.
func (w *worker) hasLines(step pb.Step) error {
	var facility pamstack.Facility
	switch step {
	case pb.Step_ACCOUNT:
		facility = pamstack.Account
	case pb.Step_OPEN_SESSION:
		facility = pamstack.Session
	default:
		return nil
	}
	if w.debug != nil || !w.tx.UsesOther(facility) {
		return nil
	}
	return refuse("service %q has no %s line, and libpam would take those of the service other; write at least: %s required pam_permit.so",
		w.service, facility, facility)
}

// unchanged says what of what Begin bound a module has changed.
func (w *worker) unchanged() error {
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
