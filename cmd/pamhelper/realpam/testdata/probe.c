/* What a process finds around itself, as lines "name value". It is the user's
 * shell, or what that runs: a real shell would change some of it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

#define MOST_KEYS 64

static void open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		struct stat st;
		const char *kind = "other";

		if (entry->d_name[0] == '.' || fd == dirfd(dir) || fstat(fd, &st) != 0)
			continue;
		if (S_ISFIFO(st.st_mode))
			kind = "pipe";
		else if (S_ISSOCK(st.st_mode))
			kind = "socket";
		else if (isatty(fd))
			kind = "terminal";
		else if (S_ISCHR(st.st_mode))
			kind = "device";
		else if (S_ISREG(st.st_mode))
			kind = "file";
		printf("descriptor.%d %s access=%d nonblock=%d cloexec=%d owner=%d\n", fd, kind, fcntl(fd, F_GETFL) & O_ACCMODE,
		       (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, fcntl(fd, F_GETFD), (int)st.st_uid);
	}
	if (dir)
		closedir(dir);
}

static void file(const char *name, const char *path)
{
	char text[4096];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (!f) {
		printf("%s error %d\n", name, errno);
		return;
	}
	fclose(f);
	text[n] = 0;
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? '|' : 0;
	printf("%s %s\n", name, text);
}

static void status(void)
{
	static const char *const wanted[] = {
		"Umask:", "Uid:", "Gid:", "Groups:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:",
		"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:",
		"Speculation_Store_Bypass:", "Cpus_allowed:", "Mems_allowed:", "THP_enabled:",
	};
	char line[4096];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof line, f)) {
		for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
			if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
				printf("status.%s", line);
	}
	if (f)
		fclose(f);
}

static void limits(void)
{
	static const char *const names[] = {
		"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile",
		"memlock", "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime",
	};

	for (int i = 0; i < 16; i++) {
		struct rlimit l = { 0 };

		getrlimit(i, &l);
		printf("limit.%s %lld %lld\n", names[i], (long long)l.rlim_cur, (long long)l.rlim_max);
	}
}

static void scheduling(void)
{
	struct sched_param param = { 0 };
	struct itimerval timer = { 0 };

	printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
	printf("scheduler %d", sched_getscheduler(0));
	sched_getparam(0, &param);
	printf(" %d\n", param.sched_priority);
	printf("ioprio %ld\n", syscall(SYS_ioprio_get, 1, 0));
	printf("timerslack %d\n", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	getitimer(ITIMER_REAL, &timer);
	printf("alarm %s\n", timer.it_value.tv_sec || timer.it_value.tv_usec ? "set" : "none");
}

static void process(void)
{
	int number = 0;

	prctl(PR_GET_PDEATHSIG, &number, 0, 0, 0);
	printf("pdeathsig %d\n", number);
	printf("dumpable %d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	printf("keepcaps %d\n", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	printf("securebits %d\n", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	printf("personality %x\n", personality(0xffffffff));
	printf("session leader=%d\n", getsid(0) == getpid());
	printf("group leader=%d\n", getpgrp() == getpid());
}

static void link_of(const char *name, const char *path)
{
	char text[256];
	ssize_t n = readlink(path, text, sizeof text);

	printf("%s %.*s\n", name, n < 0 ? 0 : (int)n, text);
}

static void namespaces(void)
{
	static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "user", "uts" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char name[64], path[64];

		snprintf(name, sizeof name, "namespace.%s", names[i]);
		snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
		link_of(name, path);
	}
}

static void describe(const char *name, long key)
{
	char text[256] = "";

	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, text, sizeof text) < 0)
		snprintf(text, sizeof text, "error %d", errno);
	printf("%s %s\n", name, text);
}

static void keyring(void)
{
	int keys[MOST_KEYS];
	long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

	if (id < 0) {
		printf("keyring.id error %d\n", errno);
		return;
	}
	printf("keyring.id %ld\n", id);
	describe("keyring", id);
	long size = syscall(SYS_keyctl, KEYCTL_READ, id, keys, sizeof keys);
	for (long i = 0; i < size / (long)sizeof *keys && i < MOST_KEYS; i++) {
		char name[64];

		snprintf(name, sizeof name, "keyring.holds.%ld", i);
		describe(name, keys[i]);
	}
}

static void controlling_terminal(void)
{
	struct stat own, st;
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0) {
		printf("tty none, error %d\n", errno);
		return;
	}
	/* /dev/tty itself says nothing: is it the terminal of descriptor 0? */
	printf("tty session=%d\n", tcgetsid(fd) == getsid(0));
	printf("tty.foreground %d\n", tcgetpgrp(fd) == getpgrp());
	if (isatty(0) && fstat(0, &own) == 0 && stat(ttyname(0), &st) == 0) {
		printf("tty.name %s\n", ttyname(0));
		printf("tty.owner uid=%d gid=%d mode=%o named=%d\n", (int)own.st_uid, (int)own.st_gid, own.st_mode, own.st_ino == st.st_ino);
		printf("tty.descriptor session=%d\n", tcgetsid(0) == getsid(0));
	}
	close(fd);
}

static void terminal_modes(void)
{
	struct termios t;
	struct winsize w = { 0 };

	if (tcgetattr(0, &t) != 0)
		return;
	printf("modes.flags iflag=%x oflag=%x cflag=%x lflag=%x line=%d\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_line);
	printf("modes.speed %x %x\n", cfgetispeed(&t), cfgetospeed(&t));
	printf("modes.characters");
	for (int i = 0; i < NCCS; i++)
		printf(" %02x", t.c_cc[i]);
	printf("\n");
	ioctl(0, TIOCGWINSZ, &w);
	printf("modes.size rows=%d columns=%d width=%d height=%d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
}

int main(int argc, char **argv)
{
	char cwd[4096];

	printf("probe begin\n");
	open_descriptors();
	for (int i = 0; i < argc; i++)
		printf("argument.%d %s\n", i, argv[i]);
	for (char **p = environ; *p; p++) {
		size_t name = strcspn(*p, "=");

		printf("env.%.*s %s\n", (int)name, *p, *p + name + ((*p)[name] == '='));
	}
	printf("cwd %s\n", getcwd(cwd, sizeof cwd) ? cwd : "error");
	link_of("root", "/proc/self/root");
	status();
	limits();
	scheduling();
	process();
	namespaces();
	keyring();
	file("oom_score_adj", "/proc/self/oom_score_adj");
	file("loginuid", "/proc/self/loginuid");
	file("audit.session", "/proc/self/sessionid");
	file("coredump_filter", "/proc/self/coredump_filter");
	file("cgroup", "/proc/self/cgroup");
	file("security", "/proc/self/attr/current");
	controlling_terminal();
	terminal_modes();
	printf("probe end\n");
	return 0;
}
