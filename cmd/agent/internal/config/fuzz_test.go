package config

import (
	"errors"
	"os"
	"testing"
)

// Any file is a configuration or has problems, each with a place in the file.
func FuzzConfig(f *testing.F) {
	for _, file := range []string{"testdata/guide.yaml", "../../agent.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		"", "a: &a [*a]\n", "ssh_service: {<<: *a, pam: !!map {}}\n", "? a\n: b\n", "---\n---\n", "a: |\n  b\n", "ssh_service: {pam: {environment: {A: }}}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("agent.yaml", data)
		var problems Problems
		if err != nil && (c != nil || !errors.As(err, &problems)) {
			t.Fatalf("got %v and %v, want one configuration or problems", c, err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Text == "" {
				t.Errorf("got %v, want a place and a text", p)
			}
		}
		if err == nil {
			c.Ready()
			c.SSH.PAM.Values(nil)
		}
	})
}
