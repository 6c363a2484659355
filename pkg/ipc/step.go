package ipc

import (
	"errors"
	"time"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Step is one step of a login.
type Step int

// The steps, in the order a login takes them.
const (
	Begin          = Step(pb.Step_BEGIN)
	Authenticate   = Step(pb.Step_AUTHENTICATE)
	Account        = Step(pb.Step_ACCOUNT)
	ChangePassword = Step(pb.Step_CHANGE_PASSWORD)
	Credentials    = Step(pb.Step_CREDENTIALS)
	OpenSession    = Step(pb.Step_OPEN_SESSION)
	CloseSession   = Step(pb.Step_CLOSE_SESSION)
	End            = Step(pb.Step_END)
)

var stepNames = map[Step]string{
	Begin: "begin", Authenticate: "authenticate", Account: "account",
	ChangePassword: "change_password", Credentials: "credentials",
	OpenSession: "open_session", CloseSession: "close_session", End: "end",
}

// String returns the step's name in lower case, such as "open_session".
func (s Step) String() string {
	if name, ok := stepNames[s]; ok {
		return name
	}
	return "unknown step"
}

// request returns the request that asks for a step without arguments.
func (s Step) request() *pb.Request {
	switch s {
	case Authenticate:
		return &pb.Request{Body: &pb.Request_Authenticate{Authenticate: &pb.Authenticate{}}}
	case Account:
		return &pb.Request{Body: &pb.Request_Account{Account: &pb.Account{}}}
	case ChangePassword:
		return &pb.Request{Body: &pb.Request_ChangePassword{ChangePassword: &pb.ChangePassword{}}}
	case Credentials:
		return &pb.Request{Body: &pb.Request_Credentials{Credentials: &pb.Credentials{}}}
	case OpenSession:
		return &pb.Request{Body: &pb.Request_OpenSession{OpenSession: &pb.OpenSession{}}}
	case CloseSession:
		return &pb.Request{Body: &pb.Request_CloseSession{CloseSession: &pb.CloseSession{}}}
	case End:
		return &pb.Request{Body: &pb.Request_End{End: &pb.End{}}}
	}
	return nil
}

// StepOf returns the step that a request asks for, or 0.
func StepOf(req *pb.Request) Step {
	switch req.GetBody().(type) {
	case *pb.Request_Begin:
		return Begin
	case *pb.Request_Authenticate:
		return Authenticate
	case *pb.Request_Account:
		return Account
	case *pb.Request_ChangePassword:
		return ChangePassword
	case *pb.Request_Credentials:
		return Credentials
	case *pb.Request_OpenSession:
		return OpenSession
	case *pb.Request_CloseSession:
		return CloseSession
	case *pb.Request_End:
		return End
	}
	return 0
}

// Variable is one environment variable. Both parts are the bytes PAM has.
type Variable struct{ Name, Value string }

// Result is how one step ended.
type Result struct {
	Step    Step
	Code    Code   // NoCode where Skipped
	Skipped bool   // not run, because a step before it did not succeed
	Text    string // libpam's words for the code
	User    string // PAM_USER after the step
	// Environment is the PAM environment after the step, sorted by name. What
	// did not fit into a frame is counted in EnvironmentOmitted.
	Environment        []Variable
	EnvironmentOmitted int
	// Tolerated: Code is no success, and the login goes on as if it were one. The
	// helper does that with Credentials, where it took the agent's word for who the
	// user is.
	Tolerated bool
	// Duration is the time in libpam and its modules, without the waiting for
	// answers.
	Duration time.Duration
	// Decision is which line decided. Nil where that is not known, and where the
	// helper does not say it: for a success, and for Authenticate.
	Decision *Decision
	// Traces are what the step's calls of libpam did, where Options.Trace asked for
	// them and the worker gives them.
	Traces []Trace
}

// Err returns nil for a success and for what is tolerated, ErrSkipped or a *PAMError.
func (r Result) Err() error {
	if r.Skipped {
		return ErrSkipped
	}
	if r.Step == 0 {
		return errors.New("not the result of a step")
	}
	if r.Code == Success || r.Tolerated {
		return nil
	}
	return &PAMError{Step: r.Step, Code: r.Code, Text: r.Text, Decision: r.Decision}
}

func newResult(r *pb.Result) (Result, error) {
	result := Result{
		Step:               Step(r.GetStep()),
		Text:               r.GetText(),
		User:               string(r.GetUser()),
		EnvironmentOmitted: int(r.GetEnvironmentOmitted()),
		Duration:           time.Duration(r.GetDurationUs()) * time.Microsecond,
		Tolerated:          r.GetTolerated() && Step(r.GetStep()) == Credentials,
		Decision:           newDecision(r.GetDecision()),
	}
	switch outcome := r.GetOutcome().(type) {
	case *pb.Result_Code:
		result.Code = Code(outcome.Code)
	case *pb.Result_Skipped:
		result.Code, result.Skipped = NoCode, true
	default:
		return result, &ViolationError{Text: "a result without an outcome"}
	}
	for _, v := range r.GetEnvironment() {
		result.Environment = append(result.Environment, Variable{string(v.GetName()), string(v.GetValue())})
	}
	return result, nil
}
