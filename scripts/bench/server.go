package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Who serves SSH. Ours are "agent run" under a broker, in each of its ways.
const openSSH = "sshd"

// server is one SSH server on a port of loopback.
type server struct {
	name string
	port int
	// settled waits until nothing is going on in it, where so many logins are open.
	settledWith func(open int) error
	// sample returns its processes, by what they are, without the users' own.
	processes func() map[string][]int
	end       func() error
}

func (s *server) settled() error { return s.settledWith(0) }

// servers are all of them, with one user's key, and what ssh needs to know.
type servers struct{ all []*server }

const (
	clientKey  = base + "/id"
	hostKey    = base + "/host"
	agentsKey  = base + "/agents-host" // the same, for a user without privileges
	knownHosts = base + "/known_hosts"
	userKeys   = base + "/keys" // a file for each user
)

// firstPort is sshd's; the agents have those behind it.
const firstPort = 2200

// startServers starts sshd and an agent in each way.
func startServers() (s *servers, err error) {
	s = &servers{}
	if err := makeKeys(); err != nil {
		return s, err
	}
	sshd, err := startSSHD(firstPort)
	if err != nil {
		return s, err
	}
	s.all = append(s.all, sshd)
	for i, w := range ways() {
		node, err := startNode(w, firstPort+1+i)
		if err != nil {
			return s, err
		}
		s.all = append(s.all, node)
	}
	return s, nil
}

// end ends them all.
func (s *servers) end() (err error) {
	for _, one := range s.all {
		if failed := one.end(); failed != nil && err == nil {
			err = failed
		}
	}
	return err
}

// makeKeys makes one key for all servers and one for the user, whom it lets in.
func makeKeys() error {
	for _, file := range []string{hostKey, clientKey, agentsKey} {
		os.Remove(file) // of a row before
	}
	home := "/home/" + user + "/.ssh"
	if err := os.MkdirAll(userKeys, 0o755); err != nil {
		return err
	}
	return commandWith("set -e\n"+strings.Join([]string{
		"ssh-keygen -q -t ed25519 -N '' -C host -f " + hostKey,
		"ssh-keygen -q -t ed25519 -N '' -C " + user + " -f " + clientKey,
		"install -o " + agentUser + " -m 0600 " + hostKey + " " + agentsKey,
		"sed 's/^/127.0.0.1,[127.0.0.1]:* /' " + hostKey + ".pub >" + knownHosts,
		"install -d -o " + user + " -m 0700 " + home,
		"install -o " + user + " -m 0600 " + clientKey + ".pub " + home + "/authorized_keys",
		"cp " + clientKey + ".pub " + userKeys + "/" + user,
	}, "\n"), "sh")
}

// startSSHD starts Debian's sshd with Debian's configuration.
func startSSHD(port int) (*server, error) {
	log, err := os.Create(base + "/sshd.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("/usr/sbin/sshd", "-D", "-e", "-p", fmt.Sprint(port), "-o", "ListenAddress=127.0.0.1", "-o", "HostKey="+hostKey, "-o", "PidFile=none")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{name: openSSH, port: port, end: func() error { return stop(cmd) }}
	s.settledWith = func(open int) error {
		return eventually(func() bool { return len(childrenOf(cmd.Process.Pid)) == open }, "sshd with %d sessions", open)
	}
	s.processes = func() map[string][]int {
		return map[string][]int{"sshd": ofProgram(cmd.Process.Pid, "/usr/sbin/sshd")}
	}
	return s, s.listens()
}

// startNode starts an agent that does the same through the same PAM service.
func startNode(w way, port int) (*server, error) {
	file := fmt.Sprintf("%s/agent-%d.yaml", base, port)
	text := fmt.Sprintf(`ssh_service:
  listen_addr: 127.0.0.1:%d
  host_keys: [%s]
  authorized_keys: %s/%%u
  drain_timeout: 1s
  pam: {enabled: yes, service_name: %s}
`, port, agentsKey, userKeys, sshService)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	b, err := startBroker(w, nil, nil, program("agent"), "run", "--config", file)
	if err != nil {
		return nil, err
	}
	s := &server{name: w.name, port: port, settledWith: b.settledWith}
	s.end = func() error { return b.explain(stop(b.cmd)) }
	s.processes = func() map[string][]int {
		return map[string][]int{
			"broker": {b.pid()}, "agent": ofProgram(b.pid(), program("agent")), "worker": without(ofProgram(b.pid(), program("pamhelper")), b.pid()),
		}
	}
	return s, b.explain(s.listens())
}

// listens waits until the server answers.
func (s *server) listens() error {
	return eventually(func() bool {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.port), time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, "%s that listens", s.name)
}

// ofProgram are those of a process and its descendants that are a program.
func ofProgram(pid int, path string) (pids []int) {
	if runs(pid, path) {
		pids = append(pids, pid)
	}
	for _, child := range childrenOf(pid) {
		pids = append(pids, ofProgram(child, path)...)
	}
	return pids
}

func without(pids []int, pid int) (rest []int) {
	for _, one := range pids {
		if one != pid {
			rest = append(rest, one)
		}
	}
	return rest
}

// ssh is Debian's client, the same for all servers.
func (s *server) ssh(cipher, line string) *exec.Cmd {
	args := []string{"-F", "none", "-p", fmt.Sprint(s.port), "-l", user, "-i", clientKey}
	for _, option := range []string{"IdentitiesOnly=yes", "UserKnownHostsFile=" + knownHosts, "GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes",
		"UpdateHostKeys=no", "BatchMode=yes", "Ciphers=" + cipher, "KexAlgorithms=" + kex, "MACs=" + mac} {
		args = append(args, "-o", option)
	}
	return exec.Command("ssh", append(args, "127.0.0.1", line)...)
}

// What client and server agree on, always the same. A cipher with its own
// authentication makes no use of the MAC.
const (
	kex         = "curve25519-sha256"
	mac         = "hmac-sha2-256-etm@openssh.com"
	plainCipher = "aes128-gcm@openssh.com"
	otherCipher = "chacha20-poly1305@openssh.com"
)

// run runs a command of ssh to its end.
func run(cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ssh: %w: %s", err, said.String())
	}
	return nil
}
