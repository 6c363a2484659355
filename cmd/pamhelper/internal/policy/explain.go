package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/pamhelper/pamhelper/proto"
)

// parserError takes an error of prototext apart. The space behind "proto:" is
// sometimes one that does not break: nobody is to rely on the text. A text that is
// not like this is shown as it is.
var parserError = lazily(`^proto:[ \x{a0}](syntax error )?\(line (\d+):(\d+)\): (?s:(.*))$`)

var identifier = lazily(`^[\pL_][\pL\pN_]*$`)

// explain says what a parser's error means for the policy.
func (p places) explain(err error, name string) error {
	m := parserError().FindStringSubmatch(err.Error())
	if m == nil {
		return p.unplaced(err, name)
	}
	line, _ := strconv.Atoi(m[2])
	column, _ := strconv.Atoi(m[3])
	return &Problem{Name: name, Line: line, Column: column, Text: p.meaning(offsetOf(p.text, line, column), m[4])}
}

// unplaced is for errors without a place: the end of the text in the middle of
// something.
func (p places) unplaced(err error, name string) error {
	text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
	if strings.Contains(text, "unexpected EOF") {
		line, column := position(p.text, len(p.text))
		return &Problem{Name: name, Line: line, Column: column, Text: "the file ends in the middle; a value, a quote or a closing } is missing"}
	}
	return &Problem{Name: name, Text: printable(text)}
}

// meaning is an error at an offset in words of the schema, or the parser's.
func (p places) meaning(offset int, text string) string {
	if fd := p.values[offset]; fd != nil {
		if fd.Kind() == protoreflect.StringKind && strings.ContainsRune("\"'", rune(p.text[offset])) {
			return fmt.Sprintf("the text of %s is not right: %s", fd.Name(), printable(text))
		}
		return fmt.Sprintf("%s wants %s, not %s", fd.Name(), wanted(fd), tokenAt(p.text, offset))
	}
	md, token := p.messages[offset], tokenAt(p.text, offset)
	switch {
	case token == "/":
		return "not text format; a comment begins with #"
	case token == "]":
		return "a value is missing before the ]; remove the comma"
	}
	if md == nil || !identifier().MatchString(token) {
		return "not text format: " + printable(text)
	}
	fd := md.Fields().ByTextName(token)
	switch {
	case fd == nil:
		return unknownField(md, token)
	case strings.Contains(text, "is repeated"), strings.Contains(text, "is already set"):
		return fmt.Sprintf("%s is given twice; leave one", token)
	case strings.Contains(text, "missing field separator"):
		return fmt.Sprintf("%s needs a : before its value", token)
	}
	return "not text format: " + printable(text)
}

// tokenAt shows what stands at an offset, shortened.
func tokenAt(text []byte, offset int) string {
	s := scanner{text: text, offset: offset}
	_, token := s.next()
	if token == "" {
		return "the end of the file"
	}
	return printable(token)
}

// wanted says what a field takes.
func wanted(fd protoreflect.FieldDescriptor) string {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return "true or false"
	case protoreflect.Uint32Kind:
		return "a whole number from 0 to 4294967295"
	case protoreflect.StringKind:
		return `a text in UTF-8 and in quotes`
	case protoreflect.EnumKind:
		return strings.Join(valuesOf(fd.Enum()), " or ")
	}
	return "{ and its fields"
}

func valuesOf(ed protoreflect.EnumDescriptor) (names []string) {
	for i := range ed.Values().Len() {
		names = append(names, string(ed.Values().Get(i).Name()))
	}
	return names
}

// unknownField names what may have been meant: a field that is written almost like
// it, or the place of a field that is written like it.
func unknownField(md protoreflect.MessageDescriptor, name string) string {
	unknown := fmt.Sprintf("unknown field %s", name)
	if md.Parent() == md.ParentFile() && md.Name() != "Policy" {
		unknown += " in " + fieldOf(md)
	}
	fields := fieldsOf(md)
	if near := nearest(name, fields); near != "" {
		return unknown + "; is " + near + " meant?"
	}
	if near := nearest(name, allFields()); near != "" {
		return unknown + "; " + near + " is a field of " + strings.Join(messagesWith(near), " and of ")
	}
	return unknown + "; there are " + strings.Join(fields, ", ")
}

func fieldsOf(md protoreflect.MessageDescriptor) (names []string) {
	for i := range md.Fields().Len() {
		names = append(names, string(md.Fields().Get(i).Name()))
	}
	return names
}

// fieldOf is the name of the field that a message stands in, which is what an
// administrator sees of it.
func fieldOf(md protoreflect.MessageDescriptor) string {
	for fd := range schemaFields() {
		if fd.Message() == md {
			return string(fd.Name())
		}
	}
	return "the policy"
}

// allFields are the names of all fields that a policy can have.
func allFields() (names []string) {
	for fd := range schemaFields() {
		names = append(names, string(fd.Name()))
	}
	return names
}

// messagesWith are the fields that have a field of that name in them.
func messagesWith(name string) (places []string) {
	for fd := range schemaFields() {
		if string(fd.Name()) == name {
			places = append(places, fieldOf(fd.ContainingMessage()))
		}
	}
	return places
}

// schemaFields goes through all fields that a policy can have, at any depth.
func schemaFields() func(yield func(protoreflect.FieldDescriptor) bool) {
	return func(yield func(protoreflect.FieldDescriptor) bool) {
		messages := []protoreflect.MessageDescriptor{(&pb.Policy{}).ProtoReflect().Descriptor()}
		for i := 0; i < len(messages); i++ {
			fields := messages[i].Fields()
			for k := range fields.Len() {
				fd := fields.Get(k)
				if !yield(fd) {
					return
				}
				if fd.Message() != nil && !slices.Contains(messages, fd.Message()) {
					messages = append(messages, fd.Message())
				}
			}
		}
	}
}

// nearest returns the name that is at most two changes of a letter, or one in three
// letters, away; "" for none.
func nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(name, n); d < least && d < len(n) {
			best, least = n, d
		}
	}
	return best
}

// distance counts the letters to put in, take out or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for k := range row {
		row[k] = k
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for k := range len(b) {
			change := corner
			if a[i] != b[k] {
				change++
			}
			corner = row[k+1]
			row[k+1] = min(change, row[k]+1, row[k+1]+1)
		}
	}
	return row[len(b)]
}
