package worker

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
)

// directory is what the policy's rules ask of the machine's users and groups. An
// error that is userprocess.ErrUnknown says that there is none of that name, any
// other one that nobody knows.
type directory interface {
	User(name string) (userprocess.Passwd, error)
	Group(name string) (gid uint32, err error)
	// GroupsOf returns the ids of all groups of a user, the primary one included.
	GroupsOf(a userprocess.Passwd) ([]uint32, error)
}

// nss is the machine's own.
type nss struct{}

var _ directory = nss{}

func (nss) User(name string) (userprocess.Passwd, error) { return userprocess.Lookup(name) }

func (nss) Group(name string) (uint32, error) {
	group, err := user.LookupGroup(name)
	var unknown user.UnknownGroupError
	if errors.As(err, &unknown) {
		return 0, userprocess.ErrUnknown
	}
	if err != nil {
		return 0, err
	}
	return number(group.Gid)
}

func (nss) GroupsOf(a userprocess.Passwd) ([]uint32, error) { return a.Groups() }

func number(id string) (uint32, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("id %q of a group: %w", id, err)
	}
	return uint32(n), nil
}
