/* Which files the dynamic linker has loaded, and whether it would load the same
 * ones again: a process that waits must not run for its login what has been
 * replaced since. The linker itself would not see it: it knows what it has loaded
 * by name. Its lists are among the files, since they decide which ones it finds.
 *
 * The program itself is none of them: executing it again leads to the same. */
#define _GNU_SOURCE
#include "objects.h"
#include "constructor.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_OBJECTS 1024 /* with more of them all count as replaced */

/* Coarser than any clock of a file system. */
#define GRAIN 1 /* seconds */

static struct object {
	char *path;
	int there;
	struct stat as; /* zero where it is not there */
} objects[MAX_OBJECTS];
static unsigned count;
static const char *stale; /* replaced before it was noted, "" for one that was not noted */

static void look(const char *path, struct object *object)
{
	*object = (struct object){ .path = object->path };
	object->there = stat(path, &object->as) == 0;
}

static struct object *note(const char *path)
{
	if (count == MAX_OBJECTS) {
		stale = "one of many libraries";
		return NULL;
	}
	struct object *object = &objects[count];
	object->path = strdup(path);
	if (!object->path) {
		stale = "a library";
		return NULL;
	}
	look(path, object);
	count++;
	return object;
}

/* Between loading and noting it a file may have become another one: then it has
 * changed since the process was started. */
static int note_loaded(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size, (void)data;
	if (info->dlpi_name[0] != '/') /* the program, and what the kernel provides */
		return 0;
	const struct object *object = note(info->dlpi_name);
	if (object && (!object->there || object->as.st_ctim.tv_sec >= pamhelper_start.at - GRAIN))
		stale = object->path;
	return 0;
}

void pamhelper_objects_note(void)
{
	note("/etc/ld.so.cache");
	note("/etc/ld.so.preload");
	dl_iterate_phdr(note_loaded, NULL);
}

static int same(const struct object *a, const struct object *b)
{
	return a->there == b->there && a->as.st_dev == b->as.st_dev && a->as.st_ino == b->as.st_ino && a->as.st_size == b->as.st_size &&
	       a->as.st_ctim.tv_sec == b->as.st_ctim.tv_sec && a->as.st_ctim.tv_nsec == b->as.st_ctim.tv_nsec;
}

const char *pamhelper_objects_replaced(void)
{
	for (unsigned i = 0; !stale && i < count; i++) {
		struct object now = { NULL };

		look(objects[i].path, &now);
		if (!same(&now, &objects[i]))
			stale = objects[i].path;
	}
	return stale;
}

static int searches_itself(struct dl_phdr_info *info, size_t size, void *path)
{
	(void)size;
	for (unsigned i = 0; info->dlpi_name[0] == '/' && i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		const ElfW(Dyn) *entry = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
		for (; entry->d_tag != DT_NULL; entry++)
			if (entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH) {
				*(const char **)path = info->dlpi_name;
				return 1;
			}
	}
	return 0;
}

const char *pamhelper_objects_searching(void)
{
	const char *path = NULL;

	dl_iterate_phdr(searches_itself, &path);
	return path;
}
