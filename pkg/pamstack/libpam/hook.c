/* libpam finds the entry points of a module with dlsym. The dynamic linker asks
 * the executable first, so this dlsym answers instead and gives libpam, for
 * each lookup of a pam_sm_ function, a trampoline of its own: it notes which
 * module runs, calls it, and notes what it returned (trace.c). libpam looks the
 * functions up in the order of its configuration: the n-th slot belongs to the
 * n-th lookup of the model. Nothing here calls Go: modules fork, and children
 * run through the trampolines too. */
#define _GNU_SOURCE
#include "hooks.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef int sm_function(pam_handle_t *, int, int, const char **);

#define SLOTS PAMHELPER_SLOTS

static struct slot {
	sm_function *function;
	struct pamhelper_binding binding;
} slots[SLOTS];

static unsigned used, lookups; /* slots; also those without one */
static unsigned first; /* slot of the configuration that libpam has read last */
static int stale;      /* it will be read again */
static _Atomic(const struct slot *) running;
static _Atomic(pam_handle_t *) handle; /* what the application's call is about */

static int call(unsigned n, pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const struct slot *outer = atomic_load(&running);
	pam_handle_t *before = atomic_load(&handle);
	int entered = slots[n].binding.foreign ? -1 : pamhelper_trace_enter(n, flags);

	if (!slots[n].binding.foreign)
		atomic_store(&handle, pamh);
	atomic_store(&running, &slots[n]);
	int status = slots[n].function(pamh, flags, argc, argv);
	atomic_store(&running, outer);
	atomic_store(&handle, before);
	pamhelper_trace_leave(entered, status);
	return status;
}

/* 2048 functions, one for each slot: T2(n) makes the 256 of 0xn00 to 0xnff. */
#define T0(n) static int t##n(pam_handle_t *h, int f, int c, const char **v) { return call(0x##n, h, f, c, v); }
#define T1(p) T0(p##0) T0(p##1) T0(p##2) T0(p##3) T0(p##4) T0(p##5) T0(p##6) T0(p##7) \
	T0(p##8) T0(p##9) T0(p##a) T0(p##b) T0(p##c) T0(p##d) T0(p##e) T0(p##f)
#define T2(p) T1(p##0) T1(p##1) T1(p##2) T1(p##3) T1(p##4) T1(p##5) T1(p##6) T1(p##7) \
	T1(p##8) T1(p##9) T1(p##a) T1(p##b) T1(p##c) T1(p##d) T1(p##e) T1(p##f)
T2(0) T2(1) T2(2) T2(3) T2(4) T2(5) T2(6) T2(7)

#define A1(p) t##p##0, t##p##1, t##p##2, t##p##3, t##p##4, t##p##5, t##p##6, t##p##7, \
	t##p##8, t##p##9, t##p##a, t##p##b, t##p##c, t##p##d, t##p##e, t##p##f,
#define A2(p) A1(p##0) A1(p##1) A1(p##2) A1(p##3) A1(p##4) A1(p##5) A1(p##6) A1(p##7) \
	A1(p##8) A1(p##9) A1(p##a) A1(p##b) A1(p##c) A1(p##d) A1(p##e) A1(p##f)

static sm_function *const trampolines[SLOTS] = {
	A2(0) A2(1) A2(2) A2(3) A2(4) A2(5) A2(6) A2(7)
};

void pamhelper_hooks_reset(void)
{
	used = lookups = first = 0;
	stale = 0;
	atomic_store(&running, NULL);
	atomic_store(&handle, NULL);
}

void pamhelper_hooks_stale(void)
{
	stale = 1;
}

int pamhelper_hooks_reread(void)
{
	int again = stale;

	if (again)
		first = used;
	stale = 0;
	return again;
}

unsigned pamhelper_bindings(unsigned *from, unsigned *lost)
{
	*from = first;
	*lost = lookups - used;
	return used;
}

struct pamhelper_binding *pamhelper_binding(unsigned slot)
{
	return &slots[slot].binding;
}

const char *pamhelper_module(void)
{
	const struct slot *slot = atomic_load(&running);

	return slot ? slot->binding.module : "";
}

pam_handle_t *pamhelper_handle(void)
{
	return atomic_load(&handle);
}

const char *pamhelper_place(unsigned *line)
{
	const struct slot *slot = atomic_load(&running);

	*line = slot ? slot->binding.line : 0;
	return slot ? slot->binding.file : "";
}

const char *pamhelper_library(void)
{
	static char path[PATH_MAX];
	Dl_info info;

	if (!dladdr(dlsym(RTLD_DEFAULT, "pam_start"), &info) || !realpath(info.dli_fname, path))
		return "";
	return path;
}

/* While a module is loaded in advance it counts as the one that runs: what it does
 * to the process is its doing. */
static struct slot loading;

int pamhelper_load(const char *path)
{
	const char *slash = strrchr(path, '/');

	loading = (struct slot){ 0 };
	strncpy(loading.binding.module, slash ? slash + 1 : path, sizeof loading.binding.module - 1);
	atomic_store(&running, &loading);
	void *module = dlopen(path, RTLD_NOW);
	atomic_store(&running, NULL);
	return module != NULL;
}

static void *trampoline(void *handle, const char *name, void *function)
{
	struct link_map *map;

	if (!pamhelper_in_module()) /* somebody in a thread or a child of its own */
		return function;
	lookups++;
	if (used == SLOTS || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
		return function;
	struct slot *slot = &slots[used];
	const char *slash = strrchr(map->l_name, '/');
	*slot = (struct slot){ .function = (sm_function *)function };
	strncpy(slot->binding.module, slash ? slash + 1 : map->l_name, sizeof slot->binding.module - 1);
	strncpy(slot->binding.function, name, sizeof slot->binding.function - 1);
	slot->binding.path = map->l_name;
	slot->binding.found = function != NULL;
	slot->binding.foreign = atomic_load(&running) != NULL;
	used++;
	if (!function)
		return NULL;
	/* A thread that the module leaves running needs its code behind pam_end. */
	dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
	return (void *)trampolines[slot - slots];
}

typedef void *dlsym_function(void *, const char *);

static dlsym_function *real_dlsym(void)
{
	static _Atomic(dlsym_function *) real;
	dlsym_function *found = atomic_load(&real);

	/* The version differs by architecture and by the glibc that has it. */
	static const char *const versions[] = { "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.27", "GLIBC_2.0" };
	for (size_t i = 0; !found && i < sizeof versions / sizeof *versions; i++)
		found = (dlsym_function *)dlvsym(RTLD_NEXT, "dlsym", versions[i]);
	atomic_store(&real, found);
	return found;
}

/* For every other name the real dlsym has to see our caller's address, which
 * RTLD_NEXT depends on: the last call is a jump (-foptimize-sibling-calls). */
__attribute__((visibility("default"), optimize("O2")))
void *dlsym(void *restrict handle, const char *restrict name)
{
	dlsym_function *real = real_dlsym();

	/* libpam asks a module by its handle; whoever asks all of them is not libpam. */
	if (handle == RTLD_DEFAULT || handle == RTLD_NEXT || strncmp(name, "pam_sm_", 7) != 0)
		return real(handle, name);
	return trampoline(handle, name, real(handle, name));
}
