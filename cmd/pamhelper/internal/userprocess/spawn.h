/* The start of a user's process: see spawn.c. */
#ifndef PAMHELPER_SPAWN_H
#define PAMHELPER_SPAWN_H

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Everything is the caller's, and is read until pamhelper_spawn returns: the
 * child has a copy. */
struct pamhelper_process {
	const char *shell;
	char *const *argv;
	char *const *environment;
	const char *home;
	int fds[3];   /* become 0, 1 and 2; all above 2 */
	int terminal; /* they are a terminal: the controlling one */
	int change;   /* become the user: set where the worker is root */
	uid_t uid;
	gid_t gid;
	struct rlimit limits[16];
	const struct sigaction *actions; /* 65, as the worker found them */
};

/* What the child could not do. */
enum pamhelper_failure {
	PAMHELPER_NONE,
	PAMHELPER_SESSION,
	PAMHELPER_DESCRIPTORS,
	PAMHELPER_TERMINAL,
	PAMHELPER_LIMITS,
	PAMHELPER_USER,
	PAMHELPER_EXECUTE,
};

struct pamhelper_report {
	int32_t failure;
	int32_t error; /* errno */
};

/* Forks. The child waits until a byte comes through *go, and ends without one.
 * What it could not do is read from *report, which does not block; an end of file
 * there means that the shell runs. Both are the caller's to close. Returns the child's process id, or
 * -errno. */
pid_t pamhelper_spawn(const struct pamhelper_process *process, int *go, int *report);

/* Sends a signal to a process group with the rights of the user. May be called on
 * any thread. Returns 0 or an errno. */
int pamhelper_signal(int change, uid_t uid, gid_t gid, pid_t group, int signal);

struct pamhelper_ended {
	int32_t status; /* exit status, or -1 */
	int32_t signal; /* that ended it, or 0 */
	int32_t core;
	int64_t user_us, system_us; /* with those of the children it waited for */
	int64_t max_rss_kib;
};

/* Reads how a child ended, and leaves it to be waited for. Returns 1, or 0 where
 * it still runs, or -errno. */
int pamhelper_ended(pid_t pid, struct pamhelper_ended *ended);

#endif
