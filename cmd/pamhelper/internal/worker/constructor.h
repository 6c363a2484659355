/* What a worker does before the Go runtime starts: see constructor.c. */
#ifndef PAMHELPER_CONSTRUCTOR_H
#define PAMHELPER_CONSTRUCTOR_H

#include <signal.h>
#include <sys/resource.h>

/* Descriptors below this number belong to the modules: the worker's own are above. */
#define PAMHELPER_FD_FLOOR 32

struct pamhelper_start {
	int socket; /* the protocol, moved above the floor; -1: there was none on fd 3 */
	int log;    /* what was standard error, moved above the floor; -1: none */
	int policy; /* what was fd 4, moved above the floor; -1: none, or not asked for */
	struct rlimit limits[16];
	struct sigaction actions[65];
	sigset_t mask;
};

extern struct pamhelper_start pamhelper_start;

/* Gives the numbers below the floor to the modules, once, where they were taken. */
void pamhelper_release_floor(void);

#endif
