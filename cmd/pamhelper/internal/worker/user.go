package worker

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
)

// deniedUser reports whether a user may not log in through this helper: the
// unknown one, root by whatever name, and who has its group as the primary one.
// An error is a lookup that failed, which denies nobody but root by name.
func deniedUser(name string) (bool, error) {
	if name == "root" {
		return true, nil
	}
	a, err := userprocess.Lookup(name)
	if errors.Is(err, userprocess.ErrUnknown) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return a.IsRoot(), nil
}

// passwdOfSession is the account that the processes of this session get. It is
// looked up when the first one starts, and stays.
func (w *worker) passwdOfSession() (userprocess.Passwd, error) {
	if w.passwd.Name != "" {
		return w.passwd, nil
	}
	a, err := userprocess.Lookup(w.tx.User())
	if err != nil {
		return userprocess.Passwd{}, fmt.Errorf("user %q: %w", w.tx.User(), err)
	}
	if w.debug == nil && a.IsRoot() {
		return userprocess.Passwd{}, fmt.Errorf("user %q is root or in its group by now; they get no processes here", a.Name)
	}
	if euid := os.Geteuid(); euid != 0 && int(a.UID) != euid {
		return userprocess.Passwd{}, fmt.Errorf("the helper runs with uid %d and cannot become user %q, uid %d", euid, a.Name, a.UID)
	}
	if w.record != nil {
		w.record.Uid = a.UID
	}
	w.passwd = a
	return a, nil
}

// setGroups gives the process the user's groups, which pam_setcred's modules
// add to. A worker that is not root keeps its own.
func setGroups(name string, strict bool) error {
	if os.Geteuid() != 0 {
		return nil
	}
	a, err := userprocess.Lookup(name)
	if err != nil && !strict {
		return nil // the stack may be tried for somebody who does not exist
	}
	if err != nil {
		return refuse("user %q cannot be looked up: %v", name, err)
	}
	if strict && a.IsRoot() {
		return refuse("user %q is root or in its group by now; they do not log in here", name)
	}
	ids, err := (&user.User{Username: name, Uid: strconv.Itoa(int(a.UID)), Gid: strconv.Itoa(int(a.GID))}).GroupIds()
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
