package policy

import (
	"fmt"
	"strings"
	"testing"
)

// inService is the text of a policy with one service.
func inService(fields string) string { return "service {\n  name: \"svc\"\n  " + fields + "\n}" }

func TestWhatMakesNoSenseIsRefusedWithItsFieldAndPlace(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 257)
	for _, test := range []struct{ name, text, want string }{
		{"service without a name", "service {}", `F:1:9: service[0].name: is missing; it is the name of a file in /etc/pam.d, such as "sshd"`},
		{"service that is a path", `service { name: "../su" }`, `F:1:17: service[0] "../su".name: has a "/"`},
		{"service that is a directory", `service { name: ".." }`, `F:1:17: service[0] "..".name: is a directory`},
		{"service in capitals", `service { name: "SU" }`, `F:1:17: service[0] "SU".name: has capitals, and libpam reads a service in lower case; write "su"`},
		{"service with a space", `service { name: "a b" }`, `F:1:17: service[0] "a b".name: has a character`},
		{"service with a control character", `service { name: "a\n" }`, `F:1:17: service[0] "a\n".name: has a character`},
		{"service of a long name", `service { name: "` + long + `" }`, `F:1:17: service[0] "` + long[:64] + `"....name: is longer than 256 bytes`},
		{"service other", `service { name: "other" }`, `F:1:17: service[0] "other".name: is what libpam reads for services without a file`},
		{"service twice", sshd + sshd, `F:2:17: service[1] "sshd".name: is served twice, also as service[0]`},
		{"proof without a name", inService("proof: 2"), `F:3:10: service[0] "svc".proof: 2 is none; there are PAM and AGENT`},
		{"account first with AGENT", inService("proof: AGENT account_first: true"), `F:3:31: service[0] "svc".account_first: is for proof PAM`},
		{"empty passwords with AGENT", inService("proof: AGENT allow_empty_password: true"), `F:3:38: service[0] "svc".allow_empty_password: is for proof PAM`},
		{"user like an option", inService(`users { allow: ["alice", "-D"] }`), `F:3:28: service[0] "svc".users.allow[1]: "-D" is not the name of a user`},
		{"user without a name", inService(`users { deny: "" }`), `F:3:17: service[0] "svc".users.deny[0]: "" is not the name of a user`},
		{"user with a colon", inService(`users { deny: "a:b" }`), `F:3:17: service[0] "svc".users.deny[0]: "a:b" is not`},
		{"user with a newline", inService(`users { deny: "a\n" }`), `F:3:17: service[0] "svc".users.deny[0]: "a\n" is not`},
		{"user of a long name", inService(`users { deny: "` + long + `" }`), `F:3:17: service[0] "svc".users.deny[0]: "` + long[:64] + `"... is not`},
		{"user twice", inService(`users { allow: "a" allow: "b" allow: "a" }`), `F:3:40: service[0] "svc".users.allow[2]: "a" is given twice`},
		{"group without a name", inService(`users { allow_group: "" }`), `F:3:24: service[0] "svc".users.allow_group[0]: "" is not the name of a group`},
		{"group with a comma", inService(`users { deny_group: "a,b" }`), `F:3:23: service[0] "svc".users.deny_group[0]: "a,b" is not the name of a group`},
		{"group twice", inService(`users { deny_group: ["a", "a"] }`), `F:3:29: service[0] "svc".users.deny_group[1]: "a" is given twice`},
		{"agent like an option", sshd + `agent: "-D"`, `F:2:8: agent[0]: "-D" is not the name of a user`},
		{"agent twice", sshd + `agent: ["a", "a"]`, `F:2:14: agent[1]: "a" is given twice`},
		{"empty command", inService(`commands { line: "" }`), `F:3:20: service[0] "svc".commands.line[0]: is empty; the login shell is shell: true`},
		{"command with a NUL", inService(`commands { line: "a\0" }`), `F:3:20: service[0] "svc".commands.line[0]: has a NUL`},
		{"command that is too long", inService(`commands { line: "` + strings.Repeat("a", 131072) + `" }`), `F:3:20: service[0] "svc".commands.line[0]: is longer than 131071 bytes`},
		{"command twice", inService(`commands { line: ["a", "a"] }`), `F:3:26: service[0] "svc".commands.line[1]: "a" is given twice`},
		{"variable in small letters", inService(`variable: "site_x"`), `F:3:13: service[0] "svc".variable[0]: "site_x" is no variable`},
		{"variable that begins with a digit", inService(`variable: "1A"`), `F:3:13: service[0] "svc".variable[0]: "1A" is no variable`},
		{"variable with a value", inService(`variable: "A=B"`), `F:3:13: service[0] "svc".variable[0]: "A=B" is no variable`},
		{"variable without a name", inService(`variable: ""`), `F:3:13: service[0] "svc".variable[0]: "" is no variable`},
		{"all variables", inService(`variable: "*"`), `F:3:13: service[0] "svc".variable[0]: "*" is no variable`},
		{"prefix without _", inService(`variable: "SITE*"`), `F:3:13: service[0] "svc".variable[0]: "SITE*" is no variable`},
		{"star in the middle", inService(`variable: "SITE_*_X"`), `F:3:13: service[0] "svc".variable[0]: "SITE_*_X" is no variable`},
		{"short prefix", inService(`variable: "ABC_*"`), `F:3:13: service[0] "svc".variable[0]: "ABC_*" has less than 4 letters before the _*`},
		{"prefix of digits", inService(`variable: "A1234_*"`), `F:3:13: service[0] "svc".variable[0]: "A1234_*" has less than 4 letters`},
		{"variable twice", inService(`variable: ["A_B", "A_B"]`), `F:3:21: service[0] "svc".variable[1]: "A_B" is given twice`},
		{"variable of the worker", inService(`variable: "TELEPORT_LOGIN"`), `F:3:13: service[0] "svc".variable[0]: TELEPORT_LOGIN is never admitted`},
		{"prefix with the worker's", inService(`variable: "TELEPORT_*"`), `F:3:13: service[0] "svc".variable[0]: TELEPORT_* means TELEPORT_LOGIN too, which is never admitted`},
		{"getenv of what is not admitted", inService(`variable: "SITE_*" module_getenv: "SIDE_A"`), `F:3:37: service[0] "svc".module_getenv[0]: "SIDE_A" is a name that variable does not admit`},
		{"getenv of a prefix", inService(`variable: "SITE_*" module_getenv: "SITE_*"`), `F:3:37: service[0] "svc".module_getenv[0]: "SITE_*" is a name that variable does not admit`},
		{"getenv of what is never admitted", inService(`module_getenv: "LD_PRELOAD"`), `F:3:18: service[0] "svc".module_getenv[0]: LD_PRELOAD is never admitted`},
		{"getenv twice", inService(`module_getenv: ["TELEPORT_LOGIN", "TELEPORT_LOGIN"]`), `F:3:37: service[0] "svc".module_getenv[1]: "TELEPORT_LOGIN" is given twice`},
		{"all variables of clients", inService(`client_variables { name: "*" }`), `F:3:28: service[0] "svc".client_variables.name[0]: "*" is no variable`},
		{"client's variable with a value", inService(`client_variables { name: "A=B" }`), `F:3:28: service[0] "svc".client_variables.name[0]: "A=B" is no variable`},
		{"client's prefix that is never admitted", inService(`client_variables { name: "L*" }`), `F:3:28: service[0] "svc".client_variables.name[0]: L* means LD_* too, which is never admitted`},
		{"client's variable twice", inService(`client_variables { name: ["A", "A"] }`), `F:3:34: service[0] "svc".client_variables.name[1]: "A" is given twice`},
		{"more unopened logins than logins", sshd + "limits { logins: 50 unopened_logins: 51 }", "F:2:38: limits.unopened_logins: 51 is more than logins, 50, of which they are a part"},
		{"more unopened logins than logins by default", sshd + "limits { unopened_logins: 1001 }", "F:2:27: limits.unopened_logins: 1001 is more than logins, 1000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse([]byte(test.text), "F")
			if err == nil {
				t.Fatalf("got %v, want an error that begins with\n%s", p, test.want)
			}
			if got := err.Error(); !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("got\n%s\nwant one line that begins with\n%s", got, test.want)
			}
		})
	}
}

func TestServicesForRootAreRefusedByNameWithProofPAM(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"su", "su-l", "runuser", "runuser-l", "chfn", "chsh"} {
		_, err := Parse([]byte(fmt.Sprintf("service { name: %q }", name)), "F")
		want := fmt.Sprintf("F:1:17: service[0] %q.name: lets in everybody when it is asked by root", name)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s with proof PAM: got %v, want %s", name, err, want)
		}
		if _, err := Parse([]byte(fmt.Sprintf("service { name: %q proof: AGENT }", name)), "F"); err != nil {
			t.Errorf("%s with proof AGENT: got %v, want none: its auth lines are not asked", name, err)
		}
	}
}

func TestTerminalsOfTheMachineAreNoTTY(t *testing.T) {
	t.Parallel()
	for tty, want := range map[string]string{
		"":                      "is empty",
		"tty1":                  "terminal of this machine",
		"tty":                   "terminal of this machine",
		"ttyS0":                 "terminal of this machine",
		"TTY1":                  "terminal of this machine",
		"console":               "terminal of this machine",
		"hvc0":                  "terminal of this machine",
		"vc1":                   "terminal of this machine",
		"pts":                   "terminal of this machine",
		":0":                    "X display",
		":0.0":                  "X display",
		"localhost:10.0":        "X display",
		"/dev/tty1":             "name of a device",
		"/ssh":                  "name of a device",
		"pts/3":                 "name of a device",
		"ssh\n":                 "others than",
		"\x1b[2J":               "others than",
		"a b":                   "others than",
		"ä":                     "others than",
		strings.Repeat("s", 33): "longer than 32 bytes",
	} {
		_, err := Parse([]byte(inService(fmt.Sprintf("tty: %q", tty))), "F")
		if err == nil || !strings.HasPrefix(err.Error(), `F:3:8: service[0] "svc".tty: `) || !strings.Contains(err.Error(), want) {
			t.Errorf("tty %q: got %v, want an error with %q", tty, err, want)
		}
	}
	for _, tty := range []string{"ssh", "web", "teleport", "vnc", "x2go", strings.Repeat("s", 32)} {
		if _, err := Parse([]byte(inService(fmt.Sprintf("tty: %q", tty))), "F"); err != nil {
			t.Errorf("tty %q: got %v, want none", tty, err)
		}
	}
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`service { name: "su" tty: "tty1" variable: "PATH" }
service { name: "b" users { allow: "-" } }
limits { logins: 0 }
deadlines { close: 4 }
agent: "-"`), "F")
	var got []string
	for line := range strings.Lines(err.Error()) {
		got = append(got, strings.Join(strings.SplitN(line, ":", 4)[:3], ":"))
	}
	want := "F:1:17 F:1:27 F:1:44 F:2:36 F:3:18 F:4:20 F:5:8"
	if strings.Join(got, " ") != want {
		t.Errorf("got problems at %v, want %s\n%v", got, want, err)
	}
}

func TestOrdinaryNamesAreTaken(t *testing.T) {
	t.Parallel()
	for _, fields := range []string{
		`users { allow: ["alice", "_apt", "host$", "a.b@example.org", "A-1"] deny: "alice" }`,
		`users { allow_group: ["staff", "domain users", "CORP\\Benutzer äöü"] }`,
		`variable: ["SITE_*", "A", "_X", "SITE1_ROLE", "TELEPORT_USERNAME"] module_getenv: ["SITE_A", "TELEPORT_ROLES", "TELEPORT_LOGIN"]`,
		`client_variables { name: ["LC_*", "TZ", "XDG_RUNTIME_DIR", "http_proxy", "GIT_PROTOCOL", "a*"] }`,
		`client_variables {} commands {}`,
		`commands { line: ["/usr/lib/openssh/sftp-server", "echo 'a\n'"] }`,
	} {
		if _, err := Parse([]byte(inService(fields)), "F"); err != nil {
			t.Errorf("%s: got %v, want none", fields, err)
		}
	}
}

// A broker that rereads its policy waits for the answer.
func TestManyProblemsAreToldInPart(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(inService(`users { allow: [`+strings.Repeat(`"!", `, 100000)+`"a"] }`)), "F")
	lines := strings.Split(fmt.Sprint(err), "\n")
	if last := lines[len(lines)-1]; len(lines) != maxProblems+1 || last != "F: has more problems than these; mend them first" {
		t.Errorf("got %d lines, and as the last %q, want %d and that there are more", len(lines), last, maxProblems+1)
	}
}
