package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// systemUnits are where systemd's own targets are, which ours name.
const systemUnits = "/lib/systemd/system"

// verifiable is a root with the installed units, systemd's own targets, and what
// else the units run.
func verifiable(t *testing.T) (root string) {
	t.Helper()
	root = installed(t, "/usr")
	targets, err := filepath.Glob(systemUnits + "/*.target")
	if err != nil || len(targets) == 0 {
		t.Fatalf("no targets in %s (%v); run: scripts/deps.sh test", systemUnits, err)
	}
	for _, path := range append(targets, "/bin/kill") {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(read(t, path)), info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// verify asks systemd-analyze about every unit of ours in a root. It reads nothing
// of the machine's own configuration.
func verify(t *testing.T, root string) (says string, failed bool) {
	t.Helper()
	args := []string{"verify", "--root=" + root, "--man=no"} // the manual pages have a test of their own
	for _, file := range unitFiles(t) {
		if filepath.Ext(file) != ".conf" {
			args = append(args, file)
		}
	}
	output, err := exec.Command("systemd-analyze", args...).CombinedOutput()
	return string(output), err != nil
}

func TestSystemdFindsNothingWrongWithTheUnits(t *testing.T) {
	t.Parallel()
	if says, failed := verify(t, verifiable(t)); says != "" || failed {
		t.Errorf("systemd-analyze verify (failed: %v) says\n%s\nwant nothing", failed, says)
	}
}

// TestSystemdFindsWhatIsWrong: the test above can fail.
func TestSystemdFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, old, new, says string }{
		{"a misspelled directive", "pamhelper@.service", "\nKillMode=", "\nKilMode=", "Unknown key"},
		{"a directive in another section", "pamhelper.socket", "\nAccept=yes", "\nRestart=no\nAccept=yes", "Unknown key"},
		{"an impossible value", "pamhelper.socket", "SocketMode=0660", "SocketMode=0880", "Failed to parse"},
		{"a program that is not installed", "pamhelper-broker.service", "/usr/sbin/pamhelper", "/usr/bin/pamhelper", "is not executable"},
		{"a unit that there is not", "pamhelper-agent.service", "\nRequires=pamhelper.socket", "\nRequires=pamhelper.sock.socket", "not found"},
		{"an unknown system call", "pamhelper-agent.service", "@privileged", "@privileges", "@privileges"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := verifiable(t)
			path := filepath.Join(root, targetOf(c.file))
			text := read(t, path)
			if !strings.Contains(text, c.old) {
				t.Fatalf("%s has no %q to change", c.file, c.old)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(text, c.old, c.new, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			if says, _ := verify(t, root); !strings.Contains(says, c.says) {
				t.Errorf("systemd-analyze verify says\n%s\nwant %q in it", says, c.says)
			}
		})
	}
}

// TestUnitsWithUsersInThemRestrictNothing: whatever it is, the user's shell would
// inherit it.
func TestUnitsWithUsersInThemRestrictNothing(t *testing.T) {
	t.Parallel()
	sandbox := []string{"NoNewPrivileges", "Private", "Protect", "Restrict", "SystemCall", "Capability", "Ambient", "MemoryDeny",
		"LockPersonality", "ReadOnly", "Inaccessible", "RootDirectory", "User=", "DynamicUser", "RuntimeDirectory", "Limit", "UMask",
		"Nice", "OOMScoreAdjust", "Environment", "TemporaryFileSystem", "RemoveIPC"}
	allowed := []string{"RestartPreventExitStatus="}
	units := map[string]string{"pamhelper-broker.service": read(t, "pamhelper-broker.service")}
	const worker = "pamhelper@.service"
	above, below, found := strings.Cut(read(t, worker), "\nEnvironment="+strings.Join(ipc.WorkerEnvironment(), " ")+"\n")
	if !found {
		t.Errorf("%s: no Environment= with %q", worker, ipc.WorkerEnvironment())
	}
	units[worker] = above + "\n" + below // the worker passes none of it on
	for file, text := range units {
		for line := range strings.Lines(text) {
			has := func(prefix string) bool { return strings.HasPrefix(line, prefix) }
			if slices.ContainsFunc(sandbox, has) && !slices.ContainsFunc(allowed, has) {
				t.Errorf("%s: got %q, want nothing that a user's shell would inherit", file, line)
			}
		}
	}
}
