package realpam_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// threatModel is the part of the README that says which test shows what.
const threatModel = "### What a taken-over agent cannot do, and which test shows it"

// TestTheThreatModelNamesTestsThatExist: and all of those that try what a taken-over
// agent would.
func TestTheThreatModelNamesTestsThatExist(t *testing.T) {
	_, section, found := strings.Cut(readFile(t, "../../../README.md"), "\n"+threatModel+"\n")
	if !found {
		t.Fatalf("README.md has no part %q", threatModel)
	}
	section, _, _ = strings.Cut(section, "\n#")
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(section, -1)
	exist := testsOf(t, "../../..", "_test.go")
	var names []string
	for _, n := range named {
		names = append(names, n[1])
		if !slices.Contains(exist, n[1]) {
			t.Errorf("README.md names the test %s, which does not exist", n[1])
		}
	}
	for name, table := range tables {
		if !slices.Contains(names, "TestATakenOverAgent"+name) {
			t.Errorf("README.md does not name TestATakenOverAgent%s, with its %d attacks", name, len(table))
		}
		for _, a := range table {
			t.Logf("TestATakenOverAgent%s\t%s", name, a.name) // go test -v: the list
		}
	}
}

// testsOf are the names of the tests below a directory, in files with a part of a name.
func testsOf(t *testing.T, dir, part string) (names []string) {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || !strings.Contains(filepath.Base(path), part) {
			return err
		}
		for _, found := range declared.FindAllStringSubmatch(readFile(t, path), -1) {
			names = append(names, found[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestEveryAttackIsOfItsOwnNameAndSaysWhatItWants: two of one name would be one.
func TestEveryAttackIsOfItsOwnNameAndSaysWhatItWants(t *testing.T) {
	for name, table := range tables {
		seen := map[string]bool{}
		for _, a := range table {
			if seen[a.name] || a.do == nil || a.wants == "" {
				t.Errorf("%s: attack %q is there twice, or has nothing to do or to want", name, a.name)
			}
			seen[a.name] = true
		}
	}
}
