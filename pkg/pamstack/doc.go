// Package pamstack is a model of what libpam makes of a PAM service's files:
// which lines apply, in which order, and what each return code does. Load reads
// a service as pam_start does, Stack.Predict says what a call returns when the
// modules return given codes, and Stack.Explore what it can return at all.
//
// No module is loaded and nothing is run: that is the work of package libpam
// below it. What is modelled is one libpam, as Detect finds it in the library's
// file, because builds differ: Debian's patches, and versions before and after
// 1.6. Where libpam's behaviour is undefined (it reads memory that nobody wrote,
// or it ends the process) the model says so and does not guess.
//
// The source of it all is Linux-PAM's libpam/pam_handlers.c, pam_misc.c and
// pam_dispatch.c, and Debian's patches to them. The differential test holds the
// model to the libpam that is installed.
package pamstack
