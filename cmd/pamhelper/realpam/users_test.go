package realpam_test

import (
	"os"
	"slices"
	"strings"
)

// password is everybody's.
const password = "Tr0ub4dor-and-3"

// rootPassword is root's: a right answer that still does not let root in.
const rootPassword = "r00t-Of-all-3vil"

// plainUsers may log in. A test that keeps state under a name has its own one.
var plainUsers = []string{
	"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj",
	"oscar", "pat", "quentin", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter", "wendy", "xavier",
}

// sessionUsers are for the tests of session modules, which keep something under
// their names: a home, a count of processes, a keyring.
var sessionUsers = []string{
	"limits1", "limits2", "limits3", "limits4", "limits5", "limits6", "umask1", "umask2", "umask3",
	"loginuid1", "keyring1", "keyring2", "namespace1", "namespace2", "namespace3", "group1", "env1", "env2", "home1", "mail1", "exec1",
	"xauth1", "selinux1", "systemd1", "systemd2", "systemd3", "systemd4", "systemd5", "systemd6",
}

// unitUsers log in through systemd.
var unitUsers = []string{
	"unit1", "unit2", "unit3", "unit4", "unit5", "unit6", "unit7", "unit8", "unit9", "unit10",
	"activated1", "activated2", "activated3", "activated4", "activated5", "activated6",
}

// terminalUsers log in with "agent login", and their sessions are counted.
var terminalUsers = []string{
	"shell1", "shell2", "shell3", "shell4", "shell5", "shell6", "shell7", "shell8", "shell9", "shell10",
	"piped1", "piped2", "piped3", "piped4", "piped5", "piped6",
}

// nodeUsers log in over SSH through "agent run".
var nodeUsers = []string{
	"node1", "node2", "node3", "node4", "node5", "node6", "node7", "node8", "node9", "node10", "node11", "node12",
	"node13", "node14", "node15", "node16", "node17", "node18", "node19",
	"node20", "node21", "node22", "node23", "node24", "node25", "node26", "node27", "node28", "node29",
	"node31", "node32", "node33", "node34", "node35", "node36", "node37",
	"enemy1", "enemy2", "enemy3", "enemy4", "enemy5", "enemy6", "enemy7", "enemy8", "enemy9", "enemy10", "enemy11",
	"admin1", "admin2", "admin3", "admin4",
}

// agedUsers have to change their password first.
var agedUsers = []string{"aged1", "aged2", "aged3", "aged4", "aged5", "aged6", "aged7", "aged8", "aged21", "aged22", "aged23"}

// Users who may not log in, for a reason each.
const (
	lockedUser  = "locked"  // the password is locked
	expiredUser = "expired" // the account ended in 1970
	emptyUser   = "empty"   // the password is empty
	zeroUser    = "toor"    // uid 0 under another name
)

// makeUsers writes accounts with the machine's own tools.
func makeUsers() error {
	for file, text := range map[string]string{
		"/etc/passwd":        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"/etc/group":         "root:x:0:\ntty:x:5:\nmail:x:8:\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\n",
		"/etc/shadow":        "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n",
		"/etc/gshadow":       "",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
		"/etc/environment":   "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := command("groupadd", "--gid", "7001", "lab"); err != nil {
		return err
	}
	if err := command("groupadd", "--gid", "7002", "console"); err != nil {
		return err
	}
	passwords := "root:" + rootPassword + "\n"
	names := slices.Concat([]string{lockedUser, expiredUser, emptyUser}, plainUsers, sessionUsers, unitUsers, terminalUsers, nodeUsers, limitedUsers(), agedUsers)
	for _, name := range names {
		if err := command("useradd", "--no-log-init", "--create-home", "--groups", "lab", "--shell", "/bin/sh", name); err != nil {
			return err
		}
		passwords += name + ":" + password + "\n"
	}
	if err := command("useradd", "--no-log-init", "--non-unique", "--uid", "0", "--shell", "/bin/sh", zeroUser); err != nil {
		return err
	}
	passwords += zeroUser + ":" + password + "\n"
	if err := commandWith(passwords, "chpasswd", "--crypt-method", "SHA512", "--sha-rounds", "1000"); err != nil {
		return err
	}
	marks := "passwd -q -l " + lockedUser + "; chage -E 1 " + expiredUser + "; passwd -q -d " + emptyUser + "\n"
	for _, name := range agedUsers {
		marks += "chage -d 0 " + name + "\n"
	}
	return commandWith("set -e\n"+strings.ReplaceAll(marks, ";", "\n"), "sh")
}
