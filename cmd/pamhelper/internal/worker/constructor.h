/* What a worker does before the Go runtime starts: see constructor.c. */
#ifndef PAMHELPER_CONSTRUCTOR_H
#define PAMHELPER_CONSTRUCTOR_H

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

/* Descriptors below this number belong to the modules: the worker's own are above. */
#define PAMHELPER_FD_FLOOR 32

/* Names of the process, of at most 15 bytes: of a worker, of a spare that is not
 * ready, and of one that waits. */
#define PAMHELPER_NAME "pamhelper"
#define PAMHELPER_NAME_NEW "pamhelper new"
#define PAMHELPER_NAME_SPARE "pamhelper spare"

/* The slack of the thread with which Go's runtime watches the others, in nanoseconds.
 * It inherits it. */
#define PAMHELPER_WATCHER_SLACK 1000000UL

struct pamhelper_start {
	int socket; /* the protocol, moved above the floor; -1: there was none on fd 3 */
	int log;    /* what was standard error, moved above the floor; -1: none */
	int policy; /* what was fd 4, moved above the floor; -1: none, or not asked for */
	struct rlimit limits[16];
	struct sigaction actions[65];
	sigset_t mask;
	time_t at;  /* when that was */
	long slack; /* of the timers of PAM's thread, in nanoseconds (prctl(2), PR_SET_TIMERSLACK) */
};

extern struct pamhelper_start pamhelper_start;

/* Makes the process what it was when it was started, for executing it again: with
 * the socket on 3, the policy on 4 and the log on 2. Sets errno, and it to 0 where
 * all is done. */
int pamhelper_as_started(int socket);

/* Gives the numbers below the floor to the modules, once, where they were taken. */
void pamhelper_release_floor(void);

#endif
