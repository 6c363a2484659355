package pamstack

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

// readLines returns "number:text" of each line, then the error if it is one.
func readLines(data string, modern bool) (lines []string, problems []Problem) {
	left := maxLines
	r := lineReader{data: []byte(data), number: 1, modern: modern, left: &left,
		problem: func(_ int, p Problem) { problems = append(problems, p) }}
	for {
		number, text, err := r.next()
		if err == io.EOF {
			return lines, problems
		}
		if err != nil {
			return append(lines, err.Error()), problems
		}
		lines = append(lines, fmt.Sprintf("%d:%s", number, text))
	}
}

func TestLogicalLines(t *testing.T) {
	long := strings.Repeat("x", 1100)
	unfinished, endless := errUnfinished.Error(), errEndless.Error()
	for _, test := range []struct {
		name, data     string
		legacy, modern []string // modern nil: the same
	}{
		{"plain", "a\n\n# c\n b\n", []string{"1:a\n", "4: b\n"}, []string{"1:a\n", "4:b\n"}},
		{"no newline at the end", "a", []string{"1:a"}, nil},
		{"comment after text", "a b#c\nd\n", []string{"1:a b", "2:d\n"}, nil},
		{"comment inside brackets", "a [b#c]\n", []string{"1:a [b"}, nil},
		{"continued", "a \\\nb\\ \t\nc\n", []string{"1:a  b c\n"}, nil},
		{"comment with a backslash", "a # \\\nb\n", []string{"1:a ", "2:b\n"}, nil},
		{"continued over a blank line", "a \\\n\nb\n", []string{"1:a  b\n"}, []string{"1:a  \n", "3:b\n"}},
		{"continued over a comment", "a \\\n# c\nb\n", []string{"1:a  b\n"}, []string{"1:a  ", "3:b\n"}},
		{"file ends inside a line", "a\nb \\\n", []string{"1:a\n", unfinished}, nil},
		{"only a backslash", "\\\n\n", []string{unfinished}, []string{}},
		{"NUL", "a\x00b\nc\n", []string{"1:a", "2:c\n"}, nil},
		{"NUL before a backslash", "a\x00 \\\nb\n", []string{"1:a", "2:b\n"}, []string{"1:a"}},
		{"carriage return", "\r\n", []string{"1:\r\n"}, nil},
		{"long", long + "\nb\n", []string{"1:" + long[:1023], "1:" + long[1023:] + "\n", "2:b\n"}, []string{"1:" + long + "\n", "2:b\n"}},
		{"long comment", "#" + long + "\n", []string{"1:" + long[1022:] + "\n"}, []string{}},
		{"a backslash that just fits", long[:1022] + "\\\nb\n", []string{endless}, []string{"1:" + long[:1022] + " b\n"}},
	} {
		for modern, want := range map[bool][]string{false: test.legacy, true: test.modern} {
			if want == nil {
				want = test.legacy
			}
			if got, _ := readLines(test.data, modern); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
				t.Errorf("%s, modern %v: got %q, want %q", test.name, modern, got, want)
			}
		}
	}
}

func TestReadingNotesWhatHappenedToBytes(t *testing.T) {
	for data, want := range map[string][]Problem{
		strings.Repeat("x", 1023) + "\n":    nil,
		strings.Repeat("x", 1024) + "\n":    {LineCut},
		"a\x00b\n":                          {NULByte},
		"a \\\n# c\nb\n":                    {ContinuedOverBlank},
		"# c\n\n# long " + "c\nauth x y.so": nil,
	} {
		if _, got := readLines(data, false); !reflect.DeepEqual(got, want) {
			t.Errorf("problems of %.20q = %v, want %v", data, got, want)
		}
	}
}
