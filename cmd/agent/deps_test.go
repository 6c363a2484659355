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
	"pkg/ipc":             {"proto", "pkg/ipc/wire"},
	"pkg/ipc/wire":        {"proto"},
	"pkg/ipc/names":       {},
	"pkg/ipc/ipctest":     {"proto", "pkg/ipc"},
	"pkg/ipc/terminal":    {"pkg/ipc"},
	"pkg/pamstack":        {},
	"pkg/pamstack/libpam": {"pkg/pamstack"},
	"cmd/agent": {"proto", "pkg/ipc", "pkg/ipc/terminal", "pkg/pamstack", "pkg/pamstack/check",
		"cmd/agent/internal/auth", "cmd/agent/internal/config", "cmd/agent/internal/confine", "cmd/agent/internal/keyfile",
		"cmd/agent/internal/node", "cmd/agent/internal/output", "cmd/agent/internal/preflight",
		"cmd/agent/internal/unread"},
	"cmd/agent/internal/auth": {"pkg/ipc", "cmd/agent/internal/config", "cmd/agent/internal/identity",
		"cmd/agent/internal/journal"},
	"cmd/agent/internal/confine": {},
	"cmd/agent/internal/journal": {},
	"cmd/agent/internal/node": {"pkg/ipc", "cmd/agent/internal/auth", "cmd/agent/internal/journal",
		"cmd/agent/internal/session", "cmd/agent/internal/unread"},
	"cmd/agent/internal/output": {},
	"cmd/agent/internal/session": {"pkg/ipc", "cmd/agent/internal/auth", "cmd/agent/internal/journal",
		"cmd/agent/internal/output", "cmd/agent/internal/unread"},
	"cmd/agent/internal/unread": {},
	"cmd/pamhelper":             {"*"},
	// Of the records a broker only makes the directory.
	"cmd/pamhelper/internal/broker": {"proto", "pkg/ipc", "cmd/pamhelper/internal/policy", "cmd/pamhelper/internal/proc",
		"cmd/pamhelper/internal/record", "cmd/pamhelper/internal/userprocess"},
	"cmd/pamhelper/internal/loginrecord": {},
	"cmd/pamhelper/internal/policy":      {"proto", "pkg/ipc/names", "pkg/ipc/wire"},
	"cmd/pamhelper/internal/policytool": {"proto", "pkg/ipc/names", "pkg/pamstack", "pkg/pamstack/check",
		"cmd/pamhelper/internal/policy", "cmd/pamhelper/internal/stackview"},
	// What a configuration and a certificate mean is known without a login.
	"cmd/agent/internal/config":     {"pkg/ipc/names", "cmd/agent/internal/expression"},
	"cmd/agent/internal/expression": {},
	"cmd/agent/internal/identity":   {},
	"cmd/agent/internal/keyfile":    {},
	"cmd/agent/internal/preflight": {"proto", "pkg/ipc", "pkg/ipc/names", "pkg/pamstack", "pkg/pamstack/check", "cmd/agent/internal/config",
		"cmd/agent/internal/keyfile"},
	"cmd/pamhelper/internal/proc":               {},
	"cmd/pamhelper/internal/record":             {"proto", "pkg/ipc/wire"},
	"cmd/pamhelper/internal/predict":            {"pkg/pamstack", "cmd/pamhelper/internal/stackview"},
	"cmd/pamhelper/internal/show":               {"pkg/pamstack", "cmd/pamhelper/internal/stackview"},
	"cmd/pamhelper/internal/stackview":          {"pkg/ipc", "pkg/pamstack"},
	"cmd/pamhelper/internal/stackview/treetest": {"pkg/pamstack"},
	"cmd/pamhelper/internal/slot":               {"cmd/pamhelper/internal/record"},
	"cmd/pamhelper/internal/sweep":              {"proto", "pkg/ipc", "cmd/pamhelper/internal/record"},
	"cmd/pamhelper/internal/try":                {"pkg/ipc", "pkg/ipc/terminal", "pkg/pamstack", "pkg/pamstack/libpam"},
	"pkg/pamstack/check":                        {"pkg/pamstack"},
	"cmd/pamhelper/internal/check":              {"pkg/pamstack", "pkg/pamstack/check", "cmd/pamhelper/internal/stackview"},
	"cmd/pamhelper/internal/watch":              {"pkg/pamstack", "pkg/pamstack/libpam", "cmd/pamhelper/internal/stackview"},
	"cmd/pamhelper/internal/userprocess":        {"proto", "cmd/pamhelper/internal/proc"},
	"cmd/pamhelper/internal/worker": {"proto", "pkg/ipc", "pkg/ipc/names", "pkg/pamstack", "pkg/pamstack/libpam",
		"cmd/pamhelper/internal/loginrecord", "cmd/pamhelper/internal/policy", "cmd/pamhelper/internal/proc",
		"cmd/pamhelper/internal/record", "cmd/pamhelper/internal/slot", "cmd/pamhelper/internal/userprocess"},
	"cmd/pamhelper/realpam": {},
	// It is also the agent that it measures with.
	"scripts/bench":   {"pkg/ipc"},
	"scripts/systemd": {},
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

// confineModules are the third-party modules that confine the agent: what runs
// before everything else, and with the most to break.
var confineModules = map[string]string{
	"github.com/landlock-lsm/go-landlock":           "Landlock as far as the kernel goes, on all threads",
	"golang.org/x/net":                              "bpf: instructions of the seccomp filter, and the machine that its test runs them on",
	"golang.org/x/sys":                              "system calls",
	"kernel.org/pub/linux/libs/security/libcap/psx": "go-landlock's way to all threads; has C only where cgo is on, and the agent is built without",
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
		if strings.HasPrefix(file, "kernel.org/pub/linux/libs/security/libcap/psx/") {
			continue // see confineModules
		}
		t.Errorf("cmd/agent has C in %s: the agent is built without cgo", file)
	}
}

func TestHelperDependsOnlyOnWhatIsNamed(t *testing.T) {
	dependsOnlyOn(t, "1", "cmd/pamhelper", helperModules)
	for _, pkg := range strings.Fields(listWith(t, "1", "-deps", module+"/cmd/pamhelper")) {
		if slices.Contains(neverInHelper, pkg) {
			t.Errorf("cmd/pamhelper depends on %s: the root side speaks to nobody but its agent", pkg)
		}
	}
}

func TestConfiningDependsOnlyOnWhatIsNamed(t *testing.T) {
	dependsOnlyOn(t, "0", "cmd/agent/internal/confine", confineModules)
}

// dependsOnlyOn holds a package to the modules that are named for it.
func dependsOnlyOn(t *testing.T, cgo, pkg string, named map[string]string) {
	t.Helper()
	seen := map[string]bool{}
	for _, line := range strings.Fields(listWith(t, cgo, "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", module+"/"+pkg)) {
		if line == module {
			continue
		}
		if named[line] == "" && !seen[line] {
			t.Errorf("%s depends on %s, which is not named here with a reason", pkg, line)
		}
		seen[line] = true
	}
	for name := range named {
		if !seen[name] {
			t.Errorf("%s is named here, but %s does not depend on it any more", name, pkg)
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
