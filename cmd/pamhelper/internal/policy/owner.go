package policy

import (
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// An access control list needs no look of its own: where one gives more, the group's
// bits of the mode show its mask, and a mask with w is refused.

// owned says why others than root can change what has been opened, or nil.
func (w *walk) owned(f *os.File, full string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return w.problem(full, "cannot be looked at: %v", err)
	}
	who, may, command := "", "", ""
	switch {
	case st.Uid != 0 && int(st.Uid) != w.euid:
		who, may, command = fmt.Sprintf("belongs to uid %d", st.Uid), "own", "chown root"
	case st.Mode&0o022 != 0:
		writers := map[uint32]string{0o020: "its group", 0o002: "everybody", 0o022: "its group and everybody"}
		who, may, command = "can be written by "+writers[st.Mode&0o022], "write", "chmod go-w"
	default:
		return nil
	}
	what := "a policy"
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		what = "a directory on the way to a policy"
		if !isAbove(full, Location) {
			// Somebody's home, or /tmp, is to stay as it is.
			return w.problem(full, "%s, who could put another file or directory there; keep the policy elsewhere, such as in %s",
				who, path.Dir(Location))
		}
	}
	return w.problem(full, "%s, and only root may %s %s; run: %s %s", who, may, what, command, shellWord(full))
}

// isAbove reports whether a directory is on the way to a file.
func isAbove(dir, file string) bool {
	return strings.HasPrefix(file, strings.TrimSuffix(dir, "/")+"/")
}

// shellWord is a path as a shell takes it.
func shellWord(full string) string {
	plain := func(r rune) bool {
		return !strings.ContainsRune("/._-+@:", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if strings.IndexFunc(full, plain) < 0 {
		return full
	}
	return oneLine("'" + strings.ReplaceAll(full, "'", `'\''`) + "'")
}
