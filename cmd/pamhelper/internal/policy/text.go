package policy

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Text is a policy in text format, with all that it left out filled in, and with
// what each field does where it comes first. Parsed, it is the same policy.
func Text(p *pb.Policy) []byte {
	p = proto.CloneOf(p)
	complete(p)
	w := writer{explained: map[protoreflect.FullName]bool{}}
	w.fields(p.ProtoReflect(), "")
	return w.text.Bytes()
}

// writer writes text format.
type writer struct {
	text      bytes.Buffer
	explained map[protoreflect.FullName]bool
	margin    int // what will be put in front of each line
}

// width is where comments are broken.
const width = 80

func (w *writer) fields(m protoreflect.Message, indent string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !w.explained[fd.FullName()] {
			w.explained[fd.FullName()] = true
			if i > 0 {
				w.text.WriteString("\n")
			}
			for _, paragraph := range commentOf(fd) {
				w.comment(paragraph, indent)
			}
		}
		w.field(m, fd, indent)
	}
}

func (w *writer) field(m protoreflect.Message, fd protoreflect.FieldDescriptor, indent string) {
	value := m.Get(fd)
	switch {
	case fd.IsList() && value.List().Len() == 0:
		fmt.Fprintf(&w.text, "%s# %s: none\n", indent, fd.Name())
	case fd.IsList():
		for i := range value.List().Len() {
			w.value(fd, value.List().Get(i), indent, "")
		}
	case fd.Message() != nil && !m.Has(fd):
		w.leftOut(m, fd, indent)
	case isDefault(m, fd):
		w.value(fd, value, indent, " # default")
	default:
		w.value(fd, value, indent, "")
	}
}

func (w *writer) value(fd protoreflect.FieldDescriptor, value protoreflect.Value, indent, mark string) {
	if fd.Message() != nil {
		fmt.Fprintf(&w.text, "%s%s {%s\n", indent, fd.Name(), mark)
		w.fields(value.Message(), indent+"  ")
		fmt.Fprintf(&w.text, "%s}\n", indent)
		return
	}
	fmt.Fprintf(&w.text, "%s%s: %s%s\n", indent, fd.Name(), scalar(fd, value), mark)
}

// leftOut shows, as a comment, what could be given.
func (w *writer) leftOut(m protoreflect.Message, fd protoreflect.FieldDescriptor, indent string) {
	inner := writer{explained: w.explained, margin: len(indent + "# ")}
	empty := m.NewField(fd)
	completeMessage(empty.Message().Interface())
	inner.value(fd, empty, "", " # left out")
	for line := range strings.Lines(inner.text.String()) {
		w.text.WriteString(strings.TrimRight(indent+"# "+line, " \n") + "\n")
	}
}

// scalar is a value as the text format has it. All that is not ASCII or cannot be
// printed is escaped, which Go and the text format do alike.
func scalar(fd protoreflect.FieldDescriptor, value protoreflect.Value) string {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return strconv.QuoteToASCII(value.String())
	case protoreflect.EnumKind:
		return string(fd.Enum().Values().ByNumber(value.Enum()).Name())
	}
	return fmt.Sprint(value.Interface())
}

// isDefault says whether leaving a field out would give it the value that it has.
func isDefault(m protoreflect.Message, fd protoreflect.FieldDescriptor) bool {
	without := proto.Clone(m.Interface())
	without.ProtoReflect().Clear(fd)
	completeMessage(without)
	return fd.HasPresence() && without.ProtoReflect().Get(fd).Equal(m.Get(fd))
}

// comment writes a paragraph.
func (w *writer) comment(paragraph, indent string) {
	line := indent + "#"
	for word := range strings.FieldsSeq(paragraph) {
		if w.margin+len(line)+1+len(word) > width && line != indent+"#" {
			w.text.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	w.text.WriteString(line + "\n")
}
