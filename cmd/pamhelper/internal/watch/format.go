package watch

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// format says where the fields of a record are.
type format struct {
	id     uint16 // which the record begins with
	fields map[string]field
}

type field struct {
	offset, size int
	elsewhere    bool // the field says where in the record its text is
}

// fieldLine is, for one, "field:__data_loc char[] user; offset:36; size:4; signed:0;".
var fieldLine = regexp.MustCompile(`field:(.*?)(\w+)(?:\[\d*\])?;\s*offset:(\d+);\s*size:(\d+);`)

func (t tracefs) format(system, event string) (format, error) {
	text, err := os.ReadFile(t.path("events", system, event, "format"))
	if err != nil {
		return format{}, err
	}
	f := format{fields: map[string]field{}}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "ID: "); ok {
			number, err := strconv.ParseUint(strings.TrimSpace(id), 10, 16)
			if err != nil {
				return format{}, fmt.Errorf("format of %s: %w", event, err)
			}
			f.id = uint16(number)
		}
		if m := fieldLine.FindStringSubmatch(line); m != nil {
			offset, _ := strconv.Atoi(m[3])
			size, _ := strconv.Atoi(m[4])
			f.fields[m[2]] = field{offset: offset, size: size, elsewhere: strings.Contains(m[1], "__data_loc")}
		}
	}
	return f, nil
}

// number returns a field as it is in the record, without a sign; 0 if it is not there.
func (f format) number(r record, name string) uint64 {
	at := f.fields[name]
	if at.offset+at.size > len(r.data) {
		return 0
	}
	switch data := r.data[at.offset:]; at.size {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(order.Uint16(data))
	case 4:
		return uint64(order.Uint32(data))
	case 8:
		return order.Uint64(data)
	}
	return 0
}

// text returns a text field up to its NUL; empty if the kernel could not read it.
func (f format) text(r record, name string) string {
	at := f.fields[name]
	if !at.elsewhere {
		return ""
	}
	place := f.number(r, name)
	begin, length := int(place&0xffff), int(place>>16)
	if begin+length > len(r.data) {
		return ""
	}
	text, _, _ := strings.Cut(string(r.data[begin:begin+length]), "\x00")
	return text
}
