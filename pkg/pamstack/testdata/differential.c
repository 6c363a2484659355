/* Runs PAM services through the real libpam, below a root directory of their
 * own, and prints what happens. Usage: differential ROOT
 *
 * A request is a line of standard input: the service, the configuration
 * directory (- for none) and the calls to make, as indices into calls[],
 * between tabs. Each runs in a child: what libpam does not survive ends with it.
 * The answer is one line for each event, the last one begins with "end". Before
 * the first request it says "ready".
 *
 * Build with -rdynamic: the module pam_differential.c calls back, and libpam
 * finds our empty functions in place of those that write to the system's logs. */
#define _GNU_SOURCE
#include <errno.h>
#include <security/pam_appl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int (*const calls[])(pam_handle_t *, int) = {
	pam_authenticate, pam_setcred, pam_acct_mgmt, pam_chauthtok, pam_open_session, pam_close_session,
};

void syslog(int priority, const char *format, ...) { (void)priority, (void)format; }
void vsyslog(int priority, const char *format, va_list list) { (void)priority, (void)format, (void)list; }
void __syslog_chk(int priority, int flag, const char *format, ...) { (void)priority, (void)flag, (void)format; }
void __vsyslog_chk(int priority, int flag, const char *format, va_list list)
{
	(void)priority, (void)flag, (void)format, (void)list;
}

/* As on a kernel without auditing: libpam goes on. */
int audit_open(void)
{
	errno = EPROTONOSUPPORT;
	return -1;
}

/* Bytes in hexadecimal: arguments hold blanks and newlines. */
static void print_hex(const char *bytes)
{
	putchar('\t');
	for (; *bytes; bytes++)
		printf("%02x", (unsigned char)*bytes);
}

/* Incomplete is returned once, or a call would never end. */
int differential_called(const char *event, int argc, const char **argv)
{
	static int was_incomplete;
	size_t length = strlen(event);
	int code = PAM_SUCCESS;

	printf("run\t%s", event);
	for (int i = 0; i < argc; i++)
		print_hex(argv[i]);
	putchar('\n');
	for (int i = argc - 1; i >= 0; i--)
		if (strncmp(argv[i], event, length) == 0 && argv[i][length] == '=')
			code = (int)strtol(argv[i] + length + 1, NULL, 10);
	if (code != PAM_INCOMPLETE)
		return code;
	return was_incomplete++ ? PAM_SUCCESS : PAM_INCOMPLETE;
}

/* The only module that speaks is pam_debug, and it asks for nothing. */
static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	(void)data;
	for (int i = 0; i < count; i++) {
		printf("say");
		print_hex(messages[i]->msg);
		putchar('\n');
	}
	*responses = calloc(count, sizeof **responses); /* libpam frees it */
	return *responses ? PAM_SUCCESS : PAM_BUF_ERR;
}

static void run(const char *service, const char *confdir, char *list)
{
	const struct pam_conv conversation = { converse, NULL };
	pam_handle_t *handle;
	int status = strcmp(confdir, "-") == 0 ? pam_start(service, "nobody", &conversation, &handle)
					       : pam_start_confdir(service, "nobody", &conversation, confdir, &handle);

	printf("start\t%d\n", status);
	if (status != PAM_SUCCESS)
		return;
	for (; *list; list++) {
		printf("call\t%c\n", *list);
		printf("return\t%d\n", calls[*list - '0'](handle, 0));
	}
	pam_end(handle, PAM_SUCCESS);
}

static void child(const char *service, const char *confdir, char *list)
{
	const struct rlimit no_core = { 0, 0 }, seconds = { 1, 2 };

	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_CPU, &seconds);
	run(service, confdir, list);
	_exit(0);
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;

	if (argc != 2 || chroot(argv[1]) != 0 || chdir("/") != 0) {
		perror("differential: chroot");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* what came before a crash is to be seen */
	puts("ready");
	while (getline(&line, &size, stdin) > 0) {
		char *rest = line;
		const char *service = strsep(&rest, "\t"), *confdir = strsep(&rest, "\t");
		char *list = strsep(&rest, "\n");
		int status = 0;
		pid_t pid = fork();

		if (pid == 0)
			child(service, confdir, list);
		if (pid < 0 || waitpid(pid, &status, 0) != pid) {
			perror("differential: child");
			return 1;
		}
		printf("end\t%d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	}
	return 0;
}
