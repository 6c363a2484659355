package policytool

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
)

// draft is a policy in a file of its own, which t removes.
func draft(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// services are PAM files in a directory that is read as /etc/pam.d is, beside the
// machine's modules.
func services(t *testing.T, files map[string]string) pamstack.Config {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "etc/pam.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	libpam := detected(t)
	modules(t, libpam.ModuleDir, filepath.Join(root, "lib/security"))
	return pamstack.Config{Root: root, Libpam: pamstack.Libpam{
		Debian: true, Confdir: true, ServiceDirs: []string{"/etc/pam.d"}, ModuleDir: "/lib/security/",
		Class: libpam.Class, Machine: libpam.Machine,
	}}
}

// detected is the machine's libpam.
func detected(t *testing.T) pamstack.Libpam {
	t.Helper()
	path, err := pamstack.Find()
	if err != nil {
		t.Fatal(err)
	}
	libpam, err := pamstack.Detect(path)
	if err != nil {
		t.Fatal(err)
	}
	return libpam
}

// modules copies those that verify, and those that only seem to, into a directory.
func modules(t *testing.T, from, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pam_unix.so", "pam_permit.so", "pam_wheel.so"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const (
	sound = "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\n"
	other = "auth required pam_deny.so\naccount required pam_deny.so\n"
)

var files = map[string]string{
	"other": other,
	"good":  sound,
	"root":  "auth sufficient pam_rootok.so\n" + sound,
	"deep":  "auth substack inner\n" + sound,
	"inner": "auth [success=1 default=ignore] /lib/security/pam_timestamp.so\nauth required pam_unix.so\n",
	"host":  "@include hosts\n" + sound,
	"hosts": "auth sufficient pam_rhosts.so\n",
	"later": sound + "account sufficient pam_rootok.so\n",
	"auth":  "auth required pam_unix.so\n",
	"open":  strings.Replace(sound, "pam_unix.so", "pam_permit.so", 1),
	"wheel": "auth sufficient pam_wheel.so trust\n" + sound,
}

// checked is the output of "policy check" on a draft, with F for its name.
func checked(t *testing.T, text string, asJSON bool) (string, error) {
	t.Helper()
	name := draft(t, text)
	var out bytes.Buffer
	c := checker{draft: true, json: asJSON}
	c.source.Config = services(t, files)
	err := c.run(&out, name)
	return strings.ReplaceAll(out.String(), name, "F"), err
}

func TestCheckSaysWhatIsPossibleButShouldBeMeant(t *testing.T) {
	t.Parallel()
	const unproved = "the agent alone says who somebody is; one that is taken over can log in everybody whom users admits"
	for _, test := range []struct {
		name, text string
		want       []string // lines
		refused    bool
	}{
		{"nothing", `service { name: "good" }`, []string{"F: ok, 1 service"}, false},
		{"proof by the agent", `service { name: "good" proof: AGENT }`,
			[]string{`F:1:31: warning: service[0] "good".proof: AGENT: ` + unproved, "F: ok, 1 service, 1 warning"}, false},
		{"root", `service { name: "good" users { allow_root: true } }`,
			[]string{`F:1:44: warning: service[0] "good".users.allow_root: root logs in, and who has its group as the primary one`, "F: ok, 1 service, 1 warning"}, false},
		{"empty passwords, and account first", `service { name: "good" allow_empty_password: true account_first: true }`, []string{
			`F:1:46: warning: service[0] "good".allow_empty_password: whoever knows the name of an account with an empty password logs in`,
			`F:1:66: warning: service[0] "good".account_first: the modules of account run as root for people who have proved nothing`,
			"F: ok, 1 service, 2 warnings"}, false},
		{"names that nobody has", `service { name: "good" users { allow: "no-such" deny: "no-such2" allow_group: "no-such3" deny_group: "no-such4" } } agent: "no-such5"`, []string{
			`F:1:39: warning: service[0] "good".users.allow[0]: there is no user "no-such" now`,
			`F:1:55: warning: service[0] "good".users.deny[0]: there is no user "no-such2" now`,
			`F:1:79: warning: service[0] "good".users.allow_group[0]: there is no group "no-such3" now`,
			`F:1:102: warning: service[0] "good".users.deny_group[0]: there is no group "no-such4" now`,
			`F:1:124: warning: agent[0]: there is no user "no-such5" now`,
			"F: ok, 1 service, 5 warnings"}, false},
		{"names that have no effect", `service { name: "good" users { allow: ["root", "daemon", "nobody"] deny: "nobody" allow_group: "daemon" deny_group: "daemon" } }`, []string{
			`F:1:40: warning: service[0] "good".users.allow[0]: "root" is root or has its primary group, and does not log in without allow_root`,
			`F:1:48: warning: service[0] "good".users.allow[1]: "daemon" has uid 1 and does not log in with minimum_uid 1000`,
			`F:1:58: warning: service[0] "good".users.allow[2]: "nobody" is in deny as well, which goes before`,
			`F:1:96: warning: service[0] "good".users.allow_group[0]: "daemon" is in deny_group as well, which goes before`,
			"F: ok, 1 service, 4 warnings"}, false},
		{"no file", `service { name: "gone" }`, []string{
			`F:1:17: warning: service[0] "gone".name: has no file, so that libpam reads "other" in its place; it is looked for in /etc/pam.d/gone`,
			`F:1:17: warning: service[0] "gone".name: has no session lines, and no login would come past that`,
			"F: ok, 1 service, 2 warnings"}, false},
		{"no lines", `service { name: "auth" }`, []string{
			`F:1:17: warning: service[0] "auth".name: has no account lines; libpam takes those of "other" (/etc/pam.d/other)`,
			`F:1:17: warning: service[0] "auth".name: has no session lines, and no login would come past that`,
			"F: ok, 1 service, 2 warnings"}, false},
		{"root is let in", "service {\n name: \"root\" }", []string{
			`F:2:8: error: service[0] "root".name: would not be served: pam_rootok.so in its auth lines (/etc/pam.d/root:1) lets in everybody for a caller that is root, as the helper is; use a service without it, or proof AGENT`}, true},
		{"a time is believed, in a substack", `service { name: "deep" }`, []string{
			`F:1:17: error: service[0] "deep".name: would not be served: pam_timestamp.so in its auth lines (/etc/pam.d/inner:1) lets in who was asked a short time ago; use a service without it, or proof AGENT`}, true},
		{"a machine is believed, in an include", `service { name: "good" } service { name: "host" }`, []string{
			`F:1:42: error: service[1] "host".name: would not be served: pam_rhosts.so in its auth lines (/etc/pam.d/hosts:1) believes the machine that a login comes from; use a service without it, or proof AGENT`}, true},
		{"everybody is let in", `service { name: "open" }`, []string{
			`F:1:17: warning: service[0] "open".name: authenticate can succeed, and no module of the stack verifies anything (/etc/pam.d/open:1); see: pamhelper check open`,
			"F: ok, 1 service, 1 warning"}, false},
		{"everybody is let in by the agent", `service { name: "open" proof: AGENT }`, []string{
			`F:1:31: warning: service[0] "open".proof: AGENT: ` + unproved, "F: ok, 1 service, 1 warning"}, false},
		{"a group is believed", `service { name: "wheel" }`, []string{
			`F:1:17: warning: service[0] "wheel".name: the success of pam_wheel is enough (/etc/pam.d/wheel:1); see: pamhelper check wheel`,
			"F: ok, 1 service, 1 warning"}, false},
		{"root is let in, and nothing is authenticated", `service { name: "root" proof: AGENT }`,
			[]string{`F:1:31: warning: service[0] "root".proof: AGENT: ` + unproved, "F: ok, 1 service, 1 warning"}, false},
		{"root has an account", `service { name: "later" }`, []string{"F: ok, 1 service"}, false},
		{"a service for root", `service { name: "su-l" proof: AGENT }`, []string{
			`F:1:31: warning: service[0] "su-l".proof: AGENT: ` + unproved,
			`F:1:17: warning: service[0] "su-l".name: is made for root that becomes another user; make a service of your own for logins`,
			`F:1:17: warning: service[0] "su-l".name: has no file, so that libpam reads "other" in its place; it is looked for in /etc/pam.d/su-l`,
			`F:1:17: warning: service[0] "su-l".name: has no session lines, and no login would come past that`,
			"F: ok, 1 service, 4 warnings"}, false},
		{"what is refused", "service { name: \"good\" tty: \"tty1\" }\nlimits { logins: 0 }", []string{
			`F:1:29: error: service[0] "good".tty: "tty1" is the name of a terminal of this machine, and modules would take logins for local ones; use a word such as "ssh"`,
			`F:2:18: error: limits.logins: 0 is not from 1 to 100000`}, true},
		{"what is no policy", "servce {}", []string{"F:1:1: error: unknown field servce; is service meant?"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := checked(t, test.text, false)
			if want := strings.Join(test.want, "\n") + "\n"; got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if errors.Is(err, ErrRefused) != test.refused || err != nil && !test.refused {
				t.Errorf("got the error %v, want it refused: %v", err, test.refused)
			}
		})
	}
}

func TestCheckPrintsJSON(t *testing.T) {
	t.Parallel()
	got, err := checked(t, `service { name: "root" allow_empty_password: true }`, true)
	if !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want it refused", err)
	}
	var lines []line
	for text := range strings.Lines(got) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		lines = append(lines, l)
	}
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want 2:\n%s", len(lines), got)
	}
	wantFirst := line{"warning", "F", 1, 46, `service[0] "root".allow_empty_password`, "whoever knows the name of an account with an empty password logs in"}
	if lines[0] != wantFirst {
		t.Errorf("got %+v, want %+v", lines[0], wantFirst)
	}
	if l := lines[1]; l.Severity != "error" || l.Column != 17 || !strings.HasPrefix(l.Problem, "would not be served: pam_rootok.so") {
		t.Errorf("got %+v, want the error of pam_rootok", l)
	}
	if got, err := checked(t, `service { name: "good" }`, true); got != "" || err != nil {
		t.Errorf("a policy with nothing wrong: got %q, %v; want nothing", got, err)
	}
}

// run is a whole command line.
func run(t *testing.T, args ...string) (out, errs string, err error) {
	t.Helper()
	cmd := Command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var stdout, stderr bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(args)
	err = cmd.Execute()
	return stdout.String(), stderr.String(), err
}

func TestOwnerIsLookedAtUnlessItIsADraft(t *testing.T) {
	t.Parallel()
	name := draft(t, `service { name: "sshd" }`)
	// Everybody may write it, whoever runs this, wherever t's directory is.
	if err := os.Chmod(name, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"check", "show"} {
		out, errs, err := run(t, command, name)
		if !errors.Is(err, ErrRefused) || !strings.Contains(out+errs, "can be written by") {
			t.Errorf("%s: got %q, %q, %v; want it refused for who can write it", command, out, errs, err)
		}
		if _, _, err := run(t, command, "--draft", name); err != nil {
			t.Errorf("%s --draft: got %v, want none", command, err)
		}
		if _, _, err := run(t, command, "--draft"); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("%s --draft without a file: got %v, want an error of usage", command, err)
		}
	}
}

func TestNamedFileHasToBeThere(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "gone")
	out, _, err := run(t, "check", "--draft", name)
	if want := name + ": error: does not exist\n"; out != want || !errors.Is(err, ErrRefused) {
		t.Errorf("got %q, %v; want %q, and it refused", out, err, want)
	}
	out, errs, err := run(t, "show", "--draft", name)
	if want := "pamhelper: " + name + ": does not exist\n"; out != "" || errs != want || !errors.Is(err, ErrRefused) {
		t.Errorf("got %q, %q, %v; want nothing, %q, and it refused", out, errs, err, want)
	}
}

func TestShowPrintsAPolicyThatMeansTheSame(t *testing.T) {
	t.Parallel()
	const text = `service { name: "web" proof: AGENT commands { shell: true } } limits { logins: 5 }`
	name := draft(t, text)
	out, errs, err := run(t, "show", "--draft", name)
	if err != nil || errs != "" {
		t.Fatalf("got %q, %v", errs, err)
	}
	if first := "# The policy of " + name + ", with what it leaves out filled in.\n"; !strings.HasPrefix(out, first) {
		t.Errorf("got\n%s\nwant it to begin with %s", out, first)
	}
	got, err := policy.Parse([]byte(out), "shown")
	if err != nil {
		t.Fatal(err)
	}
	want, err := policy.Parse([]byte(text), "text")
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v\nwant %v (%v)", got, want, err)
	}
}

func TestNamesOfFilesDoNotReachTheTerminalAsTheyAre(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "a\x1b[2J\nb")
	if err := os.WriteFile(name, []byte(`service { name: "sshd" }`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "--draft", name}, {"show", "--draft", name}, {"check", name}, {"check", name + "gone"}} {
		out, errs, _ := run(t, args...)
		if strings.Contains(out+errs, "\x1b") || strings.Contains(out+errs, "\nb") {
			t.Errorf("%q: got %q", args, out+errs)
		}
	}
}

func TestWordsThatAreNoCommandAreRefused(t *testing.T) {
	t.Parallel()
	if _, _, err := run(t, "chekc"); err == nil {
		t.Error("got none, want an error")
	}
	out, _, err := run(t)
	if err != nil || !strings.Contains(out, "pamhelper-policy(5)") {
		t.Errorf("without a command: got %q, %v; want the help", out, err)
	}
}

func TestExampleInTheHelpIsAGoodPolicy(t *testing.T) {
	t.Parallel()
	help, _, err := run(t)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(help) {
		if strings.HasPrefix(line, "  service {") {
			text.WriteString(line)
		}
	}
	if p, err := policy.Parse([]byte(text.String()), "help"); err != nil || len(p.Service) != 2 {
		t.Errorf("got %v, %v; want two services from\n%s", p, err, text.String())
	}
}

func TestPolicyOfTheHelpIsAGoodOne(t *testing.T) {
	t.Parallel()
	_, shown, _ := strings.Cut(Command().Long, "A small policy")
	_, shown, _ = strings.Cut(shown, "\n\n")
	shown, _, _ = strings.Cut(shown, "\n\n")
	if p, err := policy.Parse([]byte(shown), "help"); err != nil || len(p.Service) != 2 {
		t.Errorf("got %v, %v; want two services from\n%s", p, err, shown)
	}
}
