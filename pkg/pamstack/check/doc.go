// Package check finds what is wrong with PAM services: files that libpam reads
// otherwise than they look, modules that do not load, files that others can
// change, and stacks that let in who should stay out, or nobody.
//
// It reads what package pamstack reads, and the files that the lines name. It
// runs no module and changes nothing. What a module does is known for the usual
// ones (known.go, and pamstack.Returns); of all others it is assumed that they do
// what they are there for, so that nothing is reported only because a module is
// not known.
//
// CHECKS.md is the page of all findings: what happens because of one, and what
// to do. The texts of findings come from it, and its examples are tests.
package check
