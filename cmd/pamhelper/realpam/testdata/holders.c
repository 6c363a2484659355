/* holders FILE N: N processes that each hold a lock on a byte of FILE, until
 * standard input ends. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int file = argc == 3 ? open(argv[1], O_RDWR) : -1;
	int ready[2];
	char c;

	if (file < 0 || pipe(ready) < 0 || setpgid(0, 0) < 0)
		return 1;
	for (int i = 0; i < atoi(argv[2]); i++)
		if (fork() == 0) {
			struct flock lock = { .l_type = F_WRLCK, .l_start = i, .l_len = 1 };

			if (fcntl(file, F_SETLK, &lock) < 0 || write(ready[1], "", 1) != 1)
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
