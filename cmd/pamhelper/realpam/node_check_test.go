package realpam_test

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckStartedByTheBrokerAsksItForAWorker(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	n.configure(passwords)
	args := n.broker(pamhelper).Args
	args[slices.Index(args, "run")] = "check"
	r := run(t, "", args[0], append(args[1:], "--policy", nodePolicyFile)...)
	for _, want := range []string{
		"ok       helper: the broker that started this program gives workers\n",
		"ok       " + nodePolicyFile + ": has the service sshd as this configuration needs it; ",
		"\n0 errors, ",
	} {
		if r.status != 0 || !strings.Contains(r.stdout, want) {
			t.Errorf("got %+v, want status 0 and %q", r, want)
		}
	}
}
