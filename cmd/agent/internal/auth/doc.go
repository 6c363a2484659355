// Package auth is the way into a connection: certificates and keys, which it
// verifies itself, and passwords and all else that is asked for, which PAM
// verifies through the helper. A connection has one login, with one PAM
// transaction, and it has got past all of it before any channel exists.
//
// The order of a login is proof, message of the day, account, change of an expired
// password; or account before the proof, where configuration and policy say so.
// Whoever fails is told that, and nothing else that could depend on who
// exists; the reason is in the log.
package auth
