package pamstack

import "strconv"

// Code is a return code of a module or of libpam (Linux-PAM,
// security/_pam_types.h). Those from 0 to 31 have names; a module can return
// any other int too.
type Code int

// The return codes, in the order of their numbers: 0 to 31.
const (
	Success Code = iota
	OpenErr
	SymbolErr
	ServiceErr
	SystemErr
	BufErr
	PermDenied
	AuthErr
	CredInsufficient
	AuthinfoUnavail
	UserUnknown
	Maxtries
	NewAuthtokReqd
	AcctExpired
	SessionErr
	CredUnavail
	CredExpired
	CredErr
	NoModuleData
	ConvErr
	AuthtokErr
	AuthtokRecoverErr
	AuthtokLockBusy
	AuthtokDisableAging
	TryAgain
	Ignore
	Abort
	AuthtokExpired
	ModuleUnknown
	BadItem
	ConvAgain
	Incomplete

	codeCount = 32 // how many there are
)

// codeNames are the words for the codes in a control field (pam.conf(5)).
var codeNames = [codeCount]string{
	"success", "open_err", "symbol_err", "service_err", "system_err", "buf_err", "perm_denied", "auth_err",
	"cred_insufficient", "authinfo_unavail", "user_unknown", "maxtries", "new_authtok_reqd", "acct_expired",
	"session_err", "cred_unavail", "cred_expired", "cred_err", "no_module_data", "conv_err", "authtok_err",
	"authtok_recover_err", "authtok_lock_busy", "authtok_disable_aging", "try_again", "ignore", "abort",
	"authtok_expired", "module_unknown", "bad_item", "conv_again", "incomplete",
}

// String returns the word for the code in a control field, such as "auth_err",
// or the number where there is none.
func (c Code) String() string {
	if !c.named() {
		return strconv.Itoa(int(c))
	}
	return codeNames[c]
}

// CodeNamed returns the code with that word, such as "auth_err".
func CodeNamed(word string) (code Code, ok bool) {
	for i, name := range codeNames {
		if name == word {
			return Code(i), true
		}
	}
	return 0, false
}

func (c Code) named() bool { return c >= 0 && c < codeCount }
