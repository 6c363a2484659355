/* The files that the dynamic linker has loaded: see objects.c. */
#ifndef PAMHELPER_OBJECTS_H
#define PAMHELPER_OBJECTS_H

/* Notes them, once in a process. */
void pamhelper_objects_note(void);
/* Returns the path of one that has changed, or NULL. The string is static. */
const char *pamhelper_objects_replaced(void);
/* Returns the path of one that names directories of its own for the libraries it needs
 * (DT_RPATH, DT_RUNPATH), or NULL. The linker takes a library that it has by name: with
 * such a file it depends on what was loaded before which library that is. The string
 * is the linker's. */
const char *pamhelper_objects_searching(void);

#endif
