/* What C keeps around libpam: which module runs, what becomes of the process
 * when one crashes, and what modules may not change in it. */
#ifndef PAMHELPER_HOOKS_H
#define PAMHELPER_HOOKS_H

#include <security/pam_appl.h>

#define PAMHELPER_MODULE_MAX 100 /* bytes of a module's name, with the NUL */
#define PAMHELPER_RLIMITS 16     /* RLIM_NLIMITS */

/* hook.c: the module that runs on the PAM thread. */

/* Forgets the modules of an earlier transaction: called before pam_start. */
void pamhelper_hooks_reset(void);
/* The running module's file name, or "" between modules. The string is static. */
const char *pamhelper_module(void);

/* The file name of the libpam in use, links resolved; "" where unknown. */
const char *pamhelper_library(void);

/* end.c */

/* The status that pam_end passes on to the modules' cleanup functions. */
void pamhelper_set_status(int status);

/* limits.c: the limits that the user's process will have. */

struct rlimit;
/* They begin as start, PAMHELPER_RLIMITS of them, which are copied; NULL: as
 * those of this process. */
void pamhelper_limits_init(const struct rlimit *start);
/* Copies them out. */
void pamhelper_limits_get(struct rlimit *limits);
/* Sets them on the calling process, a child. */
void pamhelper_limits_apply(void);

/* guard.c: called on the PAM thread. */

/* Whether the calling thread is in a libpam call, and not in the conversation. */
int pamhelper_in_module(void);

/* Once, when the Go runtime has its signal handlers. crash_fd is the protocol's
 * socket, or -1: it stays the caller's. */
void pamhelper_guard_init(int crash_fd);
/* Before and after each libpam call. */
void pamhelper_guard_enter(void);
void pamhelper_guard_leave(void);
/* Around the conversation, where Go runs inside a libpam call. */
void pamhelper_guard_suspend(void);
void pamhelper_guard_resume(void);
/* What children forked by modules get back: 65 struct sigaction and a sigset_t,
 * copied. Without it the default dispositions and the PAM thread's mask. */
struct sigaction;
void pamhelper_guard_child(const struct sigaction *actions, const void *mask);
/* Writes the crash frame into buf, PAMHELPER_MODULE_MAX + 16 bytes; returns its
 * length. */
int pamhelper_crash_frame(unsigned char *buf, unsigned signal, const char *module);

#endif
