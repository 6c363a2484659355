package main

import (
	"os"
	"path/filepath"
)

// Who there is.
const (
	user      = "alice"       // logs in
	agentUser = "bench-agent" // the agents are
	sshdUser  = "sshd"        // sshd's process without privileges is
)

// password is alice's. Its hash is a cheap one (SHA-512 crypt, 1000 rounds, about half
// a millisecond): the hash is the same for all contenders, and a dear one is all that
// would be measured.
const (
	password = "Tr0ub4dor-and-3"
	hashing  = "SHA-512 crypt, 1000 rounds"
)

// The services. Those of Debian are what the machine has in /etc/pam.d.
const (
	permitService = "bench-permit" // four lines of pam_permit
	unixService   = "bench-unix"   // pam_unix for auth and account, pam_permit for the session
	loginService  = "login"        // Debian's
	sshService    = "sshd"         // Debian's
)

const (
	permitLines = `auth required pam_permit.so
account required pam_permit.so
password required pam_permit.so
session required pam_permit.so
`
	unixLines = `auth required pam_unix.so
account required pam_unix.so
session required pam_permit.so
`
)

// policyFile serves them, and does not count the bench's logins. Behind ssh it is the
// key that lets people in, as with sshd.
const (
	policyFile = "/etc/pamhelper/policy.textproto"
	policy     = `service { name: "bench-permit" }
service { name: "bench-unix" }
service { name: "login" }
service { name: "sshd" proof: AGENT }
limits {
  logins: 100000 unopened_logins: 100000 logins_per_user: 100000
  starts_per_second: 100000 starts_at_once: 100000
}
`
)

// makeUsers writes accounts with the machine's own tools.
func makeUsers() error {
	for file, text := range map[string]string{
		"/etc/passwd":        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		"/etc/group":         "root:x:0:\ntty:x:5:\nmail:x:8:\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\n",
		"/etc/shadow":        "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n",
		"/etc/gshadow":       "",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := command("useradd", "--no-log-init", "--create-home", "--shell", "/bin/sh", user); err != nil {
		return err
	}
	for _, name := range []string{agentUser, sshdUser} {
		if err := command("useradd", "--no-log-init", "--system", "--home-dir", "/", "--shell", "/usr/sbin/nologin", name); err != nil {
			return err
		}
	}
	return commandWith(user+":"+password+"\n", "chpasswd", "--crypt-method", "SHA512", "--sha-rounds", "1000")
}

func makeServices() error {
	if err := os.MkdirAll(filepath.Dir(policyFile), 0o755); err != nil {
		return err
	}
	for file, text := range map[string]string{
		"/etc/pam.d/" + permitService: permitLines, "/etc/pam.d/" + unixService: unixLines, policyFile: policy,
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
