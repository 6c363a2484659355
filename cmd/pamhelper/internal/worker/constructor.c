/* Runs before the Go runtime, in "pamhelper worker" only: keeps what the user's
 * process and the modules' children get back later, closes every descriptor
 * the worker was not meant to have, and makes the process not dumpable, since
 * it will hold passwords. Without a socket on fd 3 nothing is touched: the
 * worker then says what is wrong and leaves. */
#define _GNU_SOURCE
#include "constructor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_FD 3

struct pamhelper_start pamhelper_start = { .socket = -1, .log = -1 };

static int move_up(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, PAMHELPER_FD_FLOOR);
}

static int is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

__attribute__((constructor)) static void prepare_worker(int argc, char **argv)
{
	struct pamhelper_start *s = &pamhelper_start;

	if (argc < 2 || strcmp(argv[1], "worker") != 0 || !is_socket(SOCKET_FD))
		return;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, "pamhelper", 0, 0, 0);

	for (int i = 0; i < 16; i++)
		getrlimit(i, &s->limits[i]);
	for (int i = 1; i < 65; i++)
		sigaction(i, NULL, &s->actions[i]);
	sigprocmask(SIG_SETMASK, NULL, &s->mask);

	s->socket = move_up(SOCKET_FD);
	s->log = move_up(2);
	if (s->socket < 0)
		return;
	int second = s->log > s->socket ? s->log : s->socket;
	int first = s->log > s->socket ? s->socket : s->log;
	close_range((unsigned)second + 1, ~0U, 0);
	if (first >= 0)
		close_range((unsigned)first + 1, (unsigned)second - 1, 0);
	close_range(3, (unsigned)(first >= 0 ? first : second) - 1, 0);

	/* The floor: 0 to 2 as well, until the worker has its pipe for them. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < PAMHELPER_FD_FLOOR; fd++)
		if (fd != null)
			dup3(null, fd, fd > 2 ? O_CLOEXEC : 0);
	if (null >= 0 && null <= 2)
		fcntl(null, F_SETFD, 0); /* children of modules have the three as well */
}

void pamhelper_release_floor(void)
{
	close_range(3, PAMHELPER_FD_FLOOR - 1, 0);
}
