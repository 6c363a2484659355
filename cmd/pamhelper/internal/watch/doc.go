// Package watch is "pamhelper watch": it shows the calls of PAM modules in all
// processes of the machine, also those that have loaded them before.
//
// The kernel puts a probe on the entry and on the return of each function of each
// module file (uprobes, by way of tracefs). At the entry it notes the service and
// the user of the transaction, at the return the code. Nothing else of a process is
// read: no token, message or item beside those two.
package watch
