/* A PAM module that does what no module should: for the worker's tests.
 *
 *   pam_hostile.so MODE [in=FACILITY] [n=NUMBER] [log=FILE] [pids=FILE] [file=FILE]
 *
 * MODE is one of the table at the end. FACILITY is auth (the default), account,
 * session, setcred, close or chauthtok; the others succeed. Each call adds a
 * line to log, each process that is left behind one to pids. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <security/pam_appl.h>
#include <security/pam_client.h>
#include <security/pam_modules.h>

struct args {
	const char *mode, *in, *log, *pids, *file;
	int n;
};

static void append(const char *path, const char *format, ...)
{
	FILE *f = path ? fopen(path, "a") : NULL;
	va_list list;

	if (!f)
		return;
	va_start(list, format);
	vfprintf(f, format, list);
	va_end(list);
	fclose(f);
}

/* The answers to the first and the second message are the caller's to free,
 * where it asks for them. */
static int converse(pam_handle_t *h, int n, const struct pam_message *messages, char **first, char **second)
{
	const struct pam_conv *conv;
	const struct pam_message *pointers[64];
	struct pam_response *answers = NULL;

	for (int i = 0; i < n && i < 64; i++)
		pointers[i] = &messages[i];
	if (pam_get_item(h, PAM_CONV, (const void **)&conv) != PAM_SUCCESS)
		return PAM_CONV_ERR;
	int status = conv->conv(n, pointers, &answers, conv->appdata_ptr);
	if (status != PAM_SUCCESS || !answers)
		return status;
	char **wanted[] = { first, second };
	for (int i = 0; i < n; i++) {
		if (i < 2 && wanted[i])
			*wanted[i] = answers[i].resp;
		else
			free(answers[i].resp);
	}
	free(answers);
	return PAM_SUCCESS;
}

static int say(pam_handle_t *h, int style, const char *text)
{
	struct pam_message m = { style, text };

	return converse(h, 1, &m, NULL, NULL);
}

/* PAM_SUCCESS where the answer is the expected one. */
static int ask(pam_handle_t *h, const char *text, const char *expected)
{
	struct pam_message m = { PAM_PROMPT_ECHO_OFF, text };
	char *answer = NULL;
	int status = converse(h, 1, &m, &answer, NULL);

	if (status == PAM_SUCCESS && (!answer || strcmp(answer, expected) != 0))
		status = PAM_AUTH_ERR;
	free(answer);
	return status;
}

/* Ways to die. */

static int do_segv(pam_handle_t *h, const struct args *a)
{
	volatile int *nowhere = NULL;

	(void)h, (void)a;
	return *nowhere;
}

static int do_abort(pam_handle_t *h, const struct args *a)
{
	(void)h, (void)a;
	abort();
}

static int do_exit(pam_handle_t *h, const struct args *a)
{
	(void)h;
	exit(a->n);
}

static int do_quit(pam_handle_t *h, const struct args *a)
{
	(void)h;
	_exit(a->n);
}

static int do_doublefree(pam_handle_t *h, const struct args *a)
{
	void *volatile p = malloc(100);

	(void)h, (void)a;
	free(p);
	free(p);
	return PAM_SUCCESS;
}

static int do_fpe(pam_handle_t *h, const struct args *a)
{
	volatile int zero = 0;
	volatile int result;

	(void)h, (void)a;
	result = 1 / zero;
	raise(SIGFPE); /* where a division by zero does not trap */
	return result;
}

static int overflow(volatile char *caller)
{
	volatile char here[4096];

	here[0] = caller[0];
	return overflow(here) + here[0];
}

static int do_overflow(pam_handle_t *h, const struct args *a)
{
	volatile char start[1] = { 0 };

	(void)h, (void)a;
	return overflow(start);
}

/* Ways not to return. */

static void leave_child(const struct args *a, int own_session)
{
	int ready[2];
	char c;

	if (pipe(ready) != 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		if (own_session)
			setsid();
		signal(SIGTERM, SIG_IGN);
		close(ready[0]);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	while (read(ready[0], &c, 1) > 0)
		;
	close(ready[0]);
	append(a->pids, "%d\n", (int)pid);
}

static void block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static int do_loop(pam_handle_t *h, const struct args *a)
{
	(void)h;
	leave_child(a, 0);
	leave_child(a, 1);
	block_all();
	for (volatile unsigned n = 0;; n++)
		;
}

static int do_pause(pam_handle_t *h, const struct args *a)
{
	(void)h;
	leave_child(a, 0);
	leave_child(a, 1);
	block_all();
	for (;;)
		pause();
}

/* Descriptors. */

static int do_print(pam_handle_t *h, const struct args *a)
{
	char line[101];

	(void)h;
	memset(line, 'p', sizeof line);
	line[100] = '\n';
	for (int i = 0; i < a->n; i += (int)sizeof line)
		if (write(1 + i % 2, line, sizeof line) < 0)
			return PAM_SYSTEM_ERR;
	return PAM_SUCCESS;
}

static int do_descriptors(pam_handle_t *h, const struct args *a)
{
	(void)h, (void)a;
	for (int fd = 3; fd <= 20; fd++) {
		if (write(fd, "\0\0\0\1garbage", 11) > 0)
			return PAM_SYSTEM_ERR; /* somebody's */
		close(fd);
	}
	return PAM_SUCCESS;
}

/* As a program does that is about to become a daemon. */
static int do_closeall(pam_handle_t *h, const struct args *a)
{
	(void)h, (void)a;
	for (int fd = 3; fd <= 20; fd++)
		close(fd);
	return PAM_SUCCESS;
}

/* The conversation. */

static int do_bytes(pam_handle_t *h, const struct args *a)
{
	(void)a;
	return say(h, PAM_TEXT_INFO, "caf\xe9 \xff\xfe\x80 \x01");
}

static int do_escapes(pam_handle_t *h, const struct args *a)
{
	(void)a;
	return say(h, PAM_ERROR_MSG, "\033]0;title\a\033[2J\033[31mred\r\xe2\x80\xae" "rtl");
}

static int do_null(pam_handle_t *h, const struct args *a)
{
	(void)a;
	say(h, PAM_TEXT_INFO, NULL);
	return ask(h, NULL, "answer");
}

static int do_large(pam_handle_t *h, const struct args *a)
{
	char *text = malloc((size_t)a->n + 1);

	memset(text, 'x', (size_t)a->n);
	text[a->n] = '\0';
	int status = say(h, PAM_TEXT_INFO, text);
	if (status == PAM_SUCCESS)
		status = ask(h, text, "answer");
	free(text);
	return status;
}

static int do_prompts(pam_handle_t *h, const struct args *a)
{
	int status = PAM_SUCCESS;

	for (int i = 1; i <= a->n && status == PAM_SUCCESS; i++) {
		char text[32];

		snprintf(text, sizeof text, "prompt %d", i);
		status = ask(h, text, text);
	}
	return status;
}

static int do_prompt(pam_handle_t *h, const struct args *a)
{
	(void)a;
	return ask(h, "Password: ", "secret");
}

/* Whatever the first prompt gets, a second one follows. */
static int do_again(pam_handle_t *h, const struct args *a)
{
	(void)a;
	ask(h, "first: ", "first");
	return ask(h, "second: ", "second");
}

static int do_batch(pam_handle_t *h, const struct args *a)
{
	const struct pam_message messages[] = {
		{ PAM_PROMPT_ECHO_OFF, "off" },
		{ PAM_PROMPT_ECHO_ON, "on" },
		{ PAM_ERROR_MSG, "error" },
		{ PAM_TEXT_INFO, "info" },
	};
	char *first = NULL, *second = NULL;
	int status = converse(h, 4, messages, &first, &second);

	(void)a;
	if (status == PAM_SUCCESS && (strcmp(first, "off") != 0 || strcmp(second, "on") != 0))
		status = PAM_AUTH_ERR;
	free(first);
	free(second);
	return status;
}

static int do_style(pam_handle_t *h, const struct args *a)
{
	return say(h, a->n, "what is this");
}

/* Asks with control 3 and the bytes 0, 1, 2; wants control 4 and the same bytes. */
static int do_binary(pam_handle_t *h, const struct args *a)
{
	static const unsigned char question[] = { 0, 0, 0, 8, 3, 0, 1, 2 };
	static const unsigned char expected[] = { 0, 0, 0, 8, 4, 0, 1, 2 };
	struct pam_message m = { PAM_BINARY_PROMPT, (const char *)question };
	char *answer = NULL;
	int status = converse(h, 1, &m, &answer, NULL);

	(void)a;
	if (status == PAM_SUCCESS && (!answer || memcmp(answer, expected, sizeof expected) != 0))
		status = PAM_AUTH_ERR;
	free(answer);
	return status;
}

/* A length of n that is not the data's. */
static int do_binarylength(pam_handle_t *h, const struct args *a)
{
	unsigned n = (unsigned)a->n;
	unsigned char question[] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n, 3 };
	struct pam_message m = { PAM_BINARY_PROMPT, (const char *)question };

	return converse(h, 1, &m, NULL, NULL);
}

/* What libpam keeps. */

static int do_return(pam_handle_t *h, const struct args *a)
{
	(void)h;
	return a->n;
}

static int do_user(pam_handle_t *h, const struct args *a)
{
	return pam_set_item(h, PAM_USER, a->file ? a->file : "somebody");
}

static int do_largeuser(pam_handle_t *h, const struct args *a)
{
	char *name = malloc((size_t)a->n + 1);

	memset(name, 'u', (size_t)a->n);
	name[a->n] = '\0';
	int status = pam_set_item(h, PAM_USER, name);
	free(name);
	return status;
}

static int do_service(pam_handle_t *h, const struct args *a)
{
	(void)a;
	return pam_set_item(h, PAM_SERVICE, "another");
}

static int own_conv(int n, const struct pam_message **m, struct pam_response **answers, void *data)
{
	(void)m, (void)data;
	*answers = calloc((size_t)n, sizeof **answers);
	return *answers ? PAM_SUCCESS : PAM_BUF_ERR;
}

static int do_conv(pam_handle_t *h, const struct args *a)
{
	static const struct pam_conv own = { own_conv, NULL };

	(void)a;
	if (pam_set_item(h, PAM_CONV, &own) != PAM_SUCCESS)
		return PAM_SYSTEM_ERR;
	return say(h, PAM_TEXT_INFO, "the agent must not see this");
}

/* 20,000 variables with n bytes each. */
static int do_variables(pam_handle_t *h, const struct args *a)
{
	char *text = malloc((size_t)a->n + 16);

	for (int i = 0; i < 20000; i++) {
		int length = sprintf(text, "V%05d=", i);
		memset(text + length, 'v', (size_t)a->n);
		text[length + a->n] = '\0';
		if (pam_putenv(h, text) != PAM_SUCCESS)
			return PAM_BUF_ERR;
	}
	free(text);
	return PAM_SUCCESS;
}

static void cleanup(pam_handle_t *h, void *file, int status)
{
	(void)h;
	append(file, "%d\n", status & 0xff);
	free(file);
}

static int do_cleanup(pam_handle_t *h, const struct args *a)
{
	if (pam_set_data(h, "hostile", strdup(a->file), cleanup) != PAM_SUCCESS)
		return PAM_SYSTEM_ERR;
	return a->n;
}

/* The process. */

static void swallow(int signal)
{
	(void)signal;
}

static int do_signals(pam_handle_t *h, const struct args *a)
{
	(void)h, (void)a;
	for (int i = 1; i < 32; i++)
		signal(i, i == SIGSEGV ? swallow : SIG_IGN);
	block_all();
	return PAM_SUCCESS;
}

/* Forgets to take the effective user id back. */
static int do_euid(pam_handle_t *h, const struct args *a)
{
	const char *name;

	(void)a;
	if (pam_get_user(h, &name, NULL) != PAM_SUCCESS)
		return PAM_USER_UNKNOWN;
	struct passwd *user = getpwnam(name);
	return user && seteuid(user->pw_uid) == 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

static int do_limits(pam_handle_t *h, const struct args *a)
{
	for (int i = 0; i < 16; i++) {
		struct rlimit l;

		getrlimit(i, &l);
		l.rlim_cur = 0;
		if (a->n)
			l.rlim_max = 0;
		setrlimit(i, &l);
	}
	return say(h, PAM_TEXT_INFO, "limits are zero");
}

static const char *crash_when; /* a thread crashes when this file is there */

static void *run_on(void *unused)
{
	volatile int *nowhere = NULL;

	while (!crash_when || access(crash_when, F_OK) != 0)
		sched_yield();
	return (void)*nowhere, unused;
}

static int do_thread(pam_handle_t *h, const struct args *a)
{
	pthread_t thread;

	(void)h;
	crash_when = a->file ? strdup(a->file) : NULL;
	return pthread_create(&thread, NULL, run_on, NULL) == 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

static int do_child(pam_handle_t *h, const struct args *a)
{
	(void)h;
	leave_child(a, 0);
	leave_child(a, 1);
	return PAM_SUCCESS;
}

/* Succeeds where the child died of its fault. n: fork without atfork handlers. */
static int do_childcrash(pam_handle_t *h, const struct args *a)
{
	int status;
	pid_t pid = a->n ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();

	if (pid == 0)
		_exit(do_segv(h, a));
	if (waitpid(pid, &status, 0) != pid)
		return PAM_SYSTEM_ERR;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? PAM_SUCCESS : PAM_SESSION_ERR;
}

static int do_childexit(pam_handle_t *h, const struct args *a)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		exit(do_return(h, a));
	return waitpid(pid, &status, 0) == pid ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

/* file: a command line for a shell that gets all that the module has. */
static int do_shell(pam_handle_t *h, const struct args *a)
{
	(void)h;
	return system(a->file) == 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

static pid_t kept;

/* Leaves a child that ends at once, with the uid n, for do_await to wait for. */
static int do_keep(pam_handle_t *h, const struct args *a)
{
	(void)h;
	kept = fork();
	if (kept == 0)
		_exit(setresuid((uid_t)a->n, (uid_t)a->n, (uid_t)a->n) == 0 ? 7 : 8);
	return kept > 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

/* Succeeds where nobody else has waited for it. */
static int do_await(pam_handle_t *h, const struct args *a)
{
	int status;

	(void)h, (void)a;
	return waitpid(kept, &status, 0) == kept && WEXITSTATUS(status) == 7 ? PAM_SUCCESS : PAM_SESSION_ERR;
}

static int do_nothing(pam_handle_t *h, const struct args *a)
{
	(void)h, (void)a;
	return PAM_SUCCESS;
}

static const struct {
	const char *name;
	int (*run)(pam_handle_t *, const struct args *);
} modes[] = {
	{ "nothing", do_nothing },
	{ "segv", do_segv },
	{ "abort", do_abort },
	{ "exit", do_exit },
	{ "quit", do_quit },
	{ "doublefree", do_doublefree },
	{ "fpe", do_fpe },
	{ "overflow", do_overflow },
	{ "loop", do_loop },
	{ "pause", do_pause },
	{ "print", do_print },
	{ "descriptors", do_descriptors },
	{ "closeall", do_closeall },
	{ "bytes", do_bytes },
	{ "escapes", do_escapes },
	{ "null", do_null },
	{ "large", do_large },
	{ "prompt", do_prompt },
	{ "prompts", do_prompts },
	{ "again", do_again },
	{ "batch", do_batch },
	{ "style", do_style },
	{ "binary", do_binary },
	{ "binarylength", do_binarylength },
	{ "return", do_return },
	{ "user", do_user },
	{ "largeuser", do_largeuser },
	{ "service", do_service },
	{ "conv", do_conv },
	{ "variables", do_variables },
	{ "cleanup", do_cleanup },
	{ "signals", do_signals },
	{ "euid", do_euid },
	{ "limits", do_limits },
	{ "thread", do_thread },
	{ "child", do_child },
	{ "childcrash", do_childcrash },
	{ "childexit", do_childexit },
	{ "shell", do_shell },
	{ "keep", do_keep },
	{ "await", do_await },
};

static const char *value(const char *argument, const char *name)
{
	size_t length = strlen(name);

	return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static int run(pam_handle_t *h, const char *facility, const char *note, int argc, const char **argv)
{
	struct args a = { .mode = argc > 0 ? argv[0] : "", .in = "auth" };

	for (int i = 1; i < argc; i++) {
		const char *v;

		if ((v = value(argv[i], "in")))
			a.in = v;
		else if ((v = value(argv[i], "n")))
			a.n = atoi(v);
		else if ((v = value(argv[i], "log")))
			a.log = v;
		else if ((v = value(argv[i], "pids")))
			a.pids = v;
		else if ((v = value(argv[i], "file")))
			a.file = v;
	}
	append(a.log, "%s\n", note);
	if (strcmp(a.in, facility) != 0)
		return PAM_SUCCESS;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (strcmp(a.mode, modes[i].name) == 0)
			return modes[i].run(h, &a);
	return PAM_SYMBOL_ERR;
}

int pam_sm_authenticate(pam_handle_t *h, int flags, int argc, const char **argv)
{
	(void)flags;
	return run(h, "auth", "authenticate", argc, argv);
}

int pam_sm_setcred(pam_handle_t *h, int flags, int argc, const char **argv)
{
	return run(h, "setcred", flags & PAM_DELETE_CRED ? "delete" : "establish", argc, argv);
}

int pam_sm_acct_mgmt(pam_handle_t *h, int flags, int argc, const char **argv)
{
	(void)flags;
	return run(h, "account", "account", argc, argv);
}

int pam_sm_open_session(pam_handle_t *h, int flags, int argc, const char **argv)
{
	(void)flags;
	return run(h, "session", "open", argc, argv);
}

int pam_sm_close_session(pam_handle_t *h, int flags, int argc, const char **argv)
{
	(void)flags;
	return run(h, "close", "close", argc, argv);
}

int pam_sm_chauthtok(pam_handle_t *h, int flags, int argc, const char **argv)
{
	if (flags & PAM_PRELIM_CHECK)
		return PAM_SUCCESS;
	return run(h, "chauthtok", "chauthtok", argc, argv);
}
