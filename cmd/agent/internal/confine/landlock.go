package confine

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// level is the newest Landlock that the rules below are written for. A newer
// kernel restricts no more than this: a higher level is a change here, and of
// landlockLevels.
var level = landlock.V11

// rulesOf are the rules that Landlock enforces. There are none for the network:
// nothing may be bound, nothing connected to.
func rulesOf(c Config) ([]landlock.Rule, error) {
	for _, dir := range append(append([]string{}, c.ReadDirs...), c.SocketDirs...) {
		if err := checkDir(dir); err != nil {
			return nil, err
		}
	}
	return []landlock.Rule{
		landlock.PathAccess(llsys.AccessFSReadFile|llsys.AccessFSReadDir, c.ReadDirs...),
		landlock.PathAccess(llsys.AccessFSResolveUnix, c.SocketDirs...),
	}, nil
}

// restrictFiles enforces the rules on all threads, as far as the kernel can.
func restrictFiles(rules []landlock.Rule) error {
	if err := level.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return nil
}

// landlockLevels are the protections of Landlock that a later version brought,
// and what else prevents the thing on a kernel without it. They are said in the
// words of what stays open. (Version 2 brought a permission, no protection: before
// it, files cannot be moved between directories at all. 7, 8 and 11 are about
// logs, threads and new privileges.)
var landlockLevels = []struct {
	abi      int
	open     string
	closedBy string
	// connects: only for an agent that connects to nothing.
	connects bool
}{
	{1, "reading files outside of the agent's directories", "", false},
	{1, "writing, making and removing files", bySeccomp, false},
	{3, "truncating files", bySeccomp, false},
	{4, "new TCP connections and ports", bySeccomp, false},
	{4, "connecting an accepted TCP connection elsewhere", bySeccomp, true},
	{5, "other ioctls on devices", bySeccomp, false},
	{6, "connecting to abstract unix sockets of others", bySeccomp, true},
	{6, "signals to others", bySeccomp, false},
	{9, "connecting to unix sockets outside of the agent's directories", bySeccomp, true},
	{10, "UDP", bySeccomp, false},
}

const bySeccomp = "seccomp"

// kernelLandlock is what the kernel offers.
type kernelLandlock struct {
	abi int
	// scopeBug: a kernel with version 6 or more whose scopes break signals inside
	// the process. The library does not use the scopes of such a kernel.
	scopeBug bool
	// off is why there is none.
	off string
}

// landlockOfKernel asks the running kernel.
func landlockOfKernel() kernelLandlock {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errno == unix.EOPNOTSUPP:
		return kernelLandlock{off: "Landlock to be enabled at boot (lsm=landlock,…)"}
	case errno != 0:
		return kernelLandlock{off: "Landlock (CONFIG_SECURITY_LANDLOCK, Linux 5.13)"}
	}
	kernel := kernelLandlock{abi: int(abi)}
	if kernel.abi >= 6 {
		fd, _, err := landlock.V6.NewRulesetFD()
		if err != nil {
			kernel.scopeBug = true
			return kernel
		}
		unix.Close(fd)
	}
	return kernel
}

// usable is the version that the library uses on this kernel.
func (k kernelLandlock) usable() int {
	if k.scopeBug {
		return 5
	}
	return k.abi
}

// lacks tells what stays open, given whether system calls are limited, and whether
// the agent connects to a helper.
func (k kernelLandlock) lacks(seccomp, connects bool) []Lack {
	var lacks []Lack
	for _, l := range landlockLevels {
		if k.usable() >= l.abi {
			continue
		}
		lack := Lack{Protection: "landlock", Open: l.open, Needs: k.needs(l.abi)}
		if seccomp && !(l.connects && connects) {
			lack.ClosedBy = l.closedBy
		}
		lacks = append(lacks, lack)
	}
	return lacks
}

func (k kernelLandlock) needs(abi int) string {
	switch {
	case k.off != "":
		return k.off
	case abi <= k.abi:
		return "a kernel whose Landlock is mended (erratum 2)"
	}
	return fmt.Sprintf("Landlock ABI %d; the kernel has %d", abi, k.abi)
}
