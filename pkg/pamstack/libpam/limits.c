/* Limits that modules set are the user's, not this process's: pam_limits may set
 * some that would kill it (a small address space) or keep it from closing the
 * session (file size), and without CAP_SYS_RESOURCE nothing could raise them
 * again. So setrlimit and its kin stand here before those of the C library. For
 * modules they keep the user's limits; for everybody else they pass the call on.
 * What a module forks gets the user's limits (see guard.c). */
#define _GNU_SOURCE
#include "hooks.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one form of limits");

static struct rlimit user_limits[PAMHELPER_RLIMITS];

/* Nothing of the C library is behind the raw call. */
static int system_prlimit(pid_t pid, int resource, const struct rlimit *set, struct rlimit *old)
{
	return (int)syscall(SYS_prlimit64, pid, resource, set, old);
}

void pamhelper_limits_init(const struct rlimit *start)
{
	for (int i = 0; i < PAMHELPER_RLIMITS; i++) {
		if (start)
			user_limits[i] = start[i];
		else
			system_prlimit(0, i, NULL, &user_limits[i]);
	}
}

void pamhelper_limits_get(struct rlimit *limits)
{
	memcpy(limits, user_limits, sizeof user_limits);
}

void pamhelper_limits_apply(void)
{
	for (int i = 0; i < PAMHELPER_RLIMITS; i++)
		system_prlimit(0, i, &user_limits[i], NULL);
}

static int may_raise(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	return syscall(SYS_capget, &header, data) == 0 && data[0].effective & 1u << CAP_SYS_RESOURCE;
}

/* The most that RLIMIT_NOFILE can be: fs.nr_open. */
static rlim_t most_files(void)
{
	unsigned long most = 1024 * 1024;
	FILE *f = fopen("/proc/sys/fs/nr_open", "re");

	if (f) {
		if (fscanf(f, "%lu", &most) != 1)
			most = 1024 * 1024;
		fclose(f);
	}
	return most;
}

/* The kernel's own conditions (prlimit(2)), so that a module is refused now what
 * the user's process would be refused later. */
static int admit(int resource, const struct rlimit *set)
{
	if (set->rlim_cur > set->rlim_max)
		return EINVAL;
	if (resource == RLIMIT_NOFILE && set->rlim_max > most_files())
		return EPERM;
	if (set->rlim_max > user_limits[resource].rlim_max && !may_raise())
		return EPERM;
	return 0;
}

static int limit(pid_t pid, int resource, const struct rlimit *set, struct rlimit *old)
{
	if ((pid != 0 && pid != getpid()) || resource < 0 || resource >= PAMHELPER_RLIMITS || !pamhelper_in_module())
		return system_prlimit(pid, resource, set, old);
	struct rlimit before = user_limits[resource];
	if (set) {
		int error = admit(resource, set);

		if (error) {
			errno = error;
			return -1;
		}
		user_limits[resource] = *set;
	}
	if (old)
		*old = before;
	return 0;
}

#define EXPORT __attribute__((visibility("default")))

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *set)
{
	return limit(0, (int)resource, set, NULL);
}

EXPORT int getrlimit(__rlimit_resource_t resource, struct rlimit *get)
{
	return limit(0, (int)resource, NULL, get);
}

EXPORT int prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *set, struct rlimit *old)
{
	return limit(pid, (int)resource, set, old);
}

/* What was compiled for large files calls these. */
EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *set)
{
	return limit(0, (int)resource, (const struct rlimit *)set, NULL);
}

EXPORT int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *get)
{
	return limit(0, (int)resource, NULL, (struct rlimit *)get);
}

EXPORT int prlimit64(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *set, struct rlimit64 *old)
{
	return limit(pid, (int)resource, (const struct rlimit *)set, (struct rlimit *)old);
}
