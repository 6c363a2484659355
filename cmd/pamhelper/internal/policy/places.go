// Where in a policy's text what stands. The parser of the text format says it for
// its own errors only.

package policy

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/pamhelper/pamhelper/proto"
)

// places are offsets in a text. Of a text that the parser refuses they go at least
// as far as the error.
type places struct {
	text []byte
	// at has the value of a field, by its path: "service[0].tty".
	at map[string]int
	// values are the fields whose value stands at an offset, messages those that
	// the name at an offset is to be a field of.
	values   map[int]protoreflect.FieldDescriptor
	messages map[int]protoreflect.MessageDescriptor
}

func findPlaces(text []byte) places {
	s := scanner{text: text, places: places{
		text:     text,
		at:       map[string]int{},
		values:   map[int]protoreflect.FieldDescriptor{},
		messages: map[int]protoreflect.MessageDescriptor{},
	}}
	s.message((&pb.Policy{}).ProtoReflect().Descriptor(), "", 0)
	return s.places
}

// scanner goes through text format, by the grammar of
// https://protobuf.dev/reference/protobuf/textformat-spec as far as the schema
// needs it. It judges nothing: at what it does not expect it ends.
type scanner struct {
	text   []byte
	offset int
	places places
}

// message goes through fields up to the closing character, 0 for the end of the
// text, and reports whether it came there.
func (s *scanner) message(md protoreflect.MessageDescriptor, path string, closing byte) bool {
	count := map[protoreflect.Name]int{}
	for {
		at, token := s.next()
		switch {
		case token == "":
			return closing == 0
		case token[0] == closing:
			return true
		case token == "," || token == ";":
			continue
		}
		s.places.messages[at] = md
		fd := md.Fields().ByTextName(token)
		if fd == nil || !s.field(fd, path+string(fd.Name()), count) {
			return false
		}
	}
}

// field goes through the value of a field, or the values in a list.
func (s *scanner) field(fd protoreflect.FieldDescriptor, path string, count map[protoreflect.Name]int) bool {
	s.skip(":")
	if !fd.IsList() {
		return s.value(fd, path)
	}
	inList := s.skip("[")
	for {
		if inList && s.skip("]") {
			return true
		}
		n := count[fd.Name()]
		count[fd.Name()]++
		if !s.value(fd, fmt.Sprintf("%s[%d]", path, n)) {
			return false
		}
		if !inList {
			return true
		}
		s.skip(",")
	}
}

func (s *scanner) value(fd protoreflect.FieldDescriptor, path string) bool {
	at, token := s.next()
	if token == "" {
		return false
	}
	s.places.values[at] = fd
	if _, twice := s.places.at[path]; !twice {
		s.places.at[path] = at
	}
	if fd.Kind() != protoreflect.MessageKind {
		return s.rest(token)
	}
	switch token {
	case "{":
		return s.message(fd.Message(), path+".", '}')
	case "<":
		return s.message(fd.Message(), path+".", '>')
	}
	return false
}

// rest goes to the end of a scalar: strings that follow each other are one, and a
// sign may stand apart.
func (s *scanner) rest(token string) bool {
	switch {
	case token[0] == '"' || token[0] == '\'':
		for {
			before := s.offset
			_, token := s.next()
			if token == "" || token[0] != '"' && token[0] != '\'' {
				s.offset = before
				return true
			}
		}
	case token == "-":
		_, token = s.next()
	}
	return token != "" && isWord(token[0])
}

// skip goes over a token where it comes next.
func (s *scanner) skip(want string) bool {
	before := s.offset
	if _, token := s.next(); token == want {
		return true
	}
	s.offset = before
	return false
}

// next returns the next token and its offset, "" at the end.
func (s *scanner) next() (int, string) {
	s.offset += blank(s.text[s.offset:])
	at, text := s.offset, s.text[s.offset:]
	size := 0
	switch {
	case len(text) == 0:
	case text[0] == '"' || text[0] == '\'':
		size = quotedSize(text)
	default:
		for size < len(text) && isWord(text[size]) {
			size++
		}
		size = max(size, 1)
	}
	s.offset += size
	return at, string(text[:size])
}

// blank is the size of the spaces and comments at the beginning.
func blank(text []byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
		case '#':
			end := bytes.IndexByte(text[i:], '\n')
			if end < 0 {
				return len(text)
			}
			i += end
		default:
			return i
		}
	}
	return len(text)
}

// quotedSize is the size of the string at the beginning, with its quotes.
func quotedSize(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}

func isWord(b byte) bool {
	return b == '_' || b == '.' || b == '+' || b == '-' || b >= utf8.RuneSelf ||
		'0' <= b && b <= '9' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z'
}

// position returns the line and the column, in characters, of an offset.
func position(text []byte, offset int) (line, column int) {
	before := text[:offset]
	line = bytes.Count(before, []byte("\n")) + 1
	return line, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
}

// offsetOf is the reverse of position.
func offsetOf(text []byte, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		offset += bytes.IndexByte(text[offset:], '\n') + 1
	}
	for ; column > 1 && offset < len(text); column-- {
		_, size := utf8.DecodeRune(text[offset:])
		offset += size
	}
	return offset
}
