/* Starts the program transaction once for each login, as a broker written in C would,
 * AT_ONCE of them at a time, until COUNT have been made:
 *
 *	spawner PROGRAM AT_ONCE COUNT <REQUEST
 *
 * It prints the nanoseconds that all took. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *program, request[512];
static size_t length;
static atomic_long left;
static atomic_int failed;

/* One login: a process, its socket, a request, the answer. */
static int login(void)
{
	char *argv[] = { program, "1", NULL }, *env[] = { NULL }, answer[8448];
	posix_spawn_file_actions_t actions;
	int ends[2], status, ok;
	ssize_t n;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return 0;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
	ok = posix_spawn(&pid, program, &actions, NULL, argv, env) == 0;
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (ok) {
		ok = write(ends[0], request, length) == (ssize_t)length &&
		     (n = read(ends[0], answer, sizeof answer - 1)) > 1 && strncmp(answer, "0 ", 2) == 0;
		ok = waitpid(pid, &status, 0) == pid && status == 0 && ok;
	}
	close(ends[0]);
	return ok;
}

static void *logins(void *unused)
{
	(void)unused;
	while (!failed && atomic_fetch_sub(&left, 1) > 0)
		if (!login())
			failed = 1;
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	struct timespec a, b;
	int n;

	if (argc != 4 || (n = atoi(argv[2])) < 1 || n > 64)
		return 2;
	program = argv[1];
	left = atol(argv[3]);
	ssize_t got = read(0, request, sizeof request);

	if (got <= 0)
		return 2;
	length = got;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, logins, NULL) != 0)
			return 1;
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%ld\n", (b.tv_sec - a.tv_sec) * 1000000000L + (b.tv_nsec - a.tv_nsec));
	return failed;
}
