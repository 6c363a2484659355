package ipc

import (
	"strconv"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Code is a return code of libpam with libpam's own number (Linux-PAM,
// security/_pam_types.h). Every code but Success is an error that errors.Is
// finds in what a Client returns.
type Code int

// NoCode stands where no libpam call was made. It is no success.
const NoCode Code = -1

// libpam's return codes.
const (
	Success             Code = 0  // PAM_SUCCESS
	OpenErr             Code = 1  // PAM_OPEN_ERR
	SymbolErr           Code = 2  // PAM_SYMBOL_ERR
	ServiceErr          Code = 3  // PAM_SERVICE_ERR
	SystemErr           Code = 4  // PAM_SYSTEM_ERR
	BufErr              Code = 5  // PAM_BUF_ERR
	PermDenied          Code = 6  // PAM_PERM_DENIED
	AuthErr             Code = 7  // PAM_AUTH_ERR
	CredInsufficient    Code = 8  // PAM_CRED_INSUFFICIENT
	AuthinfoUnavail     Code = 9  // PAM_AUTHINFO_UNAVAIL
	UserUnknown         Code = 10 // PAM_USER_UNKNOWN
	Maxtries            Code = 11 // PAM_MAXTRIES
	NewAuthtokReqd      Code = 12 // PAM_NEW_AUTHTOK_REQD
	AcctExpired         Code = 13 // PAM_ACCT_EXPIRED
	SessionErr          Code = 14 // PAM_SESSION_ERR
	CredUnavail         Code = 15 // PAM_CRED_UNAVAIL
	CredExpired         Code = 16 // PAM_CRED_EXPIRED
	CredErr             Code = 17 // PAM_CRED_ERR
	NoModuleData        Code = 18 // PAM_NO_MODULE_DATA
	ConvErr             Code = 19 // PAM_CONV_ERR
	AuthtokErr          Code = 20 // PAM_AUTHTOK_ERR
	AuthtokRecoveryErr  Code = 21 // PAM_AUTHTOK_RECOVERY_ERR
	AuthtokLockBusy     Code = 22 // PAM_AUTHTOK_LOCK_BUSY
	AuthtokDisableAging Code = 23 // PAM_AUTHTOK_DISABLE_AGING
	TryAgain            Code = 24 // PAM_TRY_AGAIN
	Ignore              Code = 25 // PAM_IGNORE
	Abort               Code = 26 // PAM_ABORT
	AuthtokExpired      Code = 27 // PAM_AUTHTOK_EXPIRED
	ModuleUnknown       Code = 28 // PAM_MODULE_UNKNOWN
	BadItem             Code = 29 // PAM_BAD_ITEM
	ConvAgain           Code = 30 // PAM_CONV_AGAIN
	Incomplete          Code = 31 // PAM_INCOMPLETE
)

// String returns PAM's own name, such as "PAM_AUTH_ERR", or "PAM code 99" for
// a number that has none.
func (c Code) String() string {
	if name, ok := pb.PamCode_name[int32(c)]; ok {
		return name
	}
	return "PAM code " + strconv.Itoa(int(c))
}

// Error returns what String returns.
func (c Code) Error() string { return c.String() }
