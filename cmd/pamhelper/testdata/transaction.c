/* The transaction that the benchmarks compare with, straight in C: start,
 * authenticate, account, the user's groups, setcred, open, environment, close,
 * delete, end.
 * Usage: transaction CONFDIR COUNT; prints the nanoseconds of all. */
#define _DEFAULT_SOURCE
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int converse(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	(void)n, (void)m, (void)r, (void)data;
	return PAM_CONV_ERR;
}

static int set_groups(void)
{
	struct passwd *user = getpwnam("root");

	return user && (geteuid() != 0 || initgroups(user->pw_name, user->pw_gid) == 0) ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

static int transaction(const char *confdir)
{
	struct pam_conv conv = { converse, NULL };
	pam_handle_t *h;
	int status = pam_start_confdir("bench", "root", &conv, confdir, &h);

	if (status != PAM_SUCCESS)
		return status;
	if ((status = pam_authenticate(h, PAM_DISALLOW_NULL_AUTHTOK)) == PAM_SUCCESS &&
	    (status = pam_acct_mgmt(h, PAM_DISALLOW_NULL_AUTHTOK)) == PAM_SUCCESS &&
	    (status = set_groups()) == PAM_SUCCESS &&
	    (status = pam_setcred(h, PAM_ESTABLISH_CRED)) == PAM_SUCCESS &&
	    (status = pam_open_session(h, 0)) == PAM_SUCCESS) {
		char **env = pam_getenvlist(h);

		for (char **e = env; e && *e; e++)
			free(*e);
		free(env);
		pam_close_session(h, 0);
		status = pam_setcred(h, PAM_DELETE_CRED);
	}
	pam_end(h, status);
	return status;
}

int main(int argc, char **argv)
{
	struct timespec a, b;

	if (argc != 3)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long i = atol(argv[2]); i > 0; i--)
		if (transaction(argv[1]) != PAM_SUCCESS)
			return 1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%ld\n", (b.tv_sec - a.tv_sec) * 1000000000L + (b.tv_nsec - a.tv_nsec));
	return 0;
}
