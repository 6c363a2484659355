package realpam_test

// difference is a stack to run in both ways. Without steps: a whole login;
// without a user: alice.
type difference struct {
	name        string
	stack       []string
	user, rhost string
	answers     []string
	steps       []string
}

var (
	right    = []string{password}
	wrong    = []string{"wrong"}
	authOnly = []string{"authenticate"}
	acctOnly = []string{"account"}
	sessOnly = []string{"session"}
)

var differences = []difference{
	{name: "permit", stack: []string{"auth required pam_permit.so"}},
	{name: "deny", stack: []string{"auth required pam_deny.so"}},
	{name: "deny account", stack: []string{"account required pam_deny.so"}},
	{name: "deny credentials", stack: []string{"auth required pam_debug.so cred=cred_unavail"}},
	{name: "deny session", stack: []string{"session required pam_deny.so"}},
	{name: "deny the close", stack: []string{"session required pam_debug.so close_session=session_err"}},
	{name: "optional deny", stack: []string{"auth optional pam_deny.so", "auth required pam_permit.so"}},
	{name: "only optional deny", stack: []string{"auth optional pam_deny.so"}},
	{name: "sufficient ends the chain", stack: []string{"auth sufficient pam_permit.so", "auth required pam_deny.so"}},
	{name: "sufficient behind a failure", stack: []string{"auth required pam_debug.so auth=maxtries", "auth sufficient pam_permit.so"}},
	{name: "requisite ends the chain", stack: []string{"auth requisite pam_deny.so", "auth required pam_echo.so never"}},
	{name: "required goes on", stack: []string{"auth required pam_deny.so", "auth required pam_echo.so still"}},
	{name: "first failure wins", stack: []string{"auth required pam_debug.so auth=cred_err", "auth required pam_debug.so auth=user_unknown"}},
	{name: "jump over one", stack: []string{"auth [success=1 default=ignore] pam_permit.so", "auth required pam_deny.so", "auth required pam_permit.so"}},
	{name: "jump too far", stack: []string{"auth [success=5 default=ignore] pam_permit.so", "auth required pam_permit.so"}},
	{name: "done", stack: []string{"auth [default=done] pam_debug.so auth=acct_expired", "auth required pam_permit.so"}},
	{name: "die", stack: []string{"auth [default=die] pam_debug.so auth=try_again", "auth required pam_permit.so"}},
	{name: "reset", stack: []string{"auth required pam_deny.so", "auth [default=reset] pam_permit.so", "auth required pam_permit.so"}},
	{name: "ignore everything", stack: []string{"auth [default=ignore] pam_permit.so"}},
	{name: "substack denies inside", stack: []string{"auth substack test-inner", "auth required pam_permit.so"}},
	{name: "missing module", stack: []string{"auth required pam_nosuchmodule.so"}},
	{name: "missing optional module", stack: []string{"auth optional pam_nosuchmodule.so", "auth required pam_permit.so"}},
	{name: "missing module with a dash", stack: []string{"-auth required pam_nosuchmodule.so", "auth required pam_permit.so"}},
	{name: "unknown control word", stack: []string{"auth perhaps pam_permit.so"}},
	{name: "conversation is incomplete", stack: []string{"auth required pam_debug.so auth=incomplete"}},
	{name: "new token from auth", stack: []string{"auth required pam_debug.so auth=new_authtok_reqd"}},
	{name: "new token from account", stack: []string{"account required pam_debug.so acct=new_authtok_reqd"}},
	{name: "messages of a whole login", stack: []string{
		"auth required pam_echo.so auth %u %s %h", "account required pam_echo.so account", "session required pam_echo.so session %t"}, rhost: "192.0.2.1"},
	{name: "long message", stack: []string{"auth required pam_echo.so file=/etc/test-long", "auth required pam_permit.so"}},
	{name: "unix right", stack: []string{unixStack}, answers: right},
	{name: "unix wrong", stack: []string{unixStack}, answers: wrong},
	{name: "unix locked", stack: []string{unixStack}, user: lockedUser, answers: right},
	{name: "unix unknown user", stack: []string{unixStack}, user: "nosuchuser", answers: right},
	{name: "unix expired account", stack: []string{unixStack}, user: expiredUser, answers: right},
	{name: "unix expired password", stack: []string{unixStack}, user: "aged1", answers: right},
	{name: "unix empty password", stack: []string{"auth required pam_unix.so nullok nodelay"}, user: emptyUser},
	{name: "unix empty password without nullok", stack: []string{"auth required pam_unix.so nodelay"}, user: emptyUser, answers: []string{""}},
	{name: "unix empty answer", stack: []string{unixStack}, answers: []string{""}},
	{name: "unix twice asks once", stack: []string{"auth required pam_unix.so nodelay", "auth required pam_unix.so nodelay try_first_pass"}, answers: right},
	{name: "unix use_first_pass without one", stack: []string{"auth required pam_unix.so nodelay use_first_pass"}, steps: authOnly},
	{name: "password", stack: []string{unixStack}, user: "victor", answers: []string{"An0ther-and-longer", "An0ther-and-longer"}, steps: []string{"password"}},
	{name: "password, typed differently", stack: []string{unixStack}, user: "wendy", answers: []string{"An0ther-and-longer", "and-An0ther"}, steps: []string{"password"}},
	{name: "password, as Debian has it, too short", stack: []string{"password required pam_unix.so obscure yescrypt"}, user: "wendy",
		answers: []string{"short", "short"}, steps: []string{"password"}},
	{name: "password, preliminary check fails", stack: []string{"password required pam_debug.so prechauthtok=try_again"}, steps: []string{"password"}},
	{name: "succeed_if", stack: []string{"auth required pam_succeed_if.so user ingroup lab"}, steps: authOnly},
	{name: "succeed_if not", stack: []string{"auth required pam_succeed_if.so user = bob"}, steps: authOnly},
	{name: "listfile", stack: []string{"auth required pam_listfile.so item=user sense=deny file=/etc/test-denied onerr=fail"}, steps: authOnly},
	{name: "listfile, other user", stack: []string{"auth required pam_listfile.so item=user sense=deny file=/etc/test-denied onerr=fail"}, user: "bob", steps: authOnly},
	{name: "access by rhost", stack: []string{"account required pam_access.so accessfile=/etc/test-access"}, rhost: "192.0.2.1", steps: acctOnly},
	{name: "access by rhost, not", stack: []string{"account required pam_access.so accessfile=/etc/test-access"}, rhost: "203.0.113.1", steps: acctOnly},
	{name: "nologin", stack: []string{"auth required pam_nologin.so file=/etc/test-nologin"}, steps: authOnly},
	{name: "nologin for root", stack: []string{"auth required pam_nologin.so file=/etc/test-nologin"}, user: "root", steps: authOnly},
	{name: "rootok", stack: []string{"auth required pam_rootok.so"}, steps: authOnly},
	{name: "shells", stack: []string{"auth required pam_shells.so"}, steps: authOnly},
	{name: "wheel", stack: []string{"auth required pam_wheel.so group=lab"}, steps: authOnly},
	{name: "usertype", stack: []string{"account required pam_usertype.so isregular"}, steps: acctOnly},
	{name: "localuser", stack: []string{"account required pam_localuser.so"}, steps: acctOnly},
	{name: "localuser, unknown", stack: []string{"account required pam_localuser.so"}, user: "nosuchuser", steps: acctOnly},
	{name: "exec fails", stack: []string{"auth required pam_exec.so /bin/false"}, steps: authOnly},
	{name: "exec fails quietly", stack: []string{"auth required pam_exec.so quiet /bin/false"}, steps: authOnly},
	{name: "exec prints", stack: []string{"session required pam_exec.so stdout /bin/echo one two"}, steps: sessOnly},
	{name: "motd", stack: []string{"session optional pam_motd.so motd=/etc/test-motd"}, steps: sessOnly},
	{name: "issue asks with it", stack: []string{"auth required pam_issue.so issue=/etc/test-motd", "auth required pam_unix.so nodelay"}, answers: right, steps: authOnly},
	{name: "lastlog never", stack: []string{"session required pam_lastlog.so nowtmp nohost noupdate"}, steps: sessOnly},
	{name: "Debian's common files", stack: []string{"@include common-auth", "@include common-account", "@include common-session", "@include common-password"}, answers: right},
}
