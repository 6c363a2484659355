package confine_test

import (
	"os/exec"
	"testing"
)

// The cost of confining, in a process that starts for it: the second is the
// first, and Confine.
func BenchmarkStart(b *testing.B) {
	for name, confined := range map[string]string{"free": "false", "confined": "true"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command(static)
				cmd.Env = []string{startVariable + "=" + confined}
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}

const startVariable = "CONFINE_TEST_START"
