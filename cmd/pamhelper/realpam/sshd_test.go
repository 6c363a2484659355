package realpam_test

import (
	"os"
	"strings"
)

// sshdStack has the shape of Debian's file for sshd. pam_warn logs each call
// with its flags and items, the script writes what it sees into a file of the
// user, and pam_unix does not delay.
const sshdStack = `
auth       optional   pam_warn.so
auth       [success=1 default=ignore] pam_unix.so nullok nodelay
auth       requisite  pam_deny.so
auth       required   pam_permit.so
auth       optional   pam_group.so
account    optional   pam_warn.so
account    required   pam_nologin.so
@include common-account
session    optional   pam_warn.so
session    [success=ok ignore=ignore module_unknown=ignore default=bad] pam_selinux.so close
session    required   pam_loginuid.so
session    optional   pam_keyinit.so force revoke
session    required   pam_unix.so
session    optional   pam_motd.so motd=/run/motd.dynamic
session    optional   pam_mail.so standard noenv
session    required   pam_limits.so
session    required   pam_env.so
session    required   pam_exec.so quiet /bin/sh SCRIPT
session    [success=ok ignore=ignore module_unknown=ignore default=bad] pam_selinux.so open
password   optional   pam_warn.so
@include common-password
`

const sshdScript = `{
	echo "$PAM_TYPE groups=$(id -G)"
	env | sed "s/^/$PAM_TYPE env /"
} >>` + records + `/"$PAM_USER"
`

// sshdGroups lets pam_group add a group to whoever comes through sshd.
const sshdGroups = "sshd;*;*;Al0000-2400;console\n"

// withPID is a helper that first writes its process id to its log.
const withPID = base + "/with-pid"

func makeSSHD() error {
	if err := os.WriteFile("/etc/security/group.conf", []byte(sshdGroups), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(withPID, []byte("#!/bin/sh\necho pid=$$ >&2\nexec "+pamhelper+" \"$@\"\n"), 0o755); err != nil {
		return err
	}
	path := base + "/sshd-script"
	if err := os.WriteFile(path, []byte(sshdScript), 0o644); err != nil {
		return err
	}
	return os.WriteFile("/etc/pam.d/sshd", []byte(strings.ReplaceAll(sshdStack, "SCRIPT", path)), 0o644)
}
