/* What modules do: which function returned what and took how long, what it
 * logged, which items and variables it set, which delay it asked for. Texts are
 * kept, values of items and variables are not, since they can be secret.
 *
 * Always on, so it only counts and copies, into buffers of a fixed size. Only
 * the PAM thread of this process writes here: what a module does in a child or
 * in a thread of its own passes through untouched. */
#define _GNU_SOURCE
#include "hooks.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct pamhelper_trace trace;
static int current = -1;             /* the call that runs, in trace.call; -1: libpam itself */
static long long paused, pause_began; /* time in the conversation, in nanoseconds */

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

const struct pamhelper_trace *pamhelper_trace_get(void)
{
	return &trace;
}

void pamhelper_trace_reset(void)
{
	memset(trace.bytes, 0, trace.used); /* a module may have logged a secret */
	trace.calls = trace.notes = trace.used = trace.calls_lost = trace.notes_lost = 0;
	current = -1;
	paused = 0;
}

int pamhelper_trace_enter(unsigned slot, int flags)
{
	if (current >= 0 || !pamhelper_in_module())
		return -1;
	if (trace.calls == PAMHELPER_CALLS) {
		trace.calls_lost++;
		return -1;
	}
	current = (int)trace.calls++;
	trace.call[current] = (struct pamhelper_call){ .slot = slot, .flags = flags, .ns = now() - paused };
	return current;
}

void pamhelper_trace_leave(int entered, int status)
{
	if (entered < 0)
		return;
	trace.call[entered].ns = now() - paused - trace.call[entered].ns;
	trace.call[entered].status = status;
	current = -1;
}

void pamhelper_trace_pause(void)
{
	if (pamhelper_in_module())
		pause_began = now();
}

void pamhelper_trace_resume(void)
{
	if (pamhelper_in_module())
		paused += now() - pause_began;
}

/* Keeps a note. Of a text that is length bytes long, kept are there. */
static void note(int kind, int number, const char *text, size_t kept, size_t length)
{
	if (trace.notes == PAMHELPER_NOTES) {
		trace.notes_lost++;
		return;
	}
	if (kept > PAMHELPER_TEXT - trace.used)
		kept = PAMHELPER_TEXT - trace.used;
	trace.note[trace.notes++] = (struct pamhelper_note){
		.call = current, .kind = kind, .number = number,
		.text = trace.used, .length = (unsigned)kept, .omitted = (unsigned)(length - kept),
	};
	memcpy(trace.bytes + trace.used, text, kept);
	trace.used += (unsigned)kept;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

void pamhelper_trace_said(int style, const char *text, size_t length)
{
	if (pamhelper_in_module())
		note(PAMHELPER_SAID, style, text, smaller(length, PAMHELPER_NOTE_MAX), length);
}

/* The real functions, behind ours in the order of the dynamic linker. All are
 * looked up before the first module runs: a child may not be able to. */
static struct {
	void (*vsyslog)(int, const char *, va_list);
	void (*vsyslog_chk)(int, int, const char *, va_list);
	int (*set_item)(pam_handle_t *, int, const void *);
	int (*putenv)(pam_handle_t *, const char *);
	int (*fail_delay)(pam_handle_t *, unsigned);
} real;

__attribute__((constructor))
static void find_real(void)
{
	real.vsyslog = (void (*)(int, const char *, va_list))dlsym(RTLD_NEXT, "vsyslog");
	real.vsyslog_chk = (void (*)(int, int, const char *, va_list))dlsym(RTLD_NEXT, "__vsyslog_chk");
	real.set_item = (int (*)(pam_handle_t *, int, const void *))dlsym(RTLD_NEXT, "pam_set_item");
	real.putenv = (int (*)(pam_handle_t *, const char *))dlsym(RTLD_NEXT, "pam_putenv");
	real.fail_delay = (int (*)(pam_handle_t *, unsigned))dlsym(RTLD_NEXT, "pam_fail_delay");
}

/* A library's constructor may be earlier than ours. */
static void need_real(void)
{
	if (!real.vsyslog)
		find_real();
}

/* errno is what %m stands for, here and in the real function. */
static void logged(int priority, const char *format, va_list arguments)
{
	char text[PAMHELPER_NOTE_MAX];
	int error = errno;
	va_list copy;

	need_real();
	if (!pamhelper_in_module())
		return;
	va_copy(copy, arguments);
	errno = error;
	int length = vsnprintf(text, sizeof text, format, copy);
	va_end(copy);
	if (length > 0)
		note(PAMHELPER_LOGGED, priority & 7, text, smaller((size_t)length, sizeof text - 1), (size_t)length);
	errno = error;
}

/* libpam itself sets and wipes items too, between the modules. */
static int in_function(void)
{
	return current >= 0 && pamhelper_in_module();
}

#define EXPORT __attribute__((visibility("default")))

/* The four ways into the log. pam_syslog(3) takes one of them too. syslog.h is
 * not included, since it may define the first two by the others. */
EXPORT void vsyslog(int priority, const char *format, va_list arguments)
{
	logged(priority, format, arguments);
	real.vsyslog(priority, format, arguments);
}

EXPORT void __vsyslog_chk(int priority, int flag, const char *format, va_list arguments)
{
	logged(priority, format, arguments);
	real.vsyslog_chk(priority, flag, format, arguments);
}

EXPORT void syslog(int priority, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsyslog(priority, format, arguments);
	va_end(arguments);
}

EXPORT void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	__vsyslog_chk(priority, flag, format, arguments);
	va_end(arguments);
}

EXPORT int pam_set_item(pam_handle_t *pamh, int item, const void *value)
{
	need_real();
	int status = real.set_item(pamh, item, value);

	if (status == PAM_SUCCESS && in_function()) {
		note(value ? PAMHELPER_ITEM : PAMHELPER_NO_ITEM, item, "", 0, 0);
		if (item == PAM_SERVICE)
			pamhelper_hooks_stale();
	}
	return status;
}

EXPORT int pam_putenv(pam_handle_t *pamh, const char *assignment)
{
	need_real();
	int status = real.putenv(pamh, assignment);

	if (status == PAM_SUCCESS && assignment && in_function()) {
		size_t length = strcspn(assignment, "=");

		note(assignment[length] ? PAMHELPER_VARIABLE : PAMHELPER_NO_VARIABLE, 0,
			assignment, smaller(length, PAMHELPER_NOTE_MAX), length);
	}
	return status;
}

EXPORT int pam_fail_delay(pam_handle_t *pamh, unsigned microseconds)
{
	need_real();
	int status = real.fail_delay(pamh, microseconds);

	if (status == PAM_SUCCESS && in_function())
		note(PAMHELPER_DELAY, (int)microseconds, "", 0, 0);
	return status;
}
