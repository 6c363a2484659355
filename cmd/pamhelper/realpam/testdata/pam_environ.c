/* A module that notes, in the file that is its argument, what getenv(3) could find
 * and what is in the PAM environment, as lines "FUNCTION environ|pam NAME=VALUE". */
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>

extern char **environ;

static int note(pam_handle_t *pamh, const char *function, int argc, const char **argv)
{
	FILE *f = argc == 1 ? fopen(argv[0], "ae") : NULL;
	char **list = f ? pam_getenvlist(pamh) : NULL;
	char **v;

	if (!list) {
		if (f)
			fclose(f);
		return PAM_SYSTEM_ERR;
	}
	for (v = environ; v && *v; v++)
		fprintf(f, "%s environ %s\n", function, *v);
	for (v = list; *v; v++) {
		fprintf(f, "%s pam %s\n", function, *v);
		free(*v);
	}
	free(list);
	return fclose(f) ? PAM_SYSTEM_ERR : PAM_SUCCESS;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	return note(pamh, "authenticate", argc, argv);
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	return note(pamh, "open_session", argc, argv);
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}
