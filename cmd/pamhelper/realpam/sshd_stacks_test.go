package realpam_test

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// comparedStack is a PAM stack that sshd and the helper are compared with.
type comparedStack struct {
	name, user string
	stack      string            // "": Debian's own
	start      string            // how sshd and the helper are started; "": just so
	files      map[string]string // in place of the machine's
	home       map[string]string // in the user's home
	effects    surroundings      // what it does, so that there is something to compare
}

func (c comparedStack) text(t *testing.T) string {
	t.Helper()
	if c.stack != "" {
		return c.stack
	}
	ready(t)
	return readFile(t, debiansStack)
}

// strangeStart is the stack whose sshd and helper do not start like the others.
const strangeStart = "started in strange surroundings"

// just starts a program as it is.
const just = "exec \"$@\"\n"

const unixAlone = `
auth    required pam_unix.so nodelay
account required pam_unix.so
`

const plainStack = unixAlone + "session required pam_permit.so\n"

var comparedStacks = []comparedStack{
	{
		name: "Debian's", user: debianUser,
		files:   map[string]string{"/etc/environment": "COLOUR=blue\n"},
		effects: surroundings{"env.COLOUR": "blue"},
	},
	{
		name: "with modules that change the process", user: modulesUser,
		stack: unixAlone + `
auth    optional pam_group.so
session required pam_loginuid.so
session required pam_keyinit.so force revoke
session required pam_limits.so
session optional pam_umask.so umask=0027
session required pam_env.so user_readenv=1
session required pam_namespace.so
`,
		files: map[string]string{
			"/etc/environment":             "COLOUR=blue\nPATH=/opt/bin:/usr/bin:/bin\nMAIL=/from/pam\nTERM=from-pam\nSSH_TTY=/from/pam\nLANG=from-pam\n",
			"/etc/security/pam_env.conf":   "SHAPE DEFAULT=round\nHOUSE DEFAULT=@{HOME}/house\n",
			"/etc/security/group.conf":     sshdGroups,
			"/etc/security/namespace.conf": "/var/tmp /var/tmp/inst/ user root\n",
			"/etc/security/limits.conf": `
* - core 1000
* soft cpu 10
* hard cpu 20
* - fsize 100000
* - data 3000000
* - stack 9000
* - nproc 300
* soft nofile 123
* hard nofile 456
* - memlock 64
* - as 4000000
* - locks 40
* - sigpending 500
* - msgqueue 100000
* - priority 5
`,
		},
		home: map[string]string{".pam_environment": "TASTE=sour\nSHAPE=square\n"},
		effects: surroundings{
			"env.COLOUR": "blue", "env.LANG": "from-pam", "env.LC_TIME": "from client", "env.SHAPE": "square", "env.TASTE": "sour", "env.HOUSE": "/home/" + modulesUser + "/house",
			"limit.nofile": "123 456", "limit.core": "1024000 1024000", "nice": "5", "status.Umask": "0027", "namespace.mnt": "its own",
		},
	},
	{
		name: "that does nothing", user: bareUser,
		stack:   plainStack,
		effects: surroundings{"namespace.mnt": "as outside", "status.Umask": "0022"},
	},
	{
		name: "without a group tty", user: grouplessUser,
		stack: plainStack,
		files: map[string]string{"/etc/group": "root:x:0:\nnogroup:x:65534:\n"},
	},
	{
		name: strangeStart, user: strangeUser,
		stack: plainStack,
		start: `
umask 027
ulimit -n 777
echo 100 >/proc/$$/oom_score_adj
cd /var/lib
export TZ=Antarctica/Troll LD_BIND_NOW=1
exec env --ignore-signal=HUP,INT,QUIT,PIPE,ALRM,TERM,CHLD,USR1,USR2,TSTP,TTIN,TTOU,WINCH,URG,XFSZ \
	--block-signal=HUP,USR2,CHLD,ALRM,TERM nice -n 3 "$@"
`,
		effects: surroundings{"nice": niceBy(3), "limit.nofile": "777 777"},
	},
}

// niceBy is the nice value of what this process starts so much nicer than it is.
func niceBy(n int) string {
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return err.Error()
	}
	return strconv.Itoa(min(20-priority+n, 19)) // the system call counts from 40 down to 1
}
