/* One record for each of the machine's login files. Every function returns 0,
 * an errno, or one of the numbers below. None of them creates a file. */
#ifndef PAMHELPER_LOGINRECORD_H
#define PAMHELPER_LOGINRECORD_H

#include <stdint.h>

#define LOGINRECORD_EXPOSED (-1)  /* the file is not root's alone: nothing was written */
#define LOGINRECORD_NO_ENTRY (-2) /* utmp has no login on this line */
#define LOGINRECORD_OTHER (-3)    /* utmp has another login on this line */

/* The strings are the caller's, are read during the call, and are "" for none. */
struct loginrecord {
	short kind; /* USER_PROCESS and so on: ut_type */
	int32_t pid, session;
	const char *line, *id, *user, *host;
	unsigned char address[16]; /* network byte order; IPv4 in the first four */
	int64_t sec;
	int32_t usec;
};

/* Put a login into utmp, or make the one that is there an ended one. */
int loginrecord_utmp_login(const struct loginrecord *r);
int loginrecord_utmp_logout(const struct loginrecord *r);

/* Append to wtmp and btmp. */
int loginrecord_wtmp(const struct loginrecord *r);
int loginrecord_btmp(const struct loginrecord *r);

/* Replaces the user's record in lastlog. */
int loginrecord_lastlog(const struct loginrecord *r, uint32_t uid);

#endif
