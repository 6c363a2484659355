/* What C keeps around libpam: which module runs, what becomes of the process
 * when one crashes, and what modules may not change in it. */
#ifndef PAMHELPER_HOOKS_H
#define PAMHELPER_HOOKS_H

#include <security/pam_appl.h>

#include <stddef.h>

#define PAMHELPER_MODULE_MAX 100   /* bytes of a module's name, with the NUL */
#define PAMHELPER_FUNCTION_MAX 24  /* of a function's */
#define PAMHELPER_FILE_MAX 256     /* of a service file's */
#define PAMHELPER_RLIMITS 16       /* RLIM_NLIMITS */

/* hook.c: the functions that libpam looked for in modules, and the one that runs
 * on the PAM thread. */

#define PAMHELPER_SLOTS 2048 /* of one transaction; more run without a name */

struct pamhelper_binding {
	char module[PAMHELPER_MODULE_MAX];     /* its file name */
	char function[PAMHELPER_FUNCTION_MAX]; /* such as pam_sm_setcred */
	const char *path;                      /* the module's, the dynamic linker's */
	int foreign;                           /* a module looked it up, not libpam */
	int found;
	/* Where the model says it stands; set by Go, empty until then. */
	char file[PAMHELPER_FILE_MAX];
	unsigned line;
};

/* Forgets the modules of an earlier transaction: called before pam_start. */
void pamhelper_hooks_reset(void);
/* Returns how many bindings there are: those of the configuration that is in use
 * begin at *from. *lost functions have none. */
unsigned pamhelper_bindings(unsigned *from, unsigned *lost);
/* The slot's; it is static. */
struct pamhelper_binding *pamhelper_binding(unsigned slot);
/* A module has set PAM_SERVICE: libpam reads another service at its next call. */
void pamhelper_hooks_stale(void);
/* Says so, once, before that call. */
int pamhelper_hooks_reread(void);
/* The running module's file name, or "" between modules. The string is static. */
const char *pamhelper_module(void);
/* The file of its line, or "" where unknown, and the line. */
const char *pamhelper_place(unsigned *line);

/* Loads a module as libpam does, for good. Returns whether that was possible. */
int pamhelper_load(const char *path);

/* The handle of the call that a module runs for, NULL between modules. One that a
 * module itself has started is not meant. */
pam_handle_t *pamhelper_handle(void);

/* The file of the libpam in use, links resolved; "" where unknown. */
const char *pamhelper_library(void);

/* trace.c: called on the PAM thread. */

#define PAMHELPER_CALLS 4096    /* of one libpam call; more are counted */
#define PAMHELPER_NOTES 1024
#define PAMHELPER_TEXT (64 << 10) /* bytes of all texts */
#define PAMHELPER_NOTE_MAX 1024 /* bytes of one text; the rest is cut off */

enum pamhelper_kind {
	PAMHELPER_LOGGED = 1,  /* number: syslog's level; text */
	PAMHELPER_ITEM,        /* set; number: the item */
	PAMHELPER_NO_ITEM,     /* unset */
	PAMHELPER_VARIABLE,    /* set; text: its name */
	PAMHELPER_NO_VARIABLE, /* unset */
	PAMHELPER_DELAY,       /* number: microseconds */
	PAMHELPER_SAID,        /* number: PAM's style; text */
};

struct pamhelper_note {
	int call; /* in which, in pamhelper_trace.call; -1: in libpam itself */
	int kind, number;
	unsigned text, length, omitted; /* place in pamhelper_trace.bytes, bytes there, bytes cut off */
};

struct pamhelper_call {
	unsigned slot;
	int flags, status;
	long long ns; /* without the conversation */
};

/* What modules did in one libpam call. */
struct pamhelper_trace {
	unsigned calls, notes, used; /* filled of the arrays below */
	unsigned calls_lost, notes_lost;
	struct pamhelper_call call[PAMHELPER_CALLS];
	struct pamhelper_note note[PAMHELPER_NOTES];
	char bytes[PAMHELPER_TEXT];
};

/* Forgets what the call before did. */
void pamhelper_trace_reset(void);
/* It is static, and valid until the next reset. */
const struct pamhelper_trace *pamhelper_trace_get(void);
/* Around a module's function; enter's result is for leave. */
int pamhelper_trace_enter(unsigned slot, int flags);
void pamhelper_trace_leave(int entered, int status);
/* Around the conversation, whose time does not count. */
void pamhelper_trace_pause(void);
void pamhelper_trace_resume(void);
/* A message or prompt; text need not end in NUL. */
void pamhelper_trace_said(int style, const char *text, size_t length);

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

/* The status of a process that a module ended with exit(3). */
#define PAMHELPER_EXIT_STATUS 4
/* Set where the Go runtime calls it too. */
extern int pamhelper_go_calls_exit;

/* guard.c: called on the PAM thread. */

/* Whether the calling thread is in a libpam call, and not in the conversation. */
int pamhelper_in_module(void);

/* Once, when the Go runtime has its signal handlers. crash_fd is the protocol's
 * socket, or -1: it stays the caller's. */
void pamhelper_guard_init(int crash_fd);
/* Before and after each libpam call; loads says that it may load or unload modules. */
void pamhelper_guard_enter(void);
void pamhelper_guard_leave(int loads);
/* Around the conversation, where Go runs inside a libpam call. */
void pamhelper_guard_suspend(void);
void pamhelper_guard_resume(void);
/* What children forked by modules get back: 65 struct sigaction and a sigset_t,
 * copied. Without it the default dispositions and the PAM thread's mask. */
struct sigaction;
void pamhelper_guard_child(const struct sigaction *actions, const void *mask);
/* Answers nothing: PAM_CONV_ERR. */
int pamhelper_no_conversation(int count, const struct pam_message **messages, struct pam_response **responses, void *data);
/* Writes the crash frame into buf, PAMHELPER_CRASH_MAX bytes; returns its length. */
#define PAMHELPER_CRASH_MAX (PAMHELPER_MODULE_MAX + PAMHELPER_FILE_MAX + 32)
int pamhelper_crash_frame(unsigned char *buf, unsigned signal, const char *module, const char *file, unsigned line);

/* layout.c: looks for the service's and the user's pointer in a handle of its own
 * transaction. Returns what libpam did; an offset is -1 where there is no telling. */
int pamhelper_layout(const char *service, const char *confdir, long *service_at, long *user_at);

#endif
