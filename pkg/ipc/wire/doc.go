// Package wire turns the protocol's messages into bytes and back, as a worker does it:
// it decodes a Request, encodes an Event and a Record, and
// decodes the Policy that its broker gives it.
//
// The library for protocol buffers would do, and does for everybody else. It prepares
// each type of message by reflection when that is used for the first time, and a
// worker, which is a process of its own for each login, uses each once or twice: that
// was the largest part of what a worker computes, and of the memory it keeps. What is
// decoded here is also held to more: every field is of the schema, has its own type
// and is there once.
//
// It has no descriptors and no frames: those are package ipc's.
package wire
