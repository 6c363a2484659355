// Package node is the SSH service: it listens, serves connections, and ends in
// order. A connection is one login, which is undone whatever ends the connection.
package node
