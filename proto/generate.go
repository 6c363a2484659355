// Package pamhelperpb is the protocol between an agent and a pamhelper worker:
// the generated form of pamhelper.proto, which documents every field.
// PROTOCOL.md beside it describes how the messages are used. Agents written in
// Go use package ipc rather than this one.
package pamhelperpb

//go:generate ../scripts/generate.sh
