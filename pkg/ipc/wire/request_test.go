package wire_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/pamhelper/pamhelper/pkg/ipc/wire"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestDecodeRequestKnowsEveryFieldOfTheSchema(t *testing.T) {
	count := 0
	eachField(&pb.Request{}, func(path string, want proto.Message) {
		count++
		var got pb.Request
		if err := wire.DecodeRequest(marshalled(t, want), &got); err != nil || !proto.Equal(&got, want) {
			t.Errorf("%s: got %v, %v, want %v", path, &got, err, want)
		}
	})
	if count < 40 {
		t.Errorf("%d fields were tried, want all of the schema", count)
	}
}

// anywhere adds bytes to the message in the last field of a request with that field
// alone, wherever it stands, by giving them to the library as unknown ones.
func anywhere(request proto.Message, more protoreflect.RawFields) {
	m := request.ProtoReflect()
	for {
		var inner protoreflect.Message
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case fd.Message() == nil:
			case fd.IsList():
				inner = v.List().Get(v.List().Len() - 1).Message()
			default:
				inner = v.Message()
			}
			return inner == nil
		})
		if inner == nil {
			m.SetUnknown(append(m.GetUnknown(), more...))
			return
		}
		m = inner
	}
}

func TestDecodeRequestRefusesAnUnknownFieldAtEveryPlace(t *testing.T) {
	for name, unknown := range map[string]protoreflect.RawFields{
		"a number":           {0xc0, 0x3e, 1},
		"bytes":              {0xc2, 0x3e, 1, 'a'},
		"of 32 bits":         {0xc5, 0x3e, 1, 2, 3, 4},
		"a group":            {0xc3, 0x3e, 0xc4, 0x3e},
		"a type of its own":  {0x0d, 1, 2, 3, 4}, // field 1, of 32 bits
		"the largest number": protowire.AppendVarint(protowire.AppendTag(nil, protowire.MaxValidNumber, protowire.VarintType), 1),
	} {
		eachField(&pb.Request{}, func(path string, request proto.Message) {
			anywhere(request, unknown)
			err := wire.DecodeRequest(marshalled(t, request), new(pb.Request))
			if !errors.Is(err, wire.ErrUnknown) {
				t.Errorf("%s with %s: got %v, want %v", path, name, err, wire.ErrUnknown)
			}
		})
	}
}

func TestDecodeRequestNamesTheBodyThatIsWrong(t *testing.T) {
	request := &pb.Request{Body: &pb.Request_Begin{Begin: &pb.Begin{}}}
	anywhere(request, protoreflect.RawFields{0xc0, 0x3e, 1})
	err := wire.DecodeRequest(marshalled(t, request), new(pb.Request))
	if want := "Begin with a field this version does not have"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDecodeRequestRefusesWhatIsThereTwice(t *testing.T) {
	hello := marshalled(t, &pb.Request{Body: &pb.Request_Hello{Hello: &pb.Hello{Version: 1}}})
	end := marshalled(t, &pb.Request{Body: &pb.Request_End{End: &pb.End{}}})
	for name, message := range map[string][]byte{
		"a body":        append(bytes.Clone(hello), hello...),
		"another body":  append(bytes.Clone(hello), end...),
		"an empty body": append(bytes.Clone(end), end...),
	} {
		if err := wire.DecodeRequest(message, new(pb.Request)); !errors.Is(err, wire.ErrTwice) {
			t.Errorf("%s: got %v, want %v", name, err, wire.ErrTwice)
		}
	}
	eachField(&pb.Request{}, func(path string, request proto.Message) {
		fd, inner := last(request)
		if fd.IsList() || fd.Message() != nil {
			return
		}
		again := inner.New()
		again.Set(fd, inner.Get(fd))
		inner.SetUnknown(marshalled(t, again.Interface()))
		if err := wire.DecodeRequest(marshalled(t, request), new(pb.Request)); !errors.Is(err, wire.ErrTwice) {
			t.Errorf("%s: got %v, want %v", path, err, wire.ErrTwice)
		}
	})
}

// last is the innermost field that is set in a request of eachField.
func last(request proto.Message) (field protoreflect.FieldDescriptor, m protoreflect.Message) {
	next := request.ProtoReflect()
	for next != nil {
		m, next = next, nil
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			field = fd
			switch {
			case fd.Message() == nil:
			case fd.IsList():
				next = v.List().Get(v.List().Len() - 1).Message()
			default:
				next = v.Message()
			}
			return false
		})
		if next != nil && !next.Descriptor().IsMapEntry() && empty(next) {
			return field, m
		}
	}
	return field, m
}

func empty(m protoreflect.Message) bool {
	is := true
	m.Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		is = false
		return false
	})
	return is
}

func TestDecodeRequestRefusesStringsThatAreNotUTF8(t *testing.T) {
	count := 0
	eachField(&pb.Request{}, func(path string, request proto.Message) {
		wire1 := marshalled(t, request)
		at := bytes.Index(wire1, []byte("text, ä"))
		if at < 0 {
			return
		}
		count++
		wire1[at] = 0xff
		if err := wire.DecodeRequest(wire1, new(pb.Request)); err != wire.ErrMalformed {
			t.Errorf("%s: got %v, want %v", path, err, wire.ErrMalformed)
		}
	})
	if count != 5 {
		t.Errorf("%d strings, want the 5 of the schema", count)
	}
}

func TestDecodeRequestRefusesWhatIsCutOff(t *testing.T) {
	request := &pb.Request{Body: &pb.Request_Begin{Begin: &pb.Begin{
		Service: "sshd", User: []byte("alice"), Variables: []*pb.Variable{{Name: []byte("A"), Value: []byte("b")}},
	}}}
	whole := marshalled(t, request)
	for size := 1; size < len(whole); size++ {
		if err := wire.DecodeRequest(whole[:size], new(pb.Request)); err != wire.ErrMalformed {
			t.Errorf("%d of %d bytes: got %v, want %v", size, len(whole), err, wire.ErrMalformed)
		}
	}
}

func TestDecodeRequestKeepsNothingOfTheBytesItWasGiven(t *testing.T) {
	eachField(&pb.Request{}, func(path string, want proto.Message) {
		var got pb.Request
		message := marshalled(t, want)
		err := wire.DecodeRequest(message, &got)
		clear(message)
		if err != nil || !proto.Equal(&got, want) {
			t.Errorf("%s: got %v, %v, want %v", path, &got, err, want)
		}
	})
}

// What is decoded is what the library makes of it, and what the library writes is
// decoded. The other way round this decoder refuses more.
func FuzzDecodeRequest(f *testing.F) {
	eachField(&pb.Request{}, func(_ string, request proto.Message) {
		f.Add(marshalled(f, request))
		anywhere(request, protoreflect.RawFields{0xc0, 0x3e, 1})
		f.Add(marshalled(f, request))
	})
	f.Add([]byte(strings.Repeat("\x12\x02\x0a\x00", 3)))
	f.Fuzz(func(t *testing.T, message []byte) {
		var got, want pb.Request
		err1, err2 := wire.DecodeRequest(message, &got), proto.Unmarshal(message, &want)
		if err1 == nil && (err2 != nil || !proto.Equal(&got, &want)) {
			t.Errorf("%x: got %v, and the library: %v, %v", message, &got, &want, err2)
		}
		if err2 != nil || err1 == nil {
			return
		}
		if again := marshalled(t, &want); bytes.Equal(again, message) && !errors.Is(err1, wire.ErrUnknown) {
			t.Errorf("%x: got %v, and it is what the library writes for %v", message, err1, &want)
		}
	})
}
