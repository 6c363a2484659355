package ipc_test

import (
	"os"
	"strings"
	"testing"
)

func TestTheReadmesExampleIsTheOneThatRuns(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(readme), "```go\n")
	shown, _, found := strings.Cut(shown, "```")
	if !found || !strings.Contains(string(example), shown) {
		t.Errorf("example_test.go does not have what README.md shows:\n%s", shown)
	}
}
