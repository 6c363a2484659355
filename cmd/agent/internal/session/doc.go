// Package session serves the session channels of a connection (RFC 4254, 6):
// shells, commands and subsystems, each a process of the connection's login, on
// a terminal or over pipes. It forwards nothing.
package session
