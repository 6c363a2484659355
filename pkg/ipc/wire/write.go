package wire

import "google.golang.org/protobuf/encoding/protowire"

// writer writes a message from its end to its beginning: a message inside is written
// before its length, which is known by then. Fields with their default value are left
// out, as proto3 wants it. So they stand in the code from the last to the first.
type writer struct {
	buf []byte // its end is written
	at  int    // from here on
}

func newWriter(size int) *writer { return &writer{buf: make([]byte, size), at: size} }

// done returns what was written.
func (w *writer) done() []byte { return w.buf[w.at:] }

// room makes room for n bytes more, and wipes what it leaves.
func (w *writer) room(n int) {
	if n <= w.at {
		w.at -= n
		return
	}
	grown := newWriter(2*len(w.buf) + n)
	grown.at -= len(w.buf) - w.at
	copy(grown.buf[grown.at:], w.buf[w.at:])
	clear(w.buf)
	grown.at -= n
	*w = *grown
}

func (w *writer) varint(v uint64) {
	n := protowire.SizeVarint(v)
	w.room(n)
	protowire.AppendVarint(w.buf[w.at:w.at:w.at+n], v)
}

func (w *writer) tag(number protowire.Number, kind protowire.Type) {
	w.varint(protowire.EncodeTag(number, kind))
}

// number is a field of a whole number.
func (w *writer) number(number protowire.Number, v uint64) {
	if v != 0 {
		w.numberAlways(number, v)
	}
}

// numberAlways is the same for a part of a oneof, which is there with any value.
func (w *writer) numberAlways(number protowire.Number, v uint64) {
	w.varint(v)
	w.tag(number, protowire.VarintType)
}

func (w *writer) enum(number protowire.Number, v int32) { w.number(number, uint64(int64(v))) }

func (w *writer) truth(number protowire.Number, v bool) {
	if v {
		w.number(number, 1)
	}
}

func (w *writer) bytes(number protowire.Number, v []byte) {
	if len(v) > 0 {
		w.element(number, v)
	}
}

// element is one of a repeated field, which is there when it is empty too.
func (w *writer) element(number protowire.Number, v []byte) {
	w.room(len(v))
	copy(w.buf[w.at:], v)
	w.varint(uint64(len(v)))
	w.tag(number, protowire.BytesType)
}

func (w *writer) text(number protowire.Number, v string) {
	if len(v) == 0 {
		return
	}
	w.room(len(v))
	copy(w.buf[w.at:], v)
	w.varint(uint64(len(v)))
	w.tag(number, protowire.BytesType)
}

// message is a message inside, which is there when it is empty too.
func (w *writer) message(number protowire.Number, write func()) {
	before := len(w.buf) - w.at
	write()
	w.varint(uint64(len(w.buf) - w.at - before))
	w.tag(number, protowire.BytesType)
}
