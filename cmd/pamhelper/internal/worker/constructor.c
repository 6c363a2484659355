/* Runs before the Go runtime, in "pamhelper worker" only: keeps what the user's
 * process and the modules' children get back later, closes every descriptor
 * the worker was not meant to have, and makes the process not dumpable, since
 * it will hold passwords. Descriptor 4 is one it was meant to have where the
 * arguments say so: "--policy fd:4". Without a socket on fd 3 nothing is touched:
 * the worker then says what is wrong and leaves. */
#define _GNU_SOURCE
#include "constructor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_FD 3
#define POLICY_FD 4
#define POLICY_ARGUMENT "fd:4"

static int has_floor;
struct pamhelper_start pamhelper_start = { .socket = -1, .log = -1, .policy = -1 };

static int move_up(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, PAMHELPER_FD_FLOOR);
}

static int is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int has_argument(int argc, char **argv, const char *argument)
{
	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], argument) == 0)
			return 1;
	return 0;
}

static int has_policy(int argc, char **argv)
{
	if (has_argument(argc, argv, "--policy=" POLICY_ARGUMENT))
		return 1;
	for (int i = 2; i < argc; i++) {
		if (i + 1 < argc && strcmp(argv[i], "--policy") == 0 && strcmp(argv[i + 1], POLICY_ARGUMENT) == 0)
			return 1;
	}
	return 0;
}

/* Closes all but 0 to 2 and those of the list, whose numbers ascend: F_DUPFD gives
 * the lowest that is free. */
static void close_others(const int *kept, int count)
{
	unsigned next = 3;

	for (int i = 0; i < count; i++) {
		if (kept[i] < 0)
			continue;
		close_range(next, (unsigned)kept[i] - 1, 0);
		next = (unsigned)kept[i] + 1;
	}
	close_range(next, ~0U, 0);
}

__attribute__((constructor)) static void prepare_worker(int argc, char **argv)
{
	struct pamhelper_start *s = &pamhelper_start;

	if (argc < 2 || strcmp(argv[1], "worker") != 0 || !is_socket(SOCKET_FD))
		return;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, has_argument(argc, argv, "--spare") ? PAMHELPER_NAME_NEW : PAMHELPER_NAME, 0, 0, 0);

	for (int i = 0; i < 16; i++)
		getrlimit(i, &s->limits[i]);
	for (int i = 1; i < 65; i++)
		sigaction(i, NULL, &s->actions[i]);
	sigprocmask(SIG_SETMASK, NULL, &s->mask);
	s->at = time(NULL);
	/* Go's watching thread looks every 0.02 ms at first, and a worker does not live
	 * long: that would be an eighth of its processor time. */
	s->slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, PAMHELPER_WATCHER_SLACK, 0, 0, 0);

	s->socket = move_up(SOCKET_FD);
	s->log = move_up(2);
	if (has_policy(argc, argv))
		s->policy = move_up(POLICY_FD);
	if (s->socket < 0)
		return;
	close_others((int[]){ s->socket, s->log, s->policy }, 3);

	/* The floor: 0 to 2 as well, until the worker has its pipe for them. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < PAMHELPER_FD_FLOOR; fd++)
		if (fd != null)
			dup3(null, fd, fd > 2 ? O_CLOEXEC : 0);
	has_floor = 1;
	if (null >= 0 && null <= 2)
		fcntl(null, F_SETFD, 0); /* children of modules have the three as well */
}

/* Puts back what this process was started with, but for the mask, which is that of
 * the thread that executes. Signals that come meanwhile do what they did at the start. */
int pamhelper_as_started(int socket)
{
	const struct pamhelper_start *s = &pamhelper_start;

	for (int i = 1; i < 65; i++)
		sigaction(i, &s->actions[i], NULL); /* fails for those that are not to be had */
	for (int i = 0; i < 16; i++)
		if (setrlimit(i, &s->limits[i]) != 0)
			return -1;
	if (lseek(s->policy, 0, SEEK_SET) < 0 || dup2(0, 1) < 0 || dup2(s->log, 2) < 0 || dup2(socket, SOCKET_FD) < 0 ||
	    dup2(s->policy, POLICY_FD) < 0 || close_range(POLICY_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
		return -1;
	pthread_sigmask(SIG_SETMASK, &s->mask, NULL);
	errno = 0;
	return 0;
}

void pamhelper_release_floor(void)
{
	if (has_floor)
		close_range(3, PAMHELPER_FD_FLOOR - 1, 0);
	has_floor = 0;
}
