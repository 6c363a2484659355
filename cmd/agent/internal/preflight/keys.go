package preflight

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/cmd/agent/internal/keyfile"
)

// keys reads all keys, as the service would.
func (r *Report) keys(s config.SSHService) {
	for _, file := range s.HostKeys {
		key, err := keyfile.HostKey(file)
		right := ""
		if err == nil {
			right = fmt.Sprintf("%s is a key of type %s, %s", file, key.PublicKey().Type(), ssh.FingerprintSHA256(key.PublicKey()))
		}
		r.result("ssh_service.host_keys", right, err)
	}
	for _, file := range s.TrustedUserCAKeys {
		keys, err := keyfile.PublicKeys(file)
		r.result("ssh_service.trusted_user_ca_keys", file+" has "+Count(len(keys), "key"), err)
	}
	if s.AuthorizedKeys != "" {
		r.authorizedKeys(s)
	}
	if os.Geteuid() == 0 {
		r.add(Note, "ssh_service", "files were read as root; run this as the agent's user to know what the agent can read")
	}
}

// authorizedKeys looks at the directory, and at the files that are there. One that
// is wrong keeps one user out.
func (r *Report) authorizedKeys(s config.SSHService) {
	const about = "ssh_service.authorized_keys"
	dir := filepath.Dir(s.AuthorizedKeys)
	if strings.HasPrefix(dir, "/home/") {
		r.add(Warning, about, "%s is in the homes of users, where the agent has no right to read and mostly cannot; "+
			"a directory for all of them is better, such as /etc/pamhelper/authorized_keys/%%u", s.AuthorizedKeys)
	}
	for strings.Contains(dir, "%u") {
		dir = filepath.Dir(dir)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		r.add(Error, about, "%v", err)
		return
	case !info.IsDir():
		r.add(Error, about, "%s is no directory", dir)
		return
	case info.Mode().Perm()&0o022 != 0:
		r.add(Error, about, "%s has the mode %04o: who can write it can log in as anybody; chmod go-w", dir, info.Mode().Perm())
	}
	files, _ := filepath.Glob(s.AuthorizedKeysOf("*")) // the pattern is a right one
	for _, file := range files {
		if _, err := keyfile.AuthorizedKeys(file); err != nil {
			r.add(Warning, about, "%v", err)
		}
	}
	r.add(OK, about, "%s in place for %s", Count(len(files), "file"), s.AuthorizedKeys)
}
