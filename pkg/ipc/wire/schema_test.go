package wire_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// depth is how often a message inside itself is filled: a Decision has one behind it.
const depth = 3

// eachField calls visit for each field at each place of a message, with a message in
// which that field alone is set, and all that it stands in, to a value that is not its
// default.
func eachField(m proto.Message, visit func(path string, whole proto.Message)) {
	var within func(path string, md protoreflect.MessageDescriptor, level int, build func() (proto.Message, protoreflect.Message))
	within = func(path string, md protoreflect.MessageDescriptor, level int, build func() (proto.Message, protoreflect.Message)) {
		for i := range md.Fields().Len() {
			fd := md.Fields().Get(i)
			inside := func() (proto.Message, protoreflect.Message) {
				whole, outer := build()
				return whole, set(outer, fd)
			}
			whole, _ := inside()
			visit(path+"."+string(fd.Name()), whole)
			if fd.Message() != nil && level < depth {
				within(path+"."+string(fd.Name()), fd.Message(), level+1, inside)
			}
		}
	}
	r := m.ProtoReflect()
	within(string(r.Descriptor().Name()), r.Descriptor(), 0, func() (proto.Message, protoreflect.Message) {
		fresh := r.New()
		return fresh.Interface(), fresh
	})
}

// set sets a field, a repeated one to two values, and returns the last message in it.
func set(m protoreflect.Message, fd protoreflect.FieldDescriptor) protoreflect.Message {
	switch {
	case fd.IsList() && fd.Message() != nil:
		m.Mutable(fd).List().AppendMutable()
		return m.Mutable(fd).List().AppendMutable().Message()
	case fd.IsList():
		m.Mutable(fd).List().Append(valueOf(fd))
		m.Mutable(fd).List().Append(valueOf(fd))
	case fd.Message() != nil:
		return m.Mutable(fd).Message()
	default:
		m.Set(fd, valueOf(fd))
	}
	return nil
}

func valueOf(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("text, ä")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("bytes, \xff\x00"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(fd.Enum().Values().Get(fd.Enum().Values().Len() - 1).Number())
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(1<<32 - 2)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(1<<64 - 2)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-2)
	}
	panic("a kind that the schema did not have: " + fd.Kind().String())
}

// fill sets everything in a message at once. Of a oneof the last is left.
func fill(m protoreflect.Message, level int) {
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		if inner := set(m, fd); inner != nil && level < depth {
			fill(inner, level+1)
		}
	}
}

func marshalled(t testing.TB, m proto.Message) []byte {
	t.Helper()
	bytes, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}
