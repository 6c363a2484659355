package realpam_test

import "os"

// Users of the comparison with sshd, each for one test. Their shell is the probe
// where the name says nothing else.
const (
	debianUser    = "cmp-debian"
	modulesUser   = "cmp-modules"
	bareUser      = "cmp-bare"
	grouplessUser = "cmp-groupless"
	strangeUser   = "cmp-strange"
	shellUser     = "cmp-shell"    // /bin/sh
	recordUser    = "cmp-record"   // /bin/sh
	endedUser     = "cmp-ended"    // an account that ended in 1970
	nologinUser   = "cmp-nologin"  // nologin(8)
	gitUser       = "cmp-git"      // git-shell(1)
	noneUser      = "cmp-none"     // no shell named
	noShellUser   = "cmp-noshell"  // a shell that is not there
	homelessUser  = "cmp-homeless" // /bin/sh, no home
	shutOutUser   = "cmp-shutout"  // /bin/sh, a home that is root's alone
)

// makeServedUsers makes them, and the account that sshd needs for itself.
func makeServedUsers() error {
	accounts, err := os.OpenFile("/etc/passwd", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer accounts.Close()
	if _, err := accounts.WriteString(sshdsAccount); err != nil {
		return err
	}
	passwords := ""
	for _, user := range []struct{ name, shell string }{
		{debianUser, probe}, {modulesUser, probe}, {bareUser, probe}, {grouplessUser, probe}, {strangeUser, probe},
		{shellUser, "/bin/sh"}, {recordUser, "/bin/sh"}, {endedUser, "/bin/sh"}, {homelessUser, "/bin/sh"}, {shutOutUser, "/bin/sh"},
		{nologinUser, "/usr/sbin/nologin"}, {gitUser, "/usr/bin/git-shell"}, {noneUser, ""}, {noShellUser, "/bin/no-such-shell"},
	} {
		if err := command("useradd", "--no-log-init", "--create-home", "--groups", "lab", "--shell", user.shell, user.name); err != nil {
			return err
		}
		passwords += user.name + ":" + password + "\n"
	}
	if err := os.RemoveAll("/home/" + homelessUser); err != nil {
		return err
	}
	if err := os.Chown("/home/"+shutOutUser, 0, 0); err != nil {
		return err
	}
	if err := os.Chmod("/home/"+shutOutUser, 0o700); err != nil {
		return err
	}
	if err := command("chage", "-E", "1", endedUser); err != nil {
		return err
	}
	return commandWith(passwords, "chpasswd", "--crypt-method", "SHA512", "--sha-rounds", "1000")
}
