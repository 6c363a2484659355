/* utmp, wtmp and btmp through the C library, lastlog by hand: the library has
 * nothing for it.
 *
 * For each lock glibc (2.36, login/utmp_file.c) takes SIGALRM and alarm(2) for
 * itself, ten seconds long, and puts both back. Its handler is to interrupt the
 * wait, so the signal has to come to the thread that waits, and the handler does
 * not ask for the alternate stack, so it must not come to a thread that runs Go.
 * The kernel gives it to the main thread as long as that does not block it. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "loginrecord.h"

#include <errno.h>
#include <fcntl.h>
#include <lastlog.h>
#include <paths.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmpx.h>

#define PATH_BTMP "/var/log/btmp" /* glibc has no name for it */

/* The files' times have 32 bits on amd64 and 64 on arm64. */
#define SET_TIME(to, from) ((to) = (__typeof__(to))(from), (to) == (from))

static int fill(struct utmpx *u, const struct loginrecord *r)
{
	memset(u, 0, sizeof *u);
	u->ut_type = r->kind;
	u->ut_pid = r->pid;
	u->ut_session = r->session;
	u->ut_tv.tv_usec = r->usec;
	memcpy(u->ut_addr_v6, r->address, sizeof u->ut_addr_v6);
	/* strncpy: a field that is full has no NUL (utmp(5)). */
	strncpy(u->ut_line, r->line, sizeof u->ut_line);
	strncpy(u->ut_id, r->id, sizeof u->ut_id);
	strncpy(u->ut_user, r->user, sizeof u->ut_user);
	strncpy(u->ut_host, r->host, sizeof u->ut_host);
	return SET_TIME(u->ut_tv.tv_sec, r->sec) ? 0 : EOVERFLOW;
}

static void hear_alarm(sigset_t *before)
{
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm_only, before);
}

static void open_utmp(sigset_t *before)
{
	hear_alarm(before);
	/* Closes what a module left open, perhaps in another mount namespace. */
	utmpxname(_PATH_UTMP);
	setutxent();
	errno = 0;
}

static void close_utmp(const sigset_t *before)
{
	endutxent();
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

static int failure(void)
{
	return errno ? errno : EIO;
}

static int put(const struct utmpx *u)
{
	return pututxline(u) ? 0 : failure();
}

int loginrecord_utmp_login(const struct loginrecord *r)
{
	struct utmpx u;
	sigset_t before;
	int error = fill(&u, r);

	if (error)
		return error;
	open_utmp(&before);
	error = put(&u);
	close_utmp(&before);
	return error;
}

/* id, session and address stay as the login left them. The terminal's name may be
 * another login's by now: the process id says whose it is. */
static int end_login(const struct utmpx *end)
{
	const struct utmpx *found = getutxline(end);

	if (!found)
		return errno == ESRCH ? LOGINRECORD_NO_ENTRY : failure();
	if (found->ut_pid != end->ut_pid)
		return LOGINRECORD_OTHER;
	struct utmpx u = *found;
	u.ut_type = DEAD_PROCESS;
	u.ut_tv = end->ut_tv;
	memset(u.ut_user, 0, sizeof u.ut_user);
	memset(u.ut_host, 0, sizeof u.ut_host);
	return put(&u);
}

int loginrecord_utmp_logout(const struct loginrecord *r)
{
	struct utmpx end;
	sigset_t before;
	int error = fill(&end, r);

	if (error)
		return error;
	open_utmp(&before);
	error = end_login(&end);
	close_utmp(&before);
	return error;
}

static off_t records(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size / (off_t)sizeof(struct utmpx) : 0;
}

/* updwtmpx does not say whether it wrote: the file's size does. */
static int append(int fd, const char *path, const struct loginrecord *r)
{
	struct utmpx u;
	sigset_t before;
	int error = fill(&u, r);

	if (error)
		return error;
	off_t had = records(fd);
	hear_alarm(&before);
	errno = 0;
	updwtmpx(path, &u);
	error = failure();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return records(fd) > had ? 0 : error;
}

int loginrecord_wtmp(const struct loginrecord *r)
{
	int fd = open(_PATH_WTMP, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	int error = append(fd, _PATH_WTMP, r);
	close(fd);
	return error;
}

/* What was typed as a name may be a password. */
static int exposed(int fd)
{
	struct stat st;

	return fstat(fd, &st) != 0 || st.st_uid != 0 || st.st_mode & (S_IXGRP | S_IRWXO);
}

int loginrecord_btmp(const struct loginrecord *r)
{
	int fd = open(PATH_BTMP, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	int error = exposed(fd) ? LOGINRECORD_EXPOSED : append(fd, PATH_BTMP, r);
	close(fd);
	return error;
}

/* Whoever may read the file may hold a lock on it: after a second the record is
 * written without one. */
static void lock_record(int fd, off_t offset)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = offset,
		.l_len = sizeof(struct lastlog),
	};

	for (int tries = 0; tries < 100; tries++) {
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0 || errno != EAGAIN)
			return;
		usleep(10000);
	}
}

int loginrecord_lastlog(const struct loginrecord *r, uint32_t uid)
{
	struct lastlog last = { 0 };
	off_t offset = (off_t)uid * (off_t)sizeof last;

	/* Here the strings end with a NUL: not all readers bound them. */
	strncpy(last.ll_line, r->line, sizeof last.ll_line - 1);
	strncpy(last.ll_host, r->host, sizeof last.ll_host - 1);
	if (!SET_TIME(last.ll_time, r->sec))
		return EOVERFLOW;
	int fd = open(_PATH_LASTLOG, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	lock_record(fd, offset);
	errno = 0;
	int error = pwrite(fd, &last, sizeof last, offset) == sizeof last ? 0 : failure();
	close(fd); /* and the lock is gone */
	return error;
}
