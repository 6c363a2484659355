package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc/names"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Each entry is tried as a name it means, by longer and by shorter prefixes.
func TestEveryNeverEntryIsRefusedHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	for e := range names.Never.All() {
		prefix, open := strings.CutSuffix(e.Name, "*")
		wantNever(t, "variable", prefix, names.Never)
		wantNever(t, "module_getenv", prefix, names.Never)
		if open {
			wantNever(t, "variable", prefix+"X", names.Never)
			wantNever(t, "variable", strings.TrimSuffix(prefix, "_")+"_*", names.Never)
			wantNever(t, "variable", prefix+"XABCD_*", names.Never)
		}
		for shorter := range prefixes(prefix) {
			if letters(shorter) >= leastLetters {
				wantNever(t, "variable", shorter+"*", names.Never)
			}
		}
	}
	for e := range names.NeverOfClients.All() {
		prefix, open := strings.CutSuffix(e.Name, "*")
		wantNever(t, "client_variables", prefix, names.NeverOfClients)
		if open {
			wantNever(t, "client_variables", prefix+"X", names.NeverOfClients)
			wantNever(t, "client_variables", prefix+"X*", names.NeverOfClients)
		}
		for i := 1; i <= len(prefix); i++ {
			wantNever(t, "client_variables", prefix[:i]+"*", names.NeverOfClients)
		}
	}
}

// prefixes are the beginnings of a name that end before a word of it.
func prefixes(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i, r := range name {
			if r == '_' && i > 0 && !yield(name[:i+1]) {
				return
			}
		}
	}
}

// wantNever wants a name or pattern refused in the file, and each name of it that
// the list means not admitted where a policy that was not read from a file has it.
func wantNever(t *testing.T, field, pattern string, l names.List) {
	t.Helper()
	written := fmt.Sprintf("%s: %q", field, pattern)
	if field == "client_variables" {
		written = fmt.Sprintf("client_variables { name: %q }", pattern)
	}
	if field == "module_getenv" && pattern == names.WorkersOwn {
		return // the worker sets it
	}
	_, err := Parse([]byte(inService(written)), "F")
	if err == nil || !strings.Contains(err.Error(), "never admitted: ") {
		t.Errorf("%s: got %v, want that it is never admitted", written, err)
	}
	e := l.Entry(pattern)
	if e == nil {
		t.Errorf("%s is not on the list", pattern)
		return
	}
	s := &pb.Service{Variable: []string{pattern, e.Name}, ClientVariables: &pb.Names{Name: []string{pattern, e.Name}}}
	name := strings.TrimSuffix(e.Name, "*")
	admits := AdmitsVariable
	if field == "client_variables" {
		admits = AdmitsClientVariable
	}
	for _, meant := range []string{name, name + "X"} {
		if l.Entry(meant) != nil && admits(s, meant) {
			t.Errorf("%s is admitted, by a service with %s", meant, pattern)
		}
	}
}

func TestVariablesOfTheAgentAreAdmittedByName(t *testing.T) {
	t.Parallel()
	s := &pb.Service{Variable: []string{"SITE_*", "ROLE", "PATH", "LD_*"}}
	for name, want := range map[string]bool{
		"SITE_A": true, "SITE_": true, "ROLE": true, "TELEPORT_USERNAME": true, "TELEPORT_ROLES": true,
		"SITE": false, "SITES_A": false, "ROLES": false, "TELEPORT_LOGIN": false, "PATH": false, "LD_PRELOAD": false,
		"": false, "SITE_a": false, "SITE_A=B": false, "SITE_\x00": false, "SITE_*": false, "SITE_A\n": false, "role": false,
	} {
		if got := AdmitsVariable(s, name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
	if AdmitsVariable(nil, "ROLE") || !AdmitsVariable(nil, "TELEPORT_ROLES") {
		t.Error("without a service: want TELEPORT_ROLES admitted alone")
	}
}

func TestVariablesOfClientsAreAdmittedByName(t *testing.T) {
	t.Parallel()
	byDefault, listed := Builtin().Service[0], &pb.Service{ClientVariables: &pb.Names{Name: []string{"a*", "B", "PATH", "*"}}}
	for _, test := range []struct {
		service *pb.Service
		name    string
		want    bool
	}{
		{byDefault, "LANG", true}, {byDefault, "LC_ALL", true}, {byDefault, "LC_", true}, {byDefault, "SSH_CLIENT", true},
		{byDefault, "SSH_CONNECTION", true}, {byDefault, "LANGUAGE", false}, {byDefault, "TZ", false}, {byDefault, "LC_A=B", false},
		{byDefault, "LC_\x00", false}, {byDefault, "LC_ALL\n", false}, {byDefault, "", false}, {byDefault, "PATH", false},
		{listed, "abc", true}, {listed, "a", true}, {listed, "B", true}, {listed, "PATH", false}, {listed, "LD_PRELOAD", false},
		{listed, "BASH_ENV", false}, {listed, "BASH_FUNC_x%%", false}, {nil, "LANG", false},
		{&pb.Service{ClientVariables: &pb.Names{}}, "LANG", false},
	} {
		if got := AdmitsClientVariable(test.service, test.name); got != test.want {
			t.Errorf("%q with %v: got %v, want %v", test.name, test.service.GetClientVariables(), got, test.want)
		}
	}
}
