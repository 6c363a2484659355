/* The start of a user's process. It is forked on the thread that ran PAM's
 * modules, because what they set belongs to that thread: loginuid, session
 * keyring, mount namespace, SELinux context, nice value; umask, groups and
 * cgroup come along too.
 *
 * Between fork and execve only async-signal-safe functions are called. _Fork and
 * the raw system calls are for that as well: fork would run the modules' atfork
 * handlers, and the C library's setresuid would wait for threads that the child
 * does not have. */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

static __attribute__((noreturn)) void give_up(int report, enum pamhelper_failure failure)
{
	struct pamhelper_report text = { failure, errno };

	if (write(report, &text, sizeof text) < 0)
		_exit(126);
	_exit(127);
}

static int take_descriptors(const int *fds)
{
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			return -1;
	return 0;
}

static int set_limits(const struct rlimit *limits)
{
	for (int i = 0; i < 16; i++)
		if (syscall(SYS_prlimit64, 0, i, &limits[i], NULL) != 0)
			return -1;
	return 0;
}

/* The groups are those that the thread holds since pam_setcred. A worker that
 * cannot change is the user already, and only that: a module may have left one
 * that was root with the user's effective id alone. */
static int become(int change, uid_t uid, gid_t gid)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (change && (syscall(SYS_setresgid, gid, gid, gid) != 0 || syscall(SYS_setresuid, uid, uid, uid) != 0))
		return -1;
	/* The memory is still the worker's. The kernel made it what fs.suid_dumpable
	 * says; execve makes it the user's. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -1;
	errno = EPERM;
	if (getresuid(&ruid, &euid, &suid) != 0 || ruid != uid || euid != uid || suid != uid)
		return -1;
	if (change && (getresgid(&rgid, &egid, &sgid) != 0 || rgid != gid || egid != gid || sgid != gid))
		return -1;
	if (uid != 0 && syscall(SYS_setresuid, -1, 0, -1) == 0)
		return -1; /* it could become root again */
	return 0;
}

static void say(const char *text)
{
	if (write(2, text, strlen(text)) < 0) {
		/* Nobody reads it: the user does without. */
	}
}

/* As the user: a home may be readable for nobody else. */
static void go_home(const char *home)
{
	if (chdir(home) == 0)
		return;
	const char *reason = strerrordesc_np(errno);
	say("home directory ");
	say(home);
	say(": ");
	say(reason ? reason : "unknown error");
	say("; starting in /\n");
	if (chdir("/") != 0) {
		/* Then where the worker is, which is / as well. */
	}
}

/* Of the kernel, where the C library keeps 32 and 33 to itself. */
#define FIRST_SIGNAL_OF_LIBC 32

/* As with sshd: the signals that end a session, or tell of a child, mean the
 * default, and none is blocked. Who started the agent may have ignored them for
 * it (nohup, a job of a shell), and means nobody's login. The others are as the
 * worker found them. */
static void reset_signals(const struct sigaction *found)
{
	static const int ordinary[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD };
	static const struct sigaction by_default = { .sa_handler = SIG_DFL };
	static const struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } kernel_default;
	sigset_t none;

	for (int i = 1; i < 65; i++)
		sigaction(i, &found[i], NULL); /* fails for those of the C library */
	/* Which posix_spawn of that library ignores in what it starts. */
	for (int i = FIRST_SIGNAL_OF_LIBC; i < SIGRTMIN; i++)
		syscall(SYS_rt_sigaction, i, &kernel_default, NULL, sizeof kernel_default.mask);
	for (size_t i = 0; i < sizeof ordinary / sizeof *ordinary; i++)
		sigaction(ordinary[i], &by_default, NULL);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static __attribute__((noreturn)) void child(const struct pamhelper_process *p, int go, int report)
{
	char byte;

	if (setsid() < 0)
		give_up(report, PAMHELPER_SESSION);
	if (read(go, &byte, 1) != 1)
		_exit(127); /* the worker is gone, and has not written this process down */
	if (take_descriptors(p->fds) != 0)
		give_up(report, PAMHELPER_DESCRIPTORS);
	/* Before what may hang: nobody else's end of file waits for this process. */
	close_range(3, (unsigned)report - 1, 0);
	close_range((unsigned)report + 1, ~0U, 0);
	if (p->terminal && ioctl(0, TIOCSCTTY, 0) != 0)
		give_up(report, PAMHELPER_TERMINAL);
	if (set_limits(p->limits) != 0)
		give_up(report, PAMHELPER_LIMITS);
	if (become(p->change, p->uid, p->gid) != 0)
		give_up(report, PAMHELPER_USER);
	go_home(p->home);
	signal(SIGPIPE, SIG_IGN); /* drops the one that is pending where nobody read what go_home said */
	reset_signals(p->actions);
	execve(p->shell, p->argv, p->environment);
	give_up(report, PAMHELPER_EXECUTE);
}

pid_t pamhelper_spawn(const struct pamhelper_process *p, int *go, int *report)
{
	int going[2], reporting[2];
	sigset_t before;

	if (pipe2(going, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(reporting, O_CLOEXEC) != 0) {
		int error = errno;

		close(going[0]);
		close(going[1]);
		return -error;
	}
	fcntl(reporting[0], F_SETFL, O_NONBLOCK); /* it is read with a deadline */
	block_signals(&before);
	pid_t pid = _Fork();
	int error = errno;
	if (pid == 0) {
		close(going[1]); /* so that the worker's death is an end of file */
		child(p, going[0], reporting[1]);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(going[0]);
	close(reporting[1]);
	*go = going[1];
	*report = reporting[0];
	if (pid < 0) {
		close(*go);
		close(*report);
		return -error;
	}
	return pid;
}

int pamhelper_signal(int change, uid_t uid, gid_t gid, pid_t group, int signal)
{
	sigset_t before;
	int status = 0;

	block_signals(&before);
	pid_t pid = _Fork();
	int error = errno;
	if (pid == 0) {
		if (become(change, uid, gid) != 0)
			_exit(EPERM);
		_exit(kill(-group, signal) == 0 ? 0 : errno);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return error;
	/* It has the user's rights, and the user has rights over it: one that was
	 * stopped is not waited for. */
	for (;;) {
		pid_t changed = waitpid(pid, &status, WUNTRACED);

		if (changed < 0 && errno != EINTR)
			return errno;
		if (changed == pid && !WIFSTOPPED(status))
			break;
		if (changed == pid)
			kill(pid, SIGKILL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static int64_t microseconds(const struct timeval *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_usec;
}

int pamhelper_ended(pid_t pid, struct pamhelper_ended *ended)
{
	siginfo_t info = { 0 };
	struct rusage usage;

	/* The C library's waitid does not tell the usage. */
	if (syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT, &usage) != 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	int exited = info.si_code == CLD_EXITED;
	ended->status = exited ? info.si_status : -1;
	ended->signal = exited ? 0 : info.si_status;
	ended->core = info.si_code == CLD_DUMPED;
	ended->user_us = microseconds(&usage.ru_utime);
	ended->system_us = microseconds(&usage.ru_stime);
	ended->max_rss_kib = usage.ru_maxrss;
	return 1;
}
