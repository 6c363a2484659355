package worker

import (
	"fmt"
	"os"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
)

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
	if w.debug == nil {
		if denial := w.usersRule().judgeIDs(a); denial != "" {
			return userprocess.Passwd{}, fmt.Errorf("user %q gets no processes: %s", a.Name, denial)
		}
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
	gids, err := a.Groups()
	if err != nil {
		return refuse("%v", err)
	}
	if err := userprocess.SetGroups(gids); err != nil {
		return refuse("the groups of %q cannot be set: %v", name, err)
	}
	return nil
}
