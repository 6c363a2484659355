// What the stage looks at before it becomes the agent.

package broker

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// lastCapabilityOfTwoWords is the last that capget(2) can tell of.
const lastCapabilityOfTwoWords = 63

// verify looks at what the kernel says of this thread, and tries to get back.
func (s stage) verify() error {
	ruid, euid, suid := unix.Getresuid()
	rgid, egid, sgid := unix.Getresgid()
	if ruid != s.uid || euid != s.uid || suid != s.uid || s.uid == 0 {
		return fmt.Errorf("the user ids are %d, %d, %d, wanted %d", ruid, euid, suid, s.uid)
	}
	if rgid != s.gid || egid != s.gid || sgid != s.gid || s.gid == 0 {
		return fmt.Errorf("the group ids are %d, %d, %d, wanted %d", rgid, egid, sgid, s.gid)
	}
	if groups, err := unix.Getgroups(); err != nil || !sameNumbers(groups, s.groups) {
		return fmt.Errorf("the groups are %v (%v), wanted %v", groups, err, s.groups)
	}
	header, data := capabilityHeader, [2]unix.CapUserData{}
	if err := unix.Capget(&header, &data[0]); err != nil || data != [2]unix.CapUserData{} {
		return fmt.Errorf("capabilities are left: %v (%v)", data, err)
	}
	for capability := uintptr(0); capability <= lastCapabilityOfTwoWords; capability++ {
		if left, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, capability, 0, 0, 0); err == nil && left != 0 {
			return fmt.Errorf("capability %d is left in the bounding set", capability)
		}
	}
	if on, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || on != 1 {
		return fmt.Errorf("no_new_privs is %d (%v)", on, err)
	}
	if syscall.Setuid(0) == nil || syscall.Setgid(0) == nil {
		return errors.New("it could become root again")
	}
	return nil
}

func sameNumbers(a, b []int) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
