package realpam_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// policyFile is a policy in a directory of root's.
func policyFile(t *testing.T, text string) string {
	t.Helper()
	ready(t)
	dir, err := os.MkdirTemp(base, "policy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := dir + "/policy.textproto"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPolicyCommandsEndWithTheirStatus(t *testing.T) {
	t.Parallel()
	good := policyFile(t, `service { name: "sshd" }`)
	bad := policyFile(t, "service { name: \"sshd\" }\nlimits { logins: 0 }")
	proofless := policyFile(t, fmt.Sprintf("service { name: %q }", service(t, "auth sufficient pam_rootok.so", "auth required pam_unix.so", "account required pam_unix.so", "session required pam_unix.so")))
	open := policyFile(t, `service { name: "sshd" }`)
	if err := os.Chmod(open, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args        []string
		status      int
		out, stderr string // what it has to hold
	}{
		{[]string{"check", good}, 0, good + ": ok, 1 service", ""},
		{[]string{"check", bad}, 1, bad + ":2:18: error: limits.logins: 0 is not from 1 to 100000\n", ""},
		{[]string{"check", proofless}, 1, "would not be served: pam_rootok.so in its auth lines", ""},
		{[]string{"check", open}, 1, "run: chmod go-w " + open, ""},
		{[]string{"check", "--draft", open}, 0, open + ": ok, 1 service", ""},
		{[]string{"check", good + "x"}, 1, good + "x: error: does not exist\n", ""},
		{[]string{"check", good, bad}, 2, "", "accepts at most 1 arg(s)"},
		{[]string{"check", "--drafts"}, 2, "", "unknown flag: --drafts"},
		{[]string{"chekc"}, 2, "", `unknown command "chekc"`},
		{[]string{"show", good}, 0, `name: "sshd"`, ""},
		{[]string{"show", bad}, 1, "", bad + ":2:18: limits.logins: 0 is not from 1 to 100000\n"},
		{[]string{"show", good + "x"}, 1, "", good + "x: does not exist\n"},
	} {
		r := run(t, "", pamhelper, append([]string{"policy"}, test.args...)...)
		if r.status != test.status || !strings.Contains(r.stdout, test.out) || !strings.Contains(r.stderr, test.stderr) {
			t.Errorf("policy %q: got status %d, %q, %q; want %d, %q, %q", test.args, r.status, r.stdout, r.stderr, test.status, test.out, test.stderr)
		}
	}
}

// An administrator begins with what show prints.
func TestShownPolicyIsGoodInAFileOfItsOwn(t *testing.T) {
	t.Parallel()
	given := policyFile(t, `service { name: "sshd" commands { line: "a 'b' \"c\" \\" } }`)
	shown := run(t, "", pamhelper, "policy", "show", given)
	if shown.status != 0 {
		t.Fatalf("got status %d, %s", shown.status, shown.stderr)
	}
	again := run(t, "", pamhelper, "policy", "show", policyFile(t, shown.stdout))
	if below := func(text string) string { _, rest, _ := strings.Cut(text, "\n"); return rest }; below(again.stdout) != below(shown.stdout) || again.status != 0 {
		t.Errorf("got status %d, %s\n%s\nwant\n%s", again.status, again.stderr, again.stdout, shown.stdout)
	}
}

func TestUserWhoIsNotRootChecksAPolicy(t *testing.T) {
	t.Parallel()
	name := policyFile(t, `service { name: "sshd" }`)
	r := run(t, "", "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", pamhelper, "policy", "check", name)
	if r.status != 0 || !strings.Contains(r.stdout, ": ok, 1 service") {
		t.Errorf("got status %d, %q, %q; want it good", r.status, r.stdout, r.stderr)
	}
}
