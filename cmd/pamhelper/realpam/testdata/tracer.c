/* tracer MODE PID: a user's program that traces another one of the user's, as a
 * daemon: in a kernel session of its own, and nobody's child. It lets it run on, and does not wait for its end.
 * "holds" keeps it from ending, whatever kills it (ptrace(2), PTRACE_O_TRACEEXIT). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	pid_t pid = atoi(argv[2]);
	long options = strcmp(argv[1], "holds") == 0 ? PTRACE_O_TRACEEXIT : 0;

	if (fork() != 0)
		return 0;
	setsid();
	if (fork() != 0)
		return 0;
	if (ptrace(PTRACE_SEIZE, pid, 0, options) != 0) {
		perror("ptrace");
		return 1;
	}
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, pid, &info, WSTOPPED) != 0)
			pause();
		if (info.si_status >> 8 == 0)
			ptrace(PTRACE_CONT, pid, 0, info.si_status);
	}
}
