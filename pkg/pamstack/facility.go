package pamstack

// Facility is what a line is for: the first field of a line, the type.
type Facility int

// The four facilities. The zero value is none of them: all lines are meant.
const (
	anyFacility Facility = iota
	Auth
	Account
	Password
	Session

	facilityCount
)

var facilityNames = [facilityCount]string{"any", "auth", "account", "password", "session"}

// String returns the word in a line, such as "auth".
func (f Facility) String() string { return facilityNames[f] }

// Call is a call of an application that runs a chain of handlers.
type Call int

// The six calls, named after their functions: pam_authenticate(3) and so on.
const (
	Authenticate Call = iota
	Setcred
	AcctMgmt
	Chauthtok
	OpenSession
	CloseSession

	callCount
)

var callNames = [callCount]string{
	"authenticate", "setcred", "acct_mgmt", "chauthtok", "open_session", "close_session",
}

// String returns the name without its prefix, such as "acct_mgmt".
func (c Call) String() string { return callNames[c] }

// Function returns the function of a module that serves the call, such as
// "pam_sm_acct_mgmt".
func (c Call) Function() string { return "pam_sm_" + callNames[c] }

// Facility returns the facility whose lines the call runs.
func (c Call) Facility() Facility {
	return [callCount]Facility{Auth, Auth, Account, Password, Session, Session}[c]
}

// frozen says that the call takes the way of the call before it, where there
// was one: setcred that of authenticate, close_session that of open_session.
func (c Call) frozen() bool { return c == Setcred || c == CloseSession }
