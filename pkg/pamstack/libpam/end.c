/* The binding ends a transaction with the status of whatever it called last,
 * reading an item included. This pam_end stands before libpam's and passes on
 * the status of the last step, which the modules' cleanup functions act on. */
#define _GNU_SOURCE
#include "hooks.h"

#include <dlfcn.h>

static int step_status = -1; /* none: pass on what the caller says */

void pamhelper_set_status(int status)
{
	step_status = status;
}

__attribute__((visibility("default")))
int pam_end(pam_handle_t *pamh, int status)
{
	int (*real)(pam_handle_t *, int) = (int (*)(pam_handle_t *, int))dlsym(RTLD_NEXT, "pam_end");

	return real(pamh, step_status >= 0 ? step_status : status);
}
