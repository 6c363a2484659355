// Package pamstack is the place of the model of a PAM service's configuration:
// which lines apply, in which order, and what each return code does. Running a
// transaction is not its work; package libpam below it does that.
package pamstack
