package worker

import (
	"fmt"

	pb "github.com/pamhelper/pamhelper/proto"
)

// phase is how far a login has come.
//
//	connected ─Hello→ greeted ─Begin→ begun ─Authenticate→ proven ─Account→ permitted
//	    greeted ─Begin, where the agent's word is the proof→ proven
//	    greeted ─Begin, where account comes first→ account_first
//	    account_first ─Account→ accounted ─Authenticate→ permitted
//	    proven ─Account: PAM_NEW_AUTHTOK_REQD→ expired ─ChangePassword→ permitted
//	    accounted ─Authenticate: PAM_NEW_AUTHTOK_REQD→ expired
//	    permitted ─Credentials→ credentialed ─OpenSession→ open ─CloseSession→ closed
//	    open ─Start→ open
//
// A step that does not succeed leads to failed, where further steps are
// skipped; End leads from everywhere behind Hello to ended.
type phase int

const (
	connected phase = iota
	greeted
	begun
	accountFirst
	accounted
	proven
	expired
	permitted
	credentialed
	open
	closed
	failed
	ended
)

func (p phase) String() string {
	return [...]string{"connected", "greeted", "begun", "account_first", "accounted", "proven", "expired", "permitted",
		"credentialed", "open", "closed", "failed", "ended"}[p]
}

// request is the kind of a request that waits its turn.
type request int

const (
	unknown request = iota
	hello
	begin
	authenticate
	account
	changePassword
	credentials
	openSession
	start
	closeSession
	end
)

func (r request) String() string {
	return [...]string{"an unknown request", "Hello", "Begin", "Authenticate", "Account", "ChangePassword",
		"Credentials", "OpenSession", "Start", "CloseSession", "End"}[r]
}

func kindOf(req *pb.Request) request {
	switch req.GetBody().(type) {
	case *pb.Request_Hello:
		return hello
	case *pb.Request_Begin:
		return begin
	case *pb.Request_Authenticate:
		return authenticate
	case *pb.Request_Account:
		return account
	case *pb.Request_ChangePassword:
		return changePassword
	case *pb.Request_Credentials:
		return credentials
	case *pb.Request_OpenSession:
		return openSession
	case *pb.Request_Start:
		return start
	case *pb.Request_CloseSession:
		return closeSession
	case *pb.Request_End:
		return end
	}
	return unknown
}

// outcome is how a served request ended.
type outcome int

const (
	succeeded         outcome = iota
	refused                   // the step's code was not PAM_SUCCESS
	mustChange                // Account: PAM_NEW_AUTHTOK_REQD
	vouched                   // Begin: the agent's word is the proof
	accountComesFirst         // Begin: the policy wants account before the proof
)

// elsewhere are the phases that follow an outcome which is no plain success, where
// rule.next is none of them.
var elsewhere = map[outcome]phase{
	refused:           failed,
	mustChange:        expired,
	vouched:           proven,
	accountComesFirst: accountFirst,
}

// rule permits a request in a phase: its handler and the phase that follows a
// success. What no rule permits ends the login.
type rule struct {
	phase   phase
	request request
	handler func(*worker, *call) (outcome, error)
	next    phase
}

// strict is the table for every agent.
var strict = []rule{
	{connected, hello, (*worker).hello, greeted},
	{greeted, begin, (*worker).begin, begun},
	{begun, authenticate, (*worker).authenticate, proven},
	{accountFirst, account, (*worker).accountFirst, accounted},
	{accounted, authenticate, (*worker).authenticate, permitted},
	{proven, account, (*worker).account, permitted},
	{expired, changePassword, (*worker).changePassword, permitted},
	{permitted, credentials, (*worker).credentials, credentialed},
	{credentialed, openSession, (*worker).openSession, open},
	{open, start, (*worker).startProcess, open},
	{open, closeSession, (*worker).closeSession, closed},

	{greeted, end, (*worker).end, ended},
	{begun, end, (*worker).end, ended},
	{accountFirst, end, (*worker).end, ended},
	{accounted, end, (*worker).end, ended},
	{proven, end, (*worker).end, ended},
	{expired, end, (*worker).end, ended},
	{permitted, end, (*worker).end, ended},
	{credentialed, end, (*worker).end, ended},
	{open, end, (*worker).end, ended},
	{closed, end, (*worker).end, ended},
	{failed, end, (*worker).end, ended},

	// Queued before the agent knew. Account's NEW_AUTHTOK_REQD is not a success
	// either: the steps behind it are skipped, and ChangePassword may follow.
	{expired, credentials, (*worker).skip, expired},
	{expired, openSession, (*worker).skip, expired},
	{expired, start, (*worker).skip, expired},
	{expired, closeSession, (*worker).skip, expired},
	{failed, authenticate, (*worker).skip, failed},
	{failed, account, (*worker).skip, failed},
	{failed, changePassword, (*worker).skip, failed},
	{failed, credentials, (*worker).skip, failed},
	{failed, openSession, (*worker).skip, failed},
	{failed, start, (*worker).skip, failed},
	{failed, closeSession, (*worker).skip, failed},
}

// debugging is the table of a worker that its own starter debugs a stack with:
// every step at any time, as often as wanted, whatever the one before returned.
var debugging = []rule{
	{connected, hello, (*worker).hello, greeted},
	{greeted, begin, (*worker).begin, begun},
	{begun, authenticate, (*worker).authenticate, begun},
	{begun, account, (*worker).account, begun},
	{begun, changePassword, (*worker).changePassword, begun},
	{begun, credentials, (*worker).credentials, begun},
	{begun, openSession, (*worker).openSession, begun},
	{begun, start, (*worker).startProcess, begun},
	{begun, closeSession, (*worker).closeSession, begun},
	{greeted, end, (*worker).end, ended},
	{begun, end, (*worker).end, ended},
	{failed, end, (*worker).end, ended},

	{failed, authenticate, (*worker).skip, failed},
	{failed, account, (*worker).skip, failed},
	{failed, changePassword, (*worker).skip, failed},
	{failed, credentials, (*worker).skip, failed},
	{failed, openSession, (*worker).skip, failed},
	{failed, start, (*worker).skip, failed},
	{failed, closeSession, (*worker).skip, failed},
}

// follow returns the phase behind a request that was served.
func (w *worker) follow(r rule, result outcome) phase {
	if result == succeeded || w.debug != nil && r.request != begin {
		return r.next
	}
	return elsewhere[result]
}

// permit finds the rule for a request, or says why there is none.
func (w *worker) permit(req *call) (rule, error) {
	kind := kindOf(req.Request)
	for _, r := range w.table {
		if r.phase == w.phase && r.request == kind {
			return r, nil
		}
	}
	return rule{}, violation(fmt.Sprintf("%s is not permitted in phase %s", kind, w.phase))
}
