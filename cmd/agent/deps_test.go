package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pamhelper/pamhelper"

// allowed says which of our packages each of ours may import, beside itself.
var allowed = map[string][]string{
	"proto":               {},
	"pkg/ipc":             {"proto"},
	"pkg/ipc/ipctest":     {"proto", "pkg/ipc"},
	"pkg/ipc/terminal":    {"pkg/ipc"},
	"pkg/pamstack":        {},
	"pkg/pamstack/libpam": {"pkg/pamstack"},
	"cmd/agent": {"proto", "pkg/ipc", "pkg/ipc/terminal", "pkg/pamstack", "pkg/pamstack/check",
		"cmd/agent/internal/config", "cmd/agent/internal/preflight"},
	"cmd/pamhelper":                      {"*"},
	"cmd/pamhelper/internal/loginrecord": {},
	"cmd/pamhelper/internal/policy":      {"proto"},
	"cmd/pamhelper/internal/policytool": {"proto", "pkg/pamstack", "cmd/pamhelper/internal/policy",
		"cmd/pamhelper/internal/stackview"},
	// What a configuration and a certificate mean is known without a login.
	"cmd/agent/internal/config":     {"cmd/agent/internal/expression"},
	"cmd/agent/internal/expression": {},
	"cmd/agent/internal/identity":   {},
	"cmd/agent/internal/keyfile":    {},
	"cmd/agent/internal/preflight": {"proto", "pkg/pamstack", "pkg/pamstack/check", "cmd/agent/internal/config",
		"cmd/agent/internal/keyfile"},
	"cmd/pamhelper/internal/proc":               {},
	"cmd/pamhelper/internal/record":             {"proto"},
	"cmd/pamhelper/internal/predict":            {"pkg/pamstack", "cmd/pamhelper/internal/stackview"},
	"cmd/pamhelper/internal/show":               {"pkg/pamstack", "cmd/pamhelper/internal/stackview"},
	"cmd/pamhelper/internal/stackview":          {"pkg/ipc", "pkg/pamstack"},
	"cmd/pamhelper/internal/stackview/treetest": {"pkg/pamstack"},
	"cmd/pamhelper/internal/sweep":              {"proto", "pkg/ipc", "cmd/pamhelper/internal/record"},
	"cmd/pamhelper/internal/try":                {"pkg/ipc", "pkg/ipc/terminal", "pkg/pamstack", "pkg/pamstack/libpam"},
	"pkg/pamstack/check":                        {"pkg/pamstack"},
	"cmd/pamhelper/internal/check":              {"pkg/pamstack", "pkg/pamstack/check", "cmd/pamhelper/internal/stackview"},
	"cmd/pamhelper/internal/watch":              {"pkg/pamstack", "pkg/pamstack/libpam", "cmd/pamhelper/internal/stackview"},
	"cmd/pamhelper/internal/userprocess":        {"proto", "cmd/pamhelper/internal/proc"},
	"cmd/pamhelper/internal/worker": {"proto", "pkg/ipc", "pkg/pamstack", "pkg/pamstack/libpam",
		"cmd/pamhelper/internal/loginrecord", "cmd/pamhelper/internal/proc", "cmd/pamhelper/internal/record",
		"cmd/pamhelper/internal/userprocess"},
	"cmd/pamhelper/realpam": {},
}

// helperModules are the third-party modules of the root side, each with its
// reason. A new one is a decision about what runs as root.
var helperModules = map[string]string{
	"github.com/msteinert/pam/v2": "the binding to libpam",
	"google.golang.org/protobuf":  "the encoding of the protocol",
	"github.com/spf13/cobra":      "the command line; parsed before a login, never fed by an agent",
	"github.com/spf13/pflag":      "cobra's flags",
	"golang.org/x/sys":            "system calls",
	"golang.org/x/term":           "the terminal of the person who runs try, show or predict",
}

// A network-facing protocol in the root side would be what privilege
// separation is there to prevent.
var neverInHelper = []string{"net/http", "golang.org/x/crypto/ssh", "net/rpc", "crypto/tls"}

func TestPackagesImportOnlyWhatTheirSideMayHave(t *testing.T) {
	packages := strings.Fields(list(t, "-f", "{{.ImportPath}}", module+"/..."))
	for _, pkg := range packages {
		short := strings.TrimPrefix(pkg, module+"/")
		may, known := allowed[short]
		if !known {
			t.Errorf("%s is not in the table of packages: say there what it may import", short)
			continue
		}
		for _, imported := range strings.Fields(list(t, "-f", `{{join .Imports "\n"}}`, pkg)) {
			inner, ours := strings.CutPrefix(imported, module+"/")
			if ours && !slices.Contains(may, inner) && !slices.Contains(may, "*") {
				t.Errorf("%s imports %s, which is on the other side of a fence; it may import %v", short, inner, may)
			}
		}
	}
}

func TestAgentIsFreeOfLibpamAndC(t *testing.T) {
	for _, pkg := range strings.Fields(list(t, "-deps", module+"/cmd/agent")) {
		if pkg == "runtime/cgo" || strings.Contains(pkg, "msteinert/pam") || pkg == module+"/pkg/pamstack/libpam" {
			t.Errorf("cmd/agent depends on %s: the agent is unprivileged and static, PAM modules never load into it", pkg)
		}
	}
	// With cgo on, a package with C in it would be taken along.
	for _, file := range strings.Fields(listWith(t, "1", "-deps", "-f", `{{if not .Standard}}{{range .CgoFiles}}{{$.ImportPath}}/{{.}}{{"\n"}}{{end}}{{end}}`, module+"/cmd/agent")) {
		t.Errorf("cmd/agent has C in %s: the agent is built without cgo", file)
	}
}

func TestHelperDependsOnlyOnWhatIsNamed(t *testing.T) {
	const form = `{{if .Module}}{{.Module.Path}}{{else}}std:{{.ImportPath}}{{end}}`
	seen := map[string]bool{}
	for _, line := range strings.Fields(listWith(t, "1", "-deps", "-f", form, module+"/cmd/pamhelper")) {
		pkg, standard := strings.CutPrefix(line, "std:")
		if slices.Contains(neverInHelper, pkg) {
			t.Errorf("cmd/pamhelper depends on %s: the root side speaks to nobody but its agent", pkg)
		}
		if standard || line == module {
			continue
		}
		seen[line] = true
		if helperModules[line] == "" {
			t.Errorf("cmd/pamhelper depends on %s, which is not named here with a reason", line)
		}
	}
	for name := range helperModules {
		if !seen[name] {
			t.Errorf("%s is named here, but cmd/pamhelper does not depend on it any more", name)
		}
	}
}

func list(t *testing.T, args ...string) string { return listWith(t, "0", args...) }

func listWith(t *testing.T, cgo string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED="+cgo)
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			t.Fatalf("go list %v: %v\n%s", args, err, exit.Stderr)
		}
		t.Fatalf("go list %v: %v", args, err)
	}
	return string(out)
}
