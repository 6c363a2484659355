/* The signals of a fault belong to this file: a fault in a module, or in a
 * thread that it left running, would otherwise end as a trace of the Go runtime.
 * What modules change for the whole process and Go depends on (dispositions, the
 * signal mask, user and group ids) is put back when a libpam call returns. */
#define _GNU_SOURCE
#include "hooks.h"

#include <pthread.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIGNALS 65
#define FIRST_REALTIME 32 /* the kernel's; the first are the C library's own */

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
#define FAULTS (sizeof faults / sizeof *faults)

static struct sigaction go_actions[SIGNALS];    /* as the Go runtime wants them */
static struct sigaction our_actions[SIGNALS];   /* the same, but for faults */
static struct sigaction child_actions[SIGNALS]; /* zero: the default */
static sigset_t our_mask, pam_mask, child_mask;
static uid_t our_uids[3]; /* real, effective, saved */
static gid_t our_gids[3];
static int have_child_mask;
static int crash_fd = -1;
static pid_t our_pid;
static pthread_t pam_thread;
static volatile sig_atomic_t inside; /* the PAM thread is in a libpam call, not in the conversation */

extern char __executable_start, etext; /* the linker's: our own code */

static unsigned char *put_number(unsigned char *p, unsigned number)
{
	for (; number >= 0x80; number >>= 7)
		*p++ = (unsigned char)(number | 0x80);
	*p++ = (unsigned char)number;
	return p;
}

static unsigned char *put_text(unsigned char *p, int field, const char *text, size_t most)
{
	size_t length = strnlen(text, most);

	*p++ = (unsigned char)(field << 3 | 2);
	p = put_number(p, (unsigned)length);
	memcpy(p, text, length);
	return p + length;
}

/* Event{crash: Crash{signal, module, file, line}} as a frame, by hand: field 6
 * of Event, fields 1 to 4 of Crash. */
int pamhelper_crash_frame(unsigned char *buf, unsigned signal, const char *module, const char *file, unsigned line)
{
	unsigned char body[PAMHELPER_CRASH_MAX];
	unsigned char *p = body, *frame = buf + 4;

	*p++ = 1 << 3;
	p = put_number(p, signal);
	p = put_text(p, 2, module, PAMHELPER_MODULE_MAX - 1);
	if (line > 0) {
		p = put_text(p, 3, file, PAMHELPER_FILE_MAX - 1);
		*p++ = 4 << 3;
		p = put_number(p, line);
	}
	*frame++ = 6 << 3 | 2;
	frame = put_number(frame, (unsigned)(p - body));
	memcpy(frame, body, (size_t)(p - body));
	frame += p - body;

	unsigned length = (unsigned)(frame - (buf + 4));
	buf[0] = buf[1] = 0;
	buf[2] = (unsigned char)(length >> 8);
	buf[3] = (unsigned char)length;
	return (int)(frame - buf);
}

static void tell_crash(unsigned signal)
{
	unsigned char frame[PAMHELPER_CRASH_MAX];
	unsigned line;
	const char *file = pamhelper_place(&line);
	int length = pamhelper_crash_frame(frame, signal, pamhelper_module(), file, line);

	if (crash_fd >= 0 && getpid() == our_pid && send(crash_fd, frame, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		/* The peer is gone: nobody to tell. */
	}
}

static int in_our_code(const ucontext_t *context)
{
#if defined(__x86_64__)
	uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	uintptr_t pc = (uintptr_t)context->uc_mcontext.pc;
#else
	uintptr_t pc = 0;
	(void)context;
#endif
	return pc >= (uintptr_t)&__executable_start && pc < (uintptr_t)&etext;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	const struct sigaction *go = &go_actions[signal];
	int in_call = *pamhelper_module() && pamhelper_in_module();

	/* A fault of the Go code itself: Go's business. */
	if (in_our_code(context) && !in_call && go->sa_sigaction) {
		go->sa_sigaction(signal, info, context);
		return;
	}
	tell_crash((unsigned)signal);
	struct sigaction die = { .sa_handler = SIG_DFL };
	sigaction(signal, &die, NULL);
	raise(signal); /* held back until this handler returns */
}

int pamhelper_go_calls_exit;

/* Go ends the process without exit(3): whoever calls it is a module. Its status
 * is not the helper's: a module that leaves with 0 has not ended a login in order. */
static void on_exit_call(void)
{
	if (getpid() != our_pid || (pamhelper_go_calls_exit && !pamhelper_in_module()))
		return;
	tell_crash(0);
	_exit(PAMHELPER_EXIT_STATUS);
}

int pamhelper_no_conversation(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	(void)count, (void)messages, (void)responses, (void)data;
	return PAM_CONV_ERR;
}

/* A child that a module forked runs no Go: it must not run Go's handlers, and a
 * conversation would wait for ever for threads that it does not have, or speak to
 * the agent in the place of this process. It goes when this process does, however that ends; what a module made a daemon,
 * by forking twice, stays. */
static void in_child(void)
{
	/* The signal comes at the end of the forking thread: only the PAM thread's
	 * is that of the process. */
	if (getppid() == our_pid && pthread_equal(pthread_self(), pam_thread))
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (int i = 1; i < SIGNALS; i++)
		sigaction(i, &child_actions[i], NULL);
	if (pamhelper_handle()) {
		const struct pam_conv none = { pamhelper_no_conversation, NULL };

		pam_set_item(pamhelper_handle(), PAM_CONV, &none);
	}
	pthread_sigmask(SIG_SETMASK, have_child_mask ? &child_mask : &our_mask, NULL);
	pamhelper_limits_apply();
}

void pamhelper_guard_child(const struct sigaction *actions, const void *mask)
{
	memcpy(child_actions, actions, sizeof child_actions);
	memcpy(&child_mask, mask, sizeof child_mask);
	have_child_mask = 1;
}

/* Those below end. Go depends on none of the real-time signals: what a module does
 * with these may wait until modules are unloaded. */
static void put_actions(int end)
{
	for (int i = 1; i < end; i++) {
		struct sigaction now;

		if (sigaction(i, NULL, &now) != 0)
			continue;
		if (now.sa_sigaction != our_actions[i].sa_sigaction || now.sa_flags != our_actions[i].sa_flags)
			sigaction(i, &our_actions[i], NULL);
	}
}

/* on_fault for the signals of a fault, Go's own actions for the others. */
static void take_faults(void)
{
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigfillset(&fault.sa_mask);
	for (int i = 1; i < SIGNALS; i++)
		sigaction(i, NULL, &go_actions[i]);
	for (size_t i = 0; i < FAULTS; i++)
		sigaction(faults[i], &fault, NULL);
	for (int i = 1; i < SIGNALS; i++)
		sigaction(i, NULL, &our_actions[i]);
}

void pamhelper_guard_init(int fd)
{
	crash_fd = fd;
	our_pid = getpid();
	pam_thread = pthread_self();
	static int once;
	if (once++)
		return;
	take_faults();
	pamhelper_limits_init(NULL);
	pthread_atfork(NULL, NULL, in_child);
	atexit(on_exit_call);
}

int pamhelper_in_module(void)
{
	return inside && pthread_equal(pthread_self(), pam_thread) && getpid() == our_pid;
}

/* A module may forget to take back an id that it changed. The user's id first: the
 * right to change the others comes with it. */
static void put_ids(void)
{
	uid_t u[3];
	gid_t g[3];

	if (getresuid(&u[0], &u[1], &u[2]) == 0 && memcmp(u, our_uids, sizeof u) != 0 &&
	    setresuid(our_uids[0], our_uids[1], our_uids[2]) != 0)
		return; /* given up for good */
	if (getresgid(&g[0], &g[1], &g[2]) == 0 && memcmp(g, our_gids, sizeof g) != 0 &&
	    setresgid(our_gids[0], our_gids[1], our_gids[2]) != 0)
		return;
}

void pamhelper_guard_enter(void)
{
	pthread_sigmask(SIG_SETMASK, NULL, &our_mask);
	getresuid(&our_uids[0], &our_uids[1], &our_uids[2]);
	getresgid(&our_gids[0], &our_gids[1], &our_gids[2]);
	inside = 1;
}

static void leave(int end)
{
	inside = 0;
	put_actions(end);
	pthread_sigmask(SIG_SETMASK, &our_mask, NULL);
}

void pamhelper_guard_leave(int loads)
{
	leave(loads ? SIGNALS : FIRST_REALTIME);
	put_ids();
}

/* The ids stay the module's: it is not at its end. */
void pamhelper_guard_suspend(void)
{
	pamhelper_trace_pause();
	pthread_sigmask(SIG_SETMASK, &our_mask, &pam_mask);
	leave(FIRST_REALTIME);
}

void pamhelper_guard_resume(void)
{
	pthread_sigmask(SIG_SETMASK, &pam_mask, NULL);
	inside = 1;
	pamhelper_trace_resume();
}
