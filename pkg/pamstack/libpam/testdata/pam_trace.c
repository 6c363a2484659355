/* A module that does what a trace is to show. Its first argument says what. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static void log_valist(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsyslog(LOG_NOTICE, format, arguments);
	va_end(arguments);
}

static void do_all(pam_handle_t *pamh)
{
	errno = ENOENT;
	syslog(LOG_AUTH | LOG_ERR, "plain %d %m", 1);
	log_valist("list %s", "two");
	pam_syslog(pamh, LOG_DEBUG, "pam three");
	pam_set_item(pamh, PAM_RUSER, "secret value");
	pam_set_item(pamh, PAM_XDISPLAY, NULL);
	pam_putenv(pamh, "COLOUR=secret value");
	pam_putenv(pamh, "COLOUR");
	pam_fail_delay(pamh, 7);
	pam_info(pamh, "hello");
}

static void *thread(void *pamh)
{
	for (int i = 0; i < 1000; i++) {
		syslog(LOG_ERR, "from a thread");
		pam_putenv(pamh, "THREAD=1");
	}
	return NULL;
}

static int act(pam_handle_t *pamh, const char *what)
{
	char *answer = NULL;

	if (strcmp(what, "all") == 0)
		do_all(pamh);
	if (strcmp(what, "fork") == 0) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			do_all(pamh);
			_exit(pam_info(pamh, "hello"));
		}
		waitpid(child, &status, 0);
		syslog(LOG_ERR, "after the fork: %d", WEXITSTATUS(status));
	}
	if (strcmp(what, "thread") == 0) {
		pthread_t id;

		pthread_create(&id, NULL, thread, pamh);
		for (int i = 0; i < 1000; i++)
			getpid();
		pthread_join(id, NULL);
		syslog(LOG_ERR, "after the thread");
	}
	if (strcmp(what, "leak") == 0) {
		pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &answer, "Password: ");
		syslog(LOG_ERR, "the answer is %s, is it", answer);
		pam_info(pamh, "you said %s", answer);
	}
	if (strcmp(what, "ask") == 0) {
		pam_prompt(pamh, PAM_PROMPT_ECHO_ON, &answer, "Name: ");
		syslog(LOG_ERR, "the name is %s", answer);
	}
	if (strcmp(what, "flood") == 0) {
		char text[3000];

		memset(text, 'x', sizeof text - 1);
		text[sizeof text - 1] = '\0';
		for (int i = 0; i < 5000; i++)
			syslog(LOG_DEBUG, "%s", text);
	}
	if (strcmp(what, "service") == 0)
		pam_set_item(pamh, PAM_SERVICE, "second");
	if (strcmp(what, "slow") == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	free(answer);
	return strcmp(what, "odd") == 0 ? 4711 : PAM_SUCCESS;
}

#define ENTRY(name) \
	int pam_sm_##name(pam_handle_t *pamh, int flags, int argc, const char **argv) \
	{ \
		(void)flags; \
		return act(pamh, argc > 0 ? argv[0] : ""); \
	}

ENTRY(authenticate)
ENTRY(setcred)
ENTRY(acct_mgmt)
ENTRY(open_session)
ENTRY(close_session)
