package policy

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/pamhelper/pamhelper/proto"
)

// What a setting does is said once, in the comments of the schema.

// comments are those of the schema, by full name, each as one line.
var comments = sync.OnceValue(func() map[protoreflect.FullName]string {
	return readComments(pb.PolicySchema)
})

var (
	opensBlock  = lazily(`^(?:message|enum) (\w+) \{$`)
	namesMember = lazily(`^(?:(?:optional |repeated )?\w+ )?(\w+) = \d+;$`)
)

// readComments reads a schema that is laid out as ours: a line for each thing, and
// its comment right above it.
func readComments(schema string) map[protoreflect.FullName]string {
	found := map[protoreflect.FullName]string{}
	scope := []protoreflect.FullName{pb.File_proto_policy_proto.Package()}
	comment := ""
	for line := range strings.Lines(schema) {
		line = strings.TrimSpace(line)
		if text, isComment := strings.CutPrefix(line, "//"); isComment {
			comment = strings.TrimSpace(comment + text)
			continue
		}
		around := scope[len(scope)-1]
		if m := opensBlock().FindStringSubmatch(line); m != nil {
			around = around.Append(protoreflect.Name(m[1]))
			found[around] = comment
			scope = append(scope, around)
		}
		if m := namesMember().FindStringSubmatch(line); m != nil {
			found[around.Append(protoreflect.Name(m[1]))] = comment
		}
		if line == "}" {
			scope = scope[:len(scope)-1]
		}
		comment = ""
	}
	return found
}

// commentOf says what a field does: what the schema says of the values that it can
// have, of the field, and of the message in it.
func commentOf(fd protoreflect.FieldDescriptor) (paragraphs []string) {
	add := func(text string) {
		if text != "" {
			paragraphs = append(paragraphs, text)
		}
	}
	if ed := fd.Enum(); ed != nil {
		add(comments()[ed.FullName()])
		for _, name := range valuesOf(ed) {
			add(name + ": " + comments()[ed.FullName().Append(protoreflect.Name(name))])
		}
	}
	add(comments()[fd.FullName()])
	if md := fd.Message(); md != nil {
		add(comments()[md.FullName()])
	}
	return paragraphs
}
