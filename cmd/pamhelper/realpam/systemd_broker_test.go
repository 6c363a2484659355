package realpam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startBrokerUnit starts the broker's unit with the agent of these tests in the
// place of the real one, and waits for its shell. Nothing is started again.
func startBrokerUnit(t *testing.T, user string) *systemd {
	t.Helper()
	s := startSystemd(t)
	s.stack("auth required pam_permit.so", "session optional pam_warn.so", "session required pam_permit.so")
	binary := filepath.Join(base, filepath.Base(s.dir)+"-agent")
	if err := command("cp", fmt.Sprintf("/proc/%d/exe", os.Getpid()), binary); err != nil {
		t.Fatal(err)
	}
	s.unit("pamhelper-broker.service.d/test.conf", "[Service]\nRestart=no\nExecStart=\n"+
		"ExecStart=/usr/local/sbin/pamhelper broker --user pamhelper-agent -- /usr/bin/env \""+agentVariable+"=broker: "+user+" /dev/null\" "+binary+"\n")
	s.ctl("start", "pamhelper-broker.service")
	eventually(t, func() bool { return strings.Contains(s.journal.all.String(), "running ") }, "an agent with a shell: %s", &s.journal.all)
	return s
}

func (s *systemd) expectBrokerEnded(state string) {
	s.t.Helper()
	eventually(s.t, func() bool {
		return s.in("systemctl", "is-active", "pamhelper-broker.service").stdout == state+"\n"
	}, "a unit that is %s", state)
	eventually(s.t, func() bool { return s.in("pgrep", "--inverse", "^systemd$|^pgrep$|^nsenter$").stdout == "" },
		"the end of the broker, the agent, the worker and the shell")
	if left := recordsIn(s.t, s.path("/run/pamhelper")); len(left) > 0 {
		s.t.Errorf("records that are left: %q, want none", left)
	}
}

func TestTheBrokerUnitConfinesTheAgentAndNotItsUsers(t *testing.T) {
	t.Parallel()
	s := startBrokerUnit(t, "unit9")
	status := func(user string) string {
		return s.in("sh", "-c", "cat /proc/$(pgrep --oldest -u "+user+")/status").stdout
	}
	for name, want := range map[string]string{"CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1"} {
		if got := attribute(status("pamhelper-agent"), name); got != want {
			t.Errorf("%s of the agent: got %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"NoNewPrivs": "0", "SigIgn": "0000000000000000", "CapBnd": attribute(s.in("cat", "/proc/1/status").stdout, "CapBnd")} {
		if got := attribute(status("unit9"), name); got != want {
			t.Errorf("%s of the user's shell: got %q, want %q", name, got, want)
		}
	}
	s.ctl("stop", "pamhelper-broker.service")
	s.expectBrokerEnded("inactive")
	waitCalls(t, "unit9", "open_session(0) close_session(0)")
}

func TestABrokerUnitThatIsKilledLeavesNoSession(t *testing.T) {
	t.Parallel()
	s := startBrokerUnit(t, "unit10")
	s.ctl("kill", "--signal=KILL", "--kill-whom=main", "pamhelper-broker.service")
	s.expectBrokerEnded("failed")
	waitCalls(t, "unit10", "open_session(0) close_session(0)")
}
