package policy

import (
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
	what := "a policy"
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		what = "a directory on the way to a policy"
	}
	if st.Uid != 0 && int(st.Uid) != w.euid {
		return w.problem(full, "belongs to uid %d, and only root may own %s; run: chown root %s", st.Uid, what, shellWord(full))
	}
	if st.Mode&0o022 == 0 {
		return nil
	}
	who := map[uint32]string{0o020: "its group", 0o002: "everybody", 0o022: "its group and everybody"}[st.Mode&0o022]
	if st.Mode&unix.S_ISVTX != 0 && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return w.problem(full, "can be written by %s, who could put another file or directory there; keep the policy elsewhere, such as in %s",
			who, path.Dir(Location))
	}
	return w.problem(full, "can be written by %s, and only root may write %s; run: chmod go-w %s", who, what, shellWord(full))
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
