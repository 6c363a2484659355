package pamstack

import (
	"reflect"
	"testing"
)

func TestTokens(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{"auth required\tpam_unix.so nullok\n", []string{"auth", "required", "pam_unix.so", "nullok"}},
		{"  \t\n", nil},
		{"auth [success=1 default=ignore] x.so", []string{"auth", "success=1 default=ignore", "x.so"}},
		{`[a b] c[d e] [f\]g]`, []string{"a b", "c[d", "e]", "f]g"}},
		{"[]x []", []string{"", "x", ""}},
		{"[open to the end\n", []string{"open to the end\n"}},
		{`[a\b]`, []string{`a\b`}},
		{"pam_unix.so\r", []string{"pam_unix.so\r"}},
	} {
		if got := (&tokens{test.line}).all(); !reflect.DeepEqual(got, test.want) {
			t.Errorf("tokens of %q = %q, want %q", test.line, got, test.want)
		}
	}
}
