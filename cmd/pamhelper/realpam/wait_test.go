package realpam_test

import (
	"testing"
	"time"
)

const (
	patience  = 20 * time.Second // before something that has to happen is given up
	pollEvery = 2 * time.Millisecond
)

// eventually polls until the condition holds, and fails with what was wanted.
func eventually(t *testing.T, condition func() bool, wanted string, args ...any) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(pollEvery) {
		if time.Now().After(deadline) {
			t.Fatalf("did not come in %s: "+wanted, append([]any{patience}, args...)...)
		}
	}
}
