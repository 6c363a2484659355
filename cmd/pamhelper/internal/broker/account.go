package broker

import (
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
)

// account is the user that the agent becomes. It is looked up once.
type account struct {
	name        string
	uid, gid    int
	groups      []int // all of them, the primary one too
	home, shell string
}

// lookup asks NSS, and refuses who is root in any way.
func lookup(name string) (account, error) {
	found, err := userprocess.Lookup(name)
	if errors.Is(err, userprocess.ErrUnknown) {
		return account{}, fmt.Errorf("--user %s: there is no such user; make one for the agent: useradd --system %s", name, name)
	}
	if err != nil {
		return account{}, fmt.Errorf("--user: %w", err)
	}
	a := account{name: found.Name, uid: int(found.UID), gid: int(found.GID), home: found.Home, shell: found.Shell}
	if a.groups, err = groupsOf(a); err != nil {
		return account{}, fmt.Errorf("--user %s: its groups cannot be looked up: %w", name, err)
	}
	if a.uid == 0 || slices.Contains(a.groups, 0) {
		return account{}, fmt.Errorf("--user %s has uid 0 or is in the group 0: an agent has no privileges; name another user", name)
	}
	return a, nil
}

func groupsOf(a account) (groups []int, err error) {
	ids, err := (&user.User{Username: a.name, Uid: strconv.Itoa(a.uid), Gid: strconv.Itoa(a.gid)}).GroupIds()
	if err != nil {
		return nil, err
	}
	groups = []int{a.gid}
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", id, err)
		}
		if !slices.Contains(groups, gid) {
			groups = append(groups, gid)
		}
	}
	return groups, nil
}
