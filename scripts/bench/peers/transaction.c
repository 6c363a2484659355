/* The PAM transaction that the helper is compared with, straight in C. It is started
 * with a socket of messages (SOCK_SEQPACKET) as descriptor 0, and serves COUNT
 * requests on it, or with 0 as many as come:
 *
 *	transaction COUNT
 *
 * A request is "WHAT SERVICE USER PASSWORD", where WHAT is "login" for everything from
 * pam_start to pam_end with a session between, and "proof" for authenticate and
 * account alone; "keep" leaves the session open until the process ends, and "hello" is
 * only answered. An answer is "STATUS PROMPT TOTAL CPU", the libpam code and
 * nanoseconds, with the PAM environment behind it. */
#define _DEFAULT_SOURCE
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char what[16], service[64], user[64], password[128];
static long began, prompted;

static long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* libpam frees the answers, modules wipe them. */
static int converse(int n, const struct pam_message **m, struct pam_response **r, void *data)
{
	(void)data;
	if (!(*r = calloc(n, sizeof **r)))
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		if (m[i]->msg_style != PAM_PROMPT_ECHO_OFF && m[i]->msg_style != PAM_PROMPT_ECHO_ON)
			continue;
		if (!prompted)
			prompted = now(CLOCK_MONOTONIC) - began;
		(*r)[i].resp = strdup(password);
	}
	return PAM_SUCCESS;
}

/* The user's groups come before the credentials, as in every login program. */
static int set_groups(void)
{
	struct passwd *found = getpwnam(user);

	return found && initgroups(found->pw_name, found->pw_gid) == 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

/* Writes the environment that the session left, for the user's process. */
static int open_session(pam_handle_t *h, char *env, size_t room)
{
	int status;
	char **list;

	if ((status = set_groups()) != PAM_SUCCESS ||
	    (status = pam_setcred(h, PAM_ESTABLISH_CRED)) != PAM_SUCCESS ||
	    (status = pam_open_session(h, 0)) != PAM_SUCCESS)
		return status;
	list = pam_getenvlist(h);
	for (char **e = list; e && *e; e++) {
		int n = snprintf(env, room, "\n%s", *e);

		if (n > 0 && (size_t)n < room)
			env += n, room -= n;
		free(*e);
	}
	free(list);
	if (strcmp(what, "keep") == 0)
		return status;
	status = pam_close_session(h, 0);
	pam_setcred(h, PAM_DELETE_CRED);
	return status;
}

static int transaction(char *env, size_t room)
{
	struct pam_conv conv = { converse, NULL };
	pam_handle_t *h;
	int status = pam_start(service, user, &conv, &h);

	if (status != PAM_SUCCESS)
		return status;
	pam_set_item(h, PAM_RHOST, "127.0.0.1");
	pam_set_item(h, PAM_TTY, "ssh");
	if ((status = pam_authenticate(h, PAM_DISALLOW_NULL_AUTHTOK)) == PAM_SUCCESS &&
	    (status = pam_acct_mgmt(h, PAM_DISALLOW_NULL_AUTHTOK)) == PAM_SUCCESS && strcmp(what, "proof") != 0)
		status = open_session(h, env, room);
	if (strcmp(what, "keep") != 0)
		pam_end(h, status);
	return status;
}

int main(int argc, char **argv)
{
	static char request[512], env[8192], answer[8448];
	long count = argc == 2 ? atol(argv[1]) : -1;
	ssize_t n;

	if (count < 0)
		return 2;
	for (long served = 0; count == 0 || served < count; served++) {
		if ((n = read(0, request, sizeof request - 1)) <= 0)
			return n < 0;
		long cpu = now(CLOCK_PROCESS_CPUTIME_ID);

		began = now(CLOCK_MONOTONIC);
		prompted = 0;
		request[n] = env[0] = password[0] = 0;
		if (sscanf(request, "%15s %63s %63s %127s", what, service, user, password) < 3)
			return 2;
		int status = strcmp(what, "hello") ? transaction(env, sizeof env) : 0;
		long total = now(CLOCK_MONOTONIC) - began;

		n = snprintf(answer, sizeof answer, "%d %ld %ld %ld%s", status, prompted, total,
			     now(CLOCK_PROCESS_CPUTIME_ID) - cpu, env);
		if (write(0, answer, n) != n)
			return 1;
	}
	return 0;
}
