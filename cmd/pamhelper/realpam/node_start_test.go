package realpam_test

import (
	"net"
	"os"
	"strings"
	"testing"
)

// TestANodeThatCannotStartSaysWhatToDo and ends, broker and all.
func TestANodeThatCannotStartSaysWhatToDo(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // behind those that run in parallel
	const authorities = "  trusted_user_ca_keys: [DIR/host.pub]\n  pam: {enabled: yes, service_name: keys}\n"
	for _, test := range []struct {
		name   string
		lines  string
		change func(n *node)
		status int
		want   string
	}{
		{"a port of root's", passwords, func(n *node) { n.port = 22 }, 1,
			"agent: ssh_service.listen_addr: listen tcp4 127.0.0.1:22: bind: permission denied; a port below 1024 is opened by root: " +
				"pamhelper broker --listen 127.0.0.1:22, or a socket unit\n"},
		{"a port that is taken", passwords, func(n *node) { n.port = taken.Addr().(*net.TCPAddr).Port }, 1,
			": bind: address already in use; another service has this port: ss -ltnp says which\n"},
		{"an address of another machine", passwords, func(n *node) { n.host = "192.0.2.7" }, 1,
			": bind: cannot assign requested address; this machine has no such address, or not yet\n"},
		{"a configuration of root's", passwords, func(n *node) { os.Chmod(n.path("agent.yaml"), 0o600) }, 2,
			"agent: read the configuration: open DIR/agent.yaml: permission denied; the agent's user has to be able to read it, it holds no secret: " +
				"chmod a+r, and a+x for the directories above\n"},
		{"an authority's key that only root reads", authorities, func(n *node) { os.Chmod(n.path("host.pub"), 0o600) }, 2,
			"agent: open DIR/host.pub: permission denied; the agent's user has to be able to read it: chmod a+r, and a+x for the directories above\n"},
		{"no configuration", passwords, func(n *node) { os.Remove(n.path("agent.yaml")) }, 2,
			"agent: read the configuration: open DIR/agent.yaml: no such file or directory\n"},
		{"a host key for all", passwords, func(n *node) { os.Chmod(n.path("host"), 0o644) }, 2,
			"agent: DIR/host has the mode 0644: a private key is for its owner; chmod 0600, or 0640 for a group of the agent alone\n"},
		{"without PAM", "  password_service_name: sshd\n  pam: {enabled: no}\n", nil, 2,
			"agent: DIR/agent.yaml:7:18: ssh_service.pam.enabled: PAM is the only way in to the machine here; write enabled: yes, or ssh_service.enabled: no\n"},
		{"a service that is off", strings.TrimPrefix(passwords, "\n"), func(n *node) {
			writeFile(t, n.path("agent.yaml"), strings.Replace(readFile(t, n.path("agent.yaml")), "enabled: yes", "enabled: no", 1))
		}, 2, "agent: DIR/agent.yaml: ssh_service.enabled is no: there is nothing to run\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.configure(test.lines)
			if test.change != nil {
				before := n.address()
				test.change(n)
				if n.address() != before {
					n.configure(test.lines)
				}
			}
			r := runCmd(t, n.broker(pamhelper))
			if got := strings.ReplaceAll(r.stderr, n.dir, "DIR"); r.status != test.status || !strings.Contains(got, test.want) {
				t.Errorf("got status %d and\n%s\nwant %d and\n%s", r.status, got, test.status, test.want)
			}
		})
	}
}
