package policytool

import (
	"errors"
	"os/user"
	"slices"
	"strconv"

	pb "github.com/pamhelper/pamhelper/proto"
)

// users tells which lists mean something else today than they seem to.
func (c *checker) users(at string, u *pb.Users) {
	if u.GetAllowRoot() {
		c.warn(at+".allow_root", "root logs in, and who has its group as the primary one")
	}
	for i, name := range u.GetAllow() {
		c.allowed(element(at+".allow", i), name, u)
	}
	for i, name := range u.GetDeny() {
		c.lookup(element(at+".deny", i), name)
	}
	c.groups(at+".allow_group", u.GetAllowGroup())
	c.groups(at+".deny_group", u.GetDenyGroup())
	for i, name := range u.GetAllowGroup() {
		if slices.Contains(u.GetDenyGroup(), name) {
			c.warn(element(at+".allow_group", i), "%q is in deny_group as well, which goes before", name)
		}
	}
}

// allowed looks at a user who is to log in.
func (c *checker) allowed(at, name string, u *pb.Users) {
	if slices.Contains(u.GetDeny(), name) {
		c.warn(at, "%q is in deny as well, which goes before", name)
		return
	}
	account, err := c.lookup(at, name)
	if err != nil {
		return
	}
	isRoot := account.Uid == "0" || account.Gid == "0"
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	switch {
	case isRoot && !u.GetAllowRoot():
		c.warn(at, "%q is root or has its primary group, and does not log in without allow_root", name)
	case uid != 0 && err == nil && uid < uint64(u.GetMinimumUid()):
		c.warn(at, "%q has uid %d and does not log in with minimum_uid %d", name, uid, u.GetMinimumUid())
	}
}

func (c *checker) agents() {
	for i, name := range c.file.Policy.GetAgent() {
		c.lookup(element("agent", i), name)
	}
}

// lookup asks for a user. One who is not there is told.
func (c *checker) lookup(at, name string) (*user.User, error) {
	account, err := user.Lookup(name)
	var unknown user.UnknownUserError
	switch {
	case errors.As(err, &unknown):
		c.warn(at, "there is no user %q now", name)
	case err != nil:
		c.warn(at, "user %q cannot be looked up: %v", name, err)
	}
	return account, err
}

func (c *checker) groups(at string, names []string) {
	for i, name := range names {
		_, err := user.LookupGroup(name)
		var unknown user.UnknownGroupError
		switch {
		case errors.As(err, &unknown):
			c.warn(element(at, i), "there is no group %q now", name)
		case err != nil:
			c.warn(element(at, i), "group %q cannot be looked up: %v", name, err)
		}
	}
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
