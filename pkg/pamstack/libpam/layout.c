/* Where libpam keeps the names of a transaction in its pam_handle_t, which no
 * header tells. */
#include "hooks.h"

#include <malloc.h>
#include <string.h>

/* offset_of returns where in the handle the item's own pointer stands, -1 unless
 * it stands there exactly once. pam_get_item(3) hands out that pointer itself. */
static long offset_of(pam_handle_t *handle, int item)
{
	const void *value = NULL;
	long found = -1;

	if (pam_get_item(handle, item, &value) != PAM_SUCCESS || value == NULL)
		return -1;
	for (size_t at = 0; at + sizeof value <= malloc_usable_size(handle); at += sizeof value) {
		if (memcmp((const char *)handle + at, &value, sizeof value) != 0)
			continue;
		if (found >= 0)
			return -1;
		found = (long)at;
	}
	return found;
}

#pragma weak pam_start_confdir

int pamhelper_layout(const char *service, const char *confdir, long *service_at, long *user_at)
{
	const struct pam_conv conversation = { pamhelper_no_conversation, NULL };
	pam_handle_t *handle = NULL;

	if (!pam_start_confdir)
		return PAM_SYMBOL_ERR;
	int status = pam_start_confdir(service, "nobody", &conversation, confdir, &handle);
	if (status != PAM_SUCCESS)
		return status;
	*service_at = offset_of(handle, PAM_SERVICE);
	*user_at = offset_of(handle, PAM_USER);
	return pam_end(handle, PAM_SUCCESS);
}
