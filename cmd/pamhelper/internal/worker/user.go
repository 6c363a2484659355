package worker

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// deniedUser reports whether a user may not log in through this helper: the
// unknown one, root by whatever name, and who has its group as the primary one.
// An error is a lookup that failed, which denies nobody but root by name.
func deniedUser(name string) (bool, error) {
	if name == "root" {
		return true, nil
	}
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return u.Uid == "0" || u.Gid == "0", nil
}

// setGroups gives the process the user's groups, which pam_setcred's modules
// add to. A worker that is not root keeps its own.
func setGroups(name string, strict bool) error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil && !strict {
		return nil // the stack may be tried for somebody who does not exist
	}
	if err != nil {
		return refuse("user %q cannot be looked up: %v", name, err)
	}
	if strict && (u.Uid == "0" || u.Gid == "0") {
		return refuse("user %q is root or in its group by now; they do not log in here", name)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return refuse("the groups of %q cannot be looked up: %v", name, err)
	}
	gids := make([]int, 0, len(ids))
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("group %q: %w", id, err)
		}
		gids = append(gids, gid)
	}
	if err := syscall.Setgroups(gids); err != nil {
		return refuse("the groups of %q cannot be set: %v", name, err)
	}
	return nil
}
