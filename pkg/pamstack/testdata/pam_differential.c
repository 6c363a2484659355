/* A module that tells of its calls and returns what its arguments say, such as
 * auth=7. With HALF it lacks the functions that a module may lack. */
#include <security/pam_modules.h>

int differential_called(const char *event, int argc, const char **argv); /* of differential.c */

#define FUNCTION(name, event) \
	int name(pam_handle_t *handle, int flags, int argc, const char **argv) \
	{ \
		(void)handle, (void)flags; \
		return differential_called(event, argc, argv); \
	}

FUNCTION(pam_sm_authenticate, "auth")
FUNCTION(pam_sm_close_session, "close_session")
#ifndef HALF
FUNCTION(pam_sm_setcred, "cred")
FUNCTION(pam_sm_acct_mgmt, "acct")
FUNCTION(pam_sm_open_session, "open_session")
FUNCTION(pam_sm_chauthtok, flags & PAM_PRELIM_CHECK ? "prechauthtok" : "chauthtok")
#endif
