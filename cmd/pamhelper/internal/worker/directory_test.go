package worker

import (
	"errors"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
)

// fakeDirectory has the users and groups of a test.
type fakeDirectory struct {
	users   map[string]userprocess.Passwd
	groups  map[string]uint32
	members map[uint32][]uint32 // ids of groups, by uid
	broken  map[string]bool     // nobody knows
}

var _ directory = (*fakeDirectory)(nil)

var errNoServer = errors.New("the server does not answer")

func (d *fakeDirectory) User(name string) (userprocess.Passwd, error) {
	if d.broken[name] {
		return userprocess.Passwd{}, errNoServer
	}
	a, ok := d.users[name]
	if !ok {
		return userprocess.Passwd{}, userprocess.ErrUnknown
	}
	return a, nil
}

func (d *fakeDirectory) Group(name string) (uint32, error) {
	if d.broken[name] {
		return 0, errNoServer
	}
	gid, ok := d.groups[name]
	if !ok {
		return 0, userprocess.ErrUnknown
	}
	return gid, nil
}

func (d *fakeDirectory) GroupsOf(a userprocess.Passwd) ([]uint32, error) {
	if d.broken[a.Name] {
		return nil, errNoServer
	}
	return append([]uint32{a.GID}, d.members[a.UID]...), nil
}

func (d *fakeDirectory) add(name string, uid, gid uint32, groups ...uint32) {
	d.users[name] = userprocess.Passwd{Name: name, UID: uid, GID: gid}
	d.members[uid] = groups
}
