package wire

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// What is wrong with the bytes of a message.
var (
	// ErrMalformed: they are no message, or a string in it is not UTF-8.
	ErrMalformed = errors.New("a frame that does not decode")
	// ErrUnknown: a field that this version's schema does not have, or not with that
	// type.
	ErrUnknown = errors.New("a field this version does not have")
	// ErrTwice: a field that is not repeated is there twice.
	ErrTwice = errors.New("a field that is there twice")
)

// field is one field of a message, as it comes.
type field struct {
	number protowire.Number
	kind   protowire.Type
	varint uint64
	bytes  []byte // a part of the message
	again  bool   // it was there before
}

// fields calls each with the fields of a message, and returns the first error.
// Encodings (https://protobuf.dev/programming-guides/encoding) of other types than
// the schema of Request has are unknown fields.
func fields(message []byte, each func(field) error) error {
	var seen uint64 // a bit for each number: those of the schema are small
	for len(message) > 0 {
		f, size, err := next(message)
		if err != nil {
			return err
		}
		message = message[size:]
		if f.number < 64 {
			f.again = seen&(1<<f.number) != 0
			seen |= 1 << f.number
		}
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

func next(message []byte) (f field, size int, err error) {
	number, kind, size := protowire.ConsumeTag(message)
	if size < 0 {
		return f, 0, ErrMalformed
	}
	f = field{number: number, kind: kind}
	n := 0
	switch rest := message[size:]; kind {
	case protowire.VarintType:
		f.varint, n = protowire.ConsumeVarint(rest)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(rest)
	default:
		n = protowire.ConsumeFieldValue(number, kind, rest)
	}
	if n < 0 {
		return f, 0, ErrMalformed
	}
	return f, size + n, nil
}

// is says what is wrong with a field that has to be of a type, and there once.
func (f field) is(kind protowire.Type) error {
	switch {
	case f.kind != kind:
		return ErrUnknown
	case f.again:
		return ErrTwice
	}
	return nil
}

// copyTo copies bytes: the message they came in is wiped.
func (f field) copyTo(to *[]byte) error {
	if err := f.is(protowire.BytesType); err != nil {
		return err
	}
	*to = bytes.Clone(f.bytes)
	return nil
}

func (f field) text(to *string) error {
	if err := f.is(protowire.BytesType); err != nil {
		return err
	}
	if !utf8.Valid(f.bytes) {
		return ErrMalformed
	}
	*to = string(f.bytes)
	return nil
}

func (f field) uint32(to *uint32) error {
	*to = uint32(f.varint) // of more bits the lower ones count, as everywhere in protocol buffers
	return f.is(protowire.VarintType)
}

func (f field) uint64(to *uint64) error {
	*to = f.varint
	return f.is(protowire.VarintType)
}

// texts adds one to a repeated field.
func (f field) texts(to *[]string) error {
	f.again = false
	*to = append(*to, "")
	return f.text(&(*to)[len(*to)-1])
}

func (f field) optionalUint32(to **uint32) error {
	*to = new(uint32)
	return f.uint32(*to)
}

func (f field) optionalBool(to **bool) error {
	is := f.varint != 0
	*to = &is
	return f.is(protowire.VarintType)
}

// message takes the fields of a message inside.
func (f field) message(each func(field) error) error {
	if err := f.is(protowire.BytesType); err != nil {
		return err
	}
	return fields(f.bytes, each)
}

// nothing is for a message without fields.
func nothing(field) error { return ErrUnknown }
