/* The files that the dynamic linker has loaded: see objects.c. */
#ifndef PAMHELPER_OBJECTS_H
#define PAMHELPER_OBJECTS_H

/* Notes them, once in a process. */
void pamhelper_objects_note(void);
/* Returns the path of one that has changed, or NULL. The string is static. */
const char *pamhelper_objects_replaced(void);

#endif
