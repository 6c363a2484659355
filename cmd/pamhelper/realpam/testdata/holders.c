/* holders POOL N: N processes that each hold the lock of one slot of POOL, a path
 * below /run/pamhelper, until standard input ends: the first N of key 0. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int ready[2];
	char c;

	if (argc != 3 || pipe(ready) < 0 || setpgid(0, 0) < 0)
		return 1;
	for (int i = 0; i < atoi(argv[2]); i++)
		if (fork() == 0) {
			struct flock lock = { .l_type = F_WRLCK, .l_start = i, .l_len = 1 };
			char name[PATH_MAX];
			int file;

			snprintf(name, sizeof name, "%s.%d", argv[1], i / 64 % 64); /* as package slot does */
			file = open(name, O_RDWR | O_CREAT, 0600);
			if (file < 0 || fcntl(file, F_SETLK, &lock) < 0 || write(ready[1], "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
	for (int i = 0; i < atoi(argv[2]); i++)
		if (read(ready[0], &c, 1) != 1)
			return 1;
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return 0;
}
