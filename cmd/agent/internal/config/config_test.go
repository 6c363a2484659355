package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// loaded parses a configuration that is right.
func loaded(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("agent.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheGuidesExampleLoadsUnchanged(t *testing.T) {
	t.Parallel()
	c, err := Load("testdata/guide.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !c.SSH.Enabled || !c.SSH.PAM.Enabled || !c.SSH.PAM.UsePAMAuth || c.SSH.PAM.ServiceName != "sshd" {
		t.Errorf("got %+v, want all enabled with the service sshd", c.SSH)
	}
	values, missing, err := c.SSH.PAM.Values(map[string][]string{"email": {"alice@example.com"}})
	if err != nil || missing != nil {
		t.Fatalf("got %v and %v, want neither", missing, err)
	}
	if want := []Value{{"FOO", "bar"}, {"EMAIL", "alice@example.com"}}; !reflect.DeepEqual(values, want) {
		t.Errorf("got %v, want %v", values, want)
	}
	if want := "Welcome to the cluster. All activity will be logged."; c.Auth.MessageOfTheDay != want {
		t.Errorf("got %q, want %q", c.Auth.MessageOfTheDay, want)
	}
}

func TestWhatIsLeftOutHasItsDefault(t *testing.T) {
	t.Parallel()
	got := loaded(t, "ssh_service: {pam: {enabled: yes}}\n")
	want := &Config{
		File: "agent.yaml",
		SSH: SSHService{
			Enabled: true, ListenAddr: "0.0.0.0:3022", HostKeys: []string{"/etc/pamhelper/ssh_host_ed25519_key"},
			PAM:          PAM{Enabled: true, ServiceName: "sshd"},
			LoginTimeout: 2 * time.Minute, MaxUnauthenticated: 100, MaxChannels: 10,
			KeepaliveInterval: 5 * time.Minute, KeepaliveCount: 3, DrainTimeout: 30 * time.Second,
		},
		Log: Log{Level: "info", Format: "text"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestEveryKeyIsTaken(t *testing.T) {
	t.Parallel()
	got, err := Load("../../agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got.File = ""
	for i := range got.SSH.PAM.Environment {
		got.SSH.PAM.Environment[i].Value = nil
	}
	want := &Config{
		SSH: SSHService{
			Enabled: true, ListenAddr: "0.0.0.0:3022",
			HostKeys:          []string{"/etc/pamhelper/ssh_host_ed25519_key"},
			TrustedUserCAKeys: []string{"/etc/pamhelper/user_ca.pub"},
			AuthorizedKeys:    "/etc/pamhelper/authorized_keys/%u", PasswordServiceName: "agent-password",
			PAM: PAM{Enabled: true, ServiceName: "teleport", Environment: []Variable{
				{Name: "SITE"}, {Name: "EMAIL"}, {Name: "MAILBOX"}, {Name: "TEAMS"},
			}},
			LoginTimeout: 2 * time.Minute, MaxUnauthenticated: 100, MaxChannels: 10,
			KeepaliveInterval: 5 * time.Minute, KeepaliveCount: 3, DrainTimeout: 30 * time.Second,
		},
		Auth: AuthService{
			MessageOfTheDay:            "Welcome to the cluster. All activity will be logged.\n",
			MessageOfTheDayExemptRoles: []string{"backup", "ci"},
		},
		Log: Log{Level: "info", Format: "text"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestBooleansAreWordsOfTeleport(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{
		"yes": true, "Yes": true, "on": true, "ON": true, "true": true, "True": true, `"yes"`: true, "'true'": true,
		"no": false, "off": false, "false": false, "FALSE": false, `"no"`: false,
	} {
		if got := loaded(t, with("use_pam_auth: "+word)).SSH.PAM.UsePAMAuth; got != want {
			t.Errorf("%s: got %v, want %v", word, got, want)
		}
	}
}

func TestWordsOfBooleansAreTextsElsewhere(t *testing.T) {
	t.Parallel()
	c := loaded(t, with("environment: {A: yes, B: true, C: 0x1F, D: 1.50, E: \"\", F: off}"))
	values, _, err := c.SSH.PAM.Values(nil)
	want := []Value{{"A", "yes"}, {"B", "true"}, {"C", "0x1F"}, {"D", "1.50"}, {"E", ""}, {"F", "off"}}
	if err != nil || !reflect.DeepEqual(values, want) {
		t.Errorf("got %v and %v, want %v", values, err, want)
	}
}

// with is a configuration with a line in its section pam, which is line 4 and
// begins in column 5.
func with(line string) string {
	return "ssh_service:\n  pam:\n    enabled: yes\n    " + line + "\n"
}

func TestWhatIsWrongIsToldWithPlaceAndRemedy(t *testing.T) {
	t.Parallel()
	ssh := func(line string) string { return "ssh_service:\n  pam: {enabled: yes}\n  " + line + "\n" }
	top := func(line string) string { return ssh("") + line + "\n" }
	for _, test := range []struct {
		name, text string
		want       []string // all problems, without the file
	}{
		{"empty", "", []string{"1:1: the file is empty; it needs at least the section ssh_service"}},
		{"comments only", "# nothing\n", []string{"1:1: the file is empty; it needs at least the section ssh_service"}},
		{"a text", "hello\n", []string{`1:1: the file is "hello"; it is a mapping, lines of KEY: VALUE`}},
		{"a list", "- a\n", []string{"1:1: the file is a list; it is a mapping, lines of KEY: VALUE"}},
		{"no service", "log: {level: info}\n", []string{"1:1: there is no section ssh_service; it says what to serve"}},
		{"an empty section", "ssh_service:\n", []string{"1:14: ssh_service is nothing; it is a mapping, lines of KEY: VALUE"}},
		{"large", strings.Repeat("#", maxFile+1), []string{"1:1: the file has more than 65536 bytes; is it the configuration?"}},
		{"nested in a line", "a:\n" + strings.Repeat("- ", 20), []string{"2:1: more than 20 lists in a line; is it the configuration?"}},
		{"nested", strings.Repeat("[", maxBrackets+1), []string{"1:2001: more than 2000 brackets; is it the configuration?"}},
		{"byte order mark", "\ufeffssh_service:\n", []string{"1:1: the file begins with a byte order mark; save it as UTF-8 without one"}},
		{"UTF-16", "\xff\xfes\x00", []string{"1:1: a byte that is not UTF-8; save the file as UTF-8"}},
		{"Latin-1", "# caf\u00e9\n# caf\xe9\n", []string{"2:6: a byte that is not UTF-8; save the file as UTF-8"}},
		{"NUL", "a: \x00\n", []string{"1:4: the control character U+0000; remove it"}},
		{"tab", "ssh_service:\n\tenabled: yes\n", []string{"2:1: a tab in the indentation; YAML takes spaces only"}},
		{"tab behind spaces", "ssh_service:\n  pam:\n  \tenabled: yes\n", []string{"3:3: a tab in the indentation; YAML takes spaces only"}},
		{"syntax", "ssh_service: [a\n", []string{"1:14: not YAML: sequence end token ']' not found"}},
		{"no space behind the colon", with("service_name:sshd"), []string{"4:5: not YAML: non-map value is specified; a space has to be behind the colon: KEY: VALUE"}},
		{"no colon", with("service_name sshd"), []string{
			"4:5: not YAML: non-map value is specified; a line is KEY: VALUE, with a colon, and one of a text behind | is indented more than its key"}},
		{"no space behind the dash", ssh("host_keys:\n   - /a\n   -/b"), []string{
			"5:4: not YAML: value is not allowed in this context; a space has to be behind the dash: - ITEM"}},
		{"indented too far", with(" service_name: sshd"), []string{"3:14: not YAML: mapping value is not allowed in this context; " +
			"look at the indentation: the keys of a section begin in one column, in the line behind as well"}},
		{"indented too little", ssh("host_keys:\n   - /a\n  - /b"), []string{"5:3: not YAML: non-map value is specified; " +
			"look at the indentation: the keys of a section begin in one column, in the line behind as well"}},
		{"a quote that stays open", with(`service_name: "sshd`), []string{"4:19: not YAML: could not find end character of double-quoted text; the quote is not closed"}},
		{"an apostrophe", top("auth_service:\n  message_of_the_day: 'it's logged'"), []string{"5:27: not YAML: value is not allowed in this context. map key-value is pre-defined; " +
			"a ' between single quotes is written twice, or the text in double quotes"}},
		{"a colon in a text", top("auth_service:\n  message_of_the_day: Welcome: all is logged"), []string{
			"5:23: not YAML: mapping value is not allowed in this context; a text with a colon in it has to be in quotes"}},
		{"a text that begins as YAML's", ssh("listen_addr: [::]:3022"), []string{
			"3:20: not YAML: value is not allowed in this context; a text that begins so has to be in quotes"}},
		{"a broker without quotes", top("helper: broker:"), []string{
			"4:9: not YAML: mapping value is not allowed in this context; a text with a colon in it has to be in quotes"}},
		{"two documents", top("---\na: 1"), []string{"5:1: a second document behind ---; the file is one document, remove the other"}},
		{"directive", "%YAML 1.2\n---\na: 1\n", []string{"1:1: a directive; remove the line, and the --- behind it"}},
		{"duplicate section", top("log: {}\nlog: {}"), []string{"5:1: the key log stands in line 4 already; remove one of them"}},
		{"duplicate key", with("enabled: no"), []string{"4:5: the key enabled stands in line 3 already; remove one of them"}},
		{"duplicate variable", with("environment: {A: b, A: c}"), []string{"4:25: the key A stands in line 4 already; remove one of them"}},
		{"anchor", ssh("listen_addr: &a 1"), []string{"3:16: ssh_service.listen_addr: an anchor or alias (&, *) is not ADDRESS:PORT, such as 0.0.0.0:3022 or [::]:3022"}},
		{"alias of a section", "a: &a {enabled: yes}\nssh_service: *a\n", []string{
			"1:1: a is not known; the keys of the file are ssh_service, auth_service, helper, log",
			"2:14: ssh_service is an anchor or alias (&, *); it is a mapping, lines of KEY: VALUE"}},
		{"merge", ssh("<<: {enabled: no}"), []string{"3:3: << merges another mapping, which is not taken here; write the keys out"}},
		{"tag", ssh("listen_addr: !!str 1"), []string{"3:16: ssh_service.listen_addr: a tag (!!str) is not ADDRESS:PORT, such as 0.0.0.0:3022 or [::]:3022"}},
		{"a number as key", ssh("1: 2"), []string{`3:3: "1" is no key; a key is a plain word`}},

		{"unknown key", with("use_pam_auht: yes"), []string{"4:5: ssh_service.pam.use_pam_auht is not known; did you mean use_pam_auth?"}},
		{"unknown section", top("ssh-services: {}"), []string{"4:1: ssh-services is not known; did you mean ssh_service?"}},
		{"a letter is missing of a long key", top("auth_service: {message_of_the_day_exempt_role: [ci]}"), []string{
			"4:16: auth_service.message_of_the_day_exempt_role is not known; did you mean message_of_the_day_exempt_roles?"}},
		{"half a key", ssh("password_service: svc"), []string{"3:3: ssh_service.password_service is not known; did you mean password_service_name?"}},
		{"a very long key", ssh(strings.Repeat("a", 100) + ": b"), []string{"3:3: ssh_service." + strings.Repeat("a", 68) +
			"… is not known; the keys of ssh_service are " + strings.Join(keys["ssh_service"], ", ")}},
		{"in another spelling", with("Service-Name: sshd"), []string{"4:5: ssh_service.pam.Service-Name is not known; did you mean service_name?"}},
		{"nothing alike", with("colour: red"), []string{
			"4:5: ssh_service.pam.colour is not known; the keys of ssh_service.pam are enabled, service_name, use_pam_auth, account_first, environment"}},
		{"in another section", ssh("use_pam_auth: yes"), []string{"3:3: ssh_service.use_pam_auth is not known; use_pam_auth stands in ssh_service.pam"}},
		{"Teleport's section", top("teleport: {nodename: a}\nversion: v3"), []string{
			"4:1: teleport is for Teleport itself; this file takes ssh_service and auth_service over from a teleport.yaml, and nothing else",
			"5:1: version is for Teleport itself; this file takes ssh_service and auth_service over from a teleport.yaml, and nothing else"}},
		{"Teleport's key", ssh("labels: {a: b}"), []string{"3:3: ssh_service.labels is for Teleport itself and does nothing here; remove it"}},

		{"PAM off", "ssh_service:\n  pam:\n    enabled: no\n", []string{
			"3:14: ssh_service.pam.enabled: PAM is the only way in to the machine here; write enabled: yes, or ssh_service.enabled: no"}},
		{"PAM not on", "ssh_service:\n  pam: {service_name: sshd}\n", []string{
			"2:3: ssh_service.pam.enabled: PAM is the only way in to the machine here; write enabled: yes, or ssh_service.enabled: no"}},
		{"no PAM", "ssh_service:\n  enabled: yes\n", []string{
			"1:1: ssh_service.pam.enabled: PAM is the only way in to the machine here; write enabled: yes, or ssh_service.enabled: no"}},
		{"not a boolean", with("use_pam_auth: maybe"), []string{`4:19: ssh_service.pam.use_pam_auth: "maybe" is neither yes nor no`}},
		{"account before nothing", with("account_first: yes"), []string{
			"4:20: ssh_service.pam.account_first: without use_pam_auth there are no auth lines that account could come before; remove it, or write use_pam_auth: yes"}},
		{"a number for a boolean", with("use_pam_auth: 1"), []string{`4:19: ssh_service.pam.use_pam_auth: "1" is neither yes nor no`}},
		{"a list for a boolean", with("use_pam_auth: [yes]"), []string{`4:19: ssh_service.pam.use_pam_auth: a list is neither yes nor no`}},
		{"a number for a text", with("service_name: 12"), []string{`4:19: ssh_service.pam.service_name: "12" is not a text; put it in quotes: "12"`}},
		{"nothing for a text", with("service_name:"), []string{`4:19: ssh_service.pam.service_name: nothing is not a text`}},
		{"a path for a service", with("service_name: /etc/pam.d/sshd"), []string{
			`4:19: ssh_service.pam.service_name: "/etc/pam.d/sshd" is a path; write the name of the file in /etc/pam.d alone: "sshd"`}},
		{"other", with("service_name: other"), []string{
			`4:19: ssh_service.pam.service_name: "other" is what libpam reads for services without a file; name one that has a file`}},
		{"upper case", with("service_name: SSHD"), []string{
			`4:19: ssh_service.pam.service_name: "SSHD" has upper-case letters, which libpam makes lower-case; write "sshd"`}},
		{"no service", with(`service_name: ""`), []string{
			`4:19: ssh_service.pam.service_name: "" is no service; it is the name of a file in /etc/pam.d, of a-z 0-9 _ . @ + -`}},
		{"one service, two proofs", ssh("password_service_name: sshd"), []string{
			`3:26: ssh_service.password_service_name: "sshd" is pam.service_name too, whose logins the agent proves, and not PAM; name another service, or write pam.use_pam_auth: yes`}},

		{"a port alone", ssh("listen_addr: 22"), []string{`3:16: ssh_service.listen_addr: "22" is not ADDRESS:PORT, such as 0.0.0.0:3022 or [::]:3022`}},
		{"no port", ssh("listen_addr: 127.0.0.1"), []string{`3:16: ssh_service.listen_addr: "127.0.0.1" is not ADDRESS:PORT, such as 0.0.0.0:3022 or [::]:3022`}},
		{"a name", ssh("listen_addr: localhost:22"), []string{`3:16: ssh_service.listen_addr: "localhost" is no numeric address; write one, such as 0.0.0.0:22`}},
		{"a port too large", ssh("listen_addr: 127.0.0.1:65536"), []string{
			`3:16: ssh_service.listen_addr: "65536" is no port; a port is a number from 1 to 65535, or 0 for one that is free`}},
		{"no list", ssh("host_keys: /etc/key"), []string{`3:14: ssh_service.host_keys: "/etc/key" is not a list; write ["/etc/key"]`}},
		{"a long text for a list", ssh("host_keys: /" + strings.Repeat("k", 40)),
			[]string{`3:14: ssh_service.host_keys: "/` + strings.Repeat("k", 39) + `"… is not a list; write [ITEM, ITEM], or lines of - ITEM`}},
		{"a mapping for a list", ssh("host_keys: {a: b}"), []string{"3:14: ssh_service.host_keys: a mapping is not a list; write [ITEM, ITEM], or lines of - ITEM"}},
		{"no space behind a dash", ssh("host_keys:\n    -/etc/key"), []string{`4:5: ssh_service.host_keys: "-/etc/key" is not a list; a space has to be behind the dash: - ITEM`}},
		{"no space in the only line", "ssh_service:\n  pam:\n    enabled:yes\n", []string{`3:5: ssh_service.pam is "enabled:yes"; a space has to be behind the colon: KEY: VALUE`}},
		{"a number in quotes", ssh(`max_channels: "10"`), []string{`3:17: ssh_service.max_channels: "10" is not a number from 1 to 1000; write it without quotes: 10`}},
		{"sshd's files in homes", ssh("authorized_keys: .ssh/authorized_keys"), []string{`3:20: ssh_service.authorized_keys: ".ssh/authorized_keys" is in the homes of users, ` +
			"where the agent has no right to read; write a directory for all of them, such as /etc/pamhelper/authorized_keys/%u"}},
		{"sshd's mark of a home", ssh(`authorized_keys: "%h/.ssh/authorized_keys"`), []string{`3:20: ssh_service.authorized_keys: "%h/.ssh/authorized_keys" is in the homes of users, ` +
			"where the agent has no right to read; write a directory for all of them, such as /etc/pamhelper/authorized_keys/%u"}},
		{"an empty list", ssh("host_keys: []"), []string{`3:14: ssh_service.host_keys: an empty list; name a file, or leave host_keys out`}},
		{"relative", ssh("host_keys: [key]"), []string{`3:15: ssh_service.host_keys: "key" is not an absolute path; write it from / on`}},
		{"twice", ssh("host_keys: [/a, /a]"), []string{`3:19: ssh_service.host_keys: "/a" is there twice; remove one`}},
		{"a number in a list", ssh("host_keys: [1]"), []string{`3:15: ssh_service.host_keys: "1" is not a text; put it in quotes: "1"`}},
		{"no mark", ssh("authorized_keys: /etc/keys"), []string{
			`3:20: ssh_service.authorized_keys: "/etc/keys" is to hold %u once, for the user's name, and none of % * ? [ \ besides; such as /etc/pamhelper/authorized_keys/%u`}},
		{"another mark", ssh("authorized_keys: /home/%u/%h"), []string{
			`3:20: ssh_service.authorized_keys: "/home/%u/%h" is to hold %u once, for the user's name, and none of % * ? [ \ besides; such as /etc/pamhelper/authorized_keys/%u`}},
		{"no unit", ssh("login_timeout: 30"), []string{`3:18: ssh_service.login_timeout: "30" is not a time; write one from 1s to 1h with its unit, such as 30s or 2m`}},
		{"too long a time", ssh("login_timeout: 2h"), []string{`3:18: ssh_service.login_timeout: 2h is not from 1s to 1h`}},
		{"not off", ssh("login_timeout: 0"), []string{`3:18: ssh_service.login_timeout: 0s is not from 1s to 1h`}},
		{"negative", ssh("drain_timeout: -1s"), []string{`3:18: ssh_service.drain_timeout: -1s is not from 1s to 24h, or 0`}},
		{"too many", ssh("max_unauthenticated_connections: 1000000"), []string{`3:36: ssh_service.max_unauthenticated_connections: 1000000 is not from 1 to 100000`}},
		{"no channels", ssh("max_channels: 0"), []string{`3:17: ssh_service.max_channels: 0 is not from 1 to 1000`}},
		{"octal", ssh("keepalive_count_max: 0x3"), []string{`3:24: ssh_service.keepalive_count_max: "0x3" is not a number from 1 to 100`}},
		{"many digits", ssh("keepalive_count_max: 99999999999999999999"), []string{`3:24: ssh_service.keepalive_count_max: "99999999999999999999" is not a number from 1 to 100`}},

		{"another helper", top("helper: tcp:1.2.3.4"), []string{`4:9: helper: "tcp:1.2.3.4" is neither broker: nor unix:PATH`}},
		{"a broker without its colon", top("helper: broker"), []string{`4:9: helper: "broker" is neither broker: nor unix:PATH; write "broker:", in quotes`}},
		{"a path alone", top("helper: /run/pamhelper.sock"), []string{
			`4:9: helper: "/run/pamhelper.sock" is neither broker: nor unix:PATH; write unix:/run/pamhelper.sock`}},
		{"exec", top("helper: exec:/usr/local/sbin/pamhelper"), []string{`4:9: helper: exec: is not for a serving agent, which is confined and cannot start programs; write broker: or unix:PATH`}},
		{"a relative socket", top("helper: unix:sock"), []string{`4:9: helper: "sock" is not an absolute path; write it from / on`}},
		{"log level", top("log: {level: warning}"), []string{`4:14: log.level: "warning" is not one of info, debug, warn, error; did you mean warn?`}},
		{"a number as level", top("log: {level: 3}"), []string{`4:14: log.level: "3" is not a text; put it in quotes: "3"`}},
		{"an escape in the message", top(`auth_service: {message_of_the_day: "\e[2J"}`), []string{
			"4:36: auth_service.message_of_the_day: a control character other than newline and tab"}},

		{"a lower-case variable", with("environment: {email: a}"), []string{
			"4:19: ssh_service.pam.environment: the helper takes variables in upper case only; write EMAIL"}},
		{"a variable of ours", with("environment: {TELEPORT_ROLES: a}"), []string{
			"4:19: ssh_service.pam.environment: TELEPORT_ROLES is set for every login anyway, from who logs in; remove it"}},
		{"a variable that no policy admits", with("environment: {PATH: a}"), []string{
			"4:19: ssh_service.pam.environment: PATH is a name that no policy of a helper can admit: a shell runs or splits commands as it says, " +
				"or runs what it names; take another one"}},
		{"one in lower case", with("environment: {ld_preload: a}"), []string{
			"4:19: ssh_service.pam.environment: LD_PRELOAD is a name that no policy of a helper can admit: the dynamic linker and libc do what it says, " +
				"or load code from where it says; take another one"}},
		{"a long variable", with("environment: {" + strings.Repeat("A", 129) + ": a}"), []string{
			`4:19: ssh_service.pam.environment: "` + strings.Repeat("A", 40) + `"… is no name of a variable: A-Z, 0-9 and _, at most 128 of them, not beginning with a digit`}},
		{"no variable", with("environment: {A-B: a}"), []string{
			`4:19: ssh_service.pam.environment: "A-B" is no name of a variable: A-Z, 0-9 and _, at most 128 of them, not beginning with a digit`}},
		{"no value", with("environment: {A: }"), []string{`4:21: ssh_service.pam.environment.A: nothing is not a value; write "" for an empty one`}},
		{"a list as value", with("environment: {A: [a]}"), []string{`4:22: ssh_service.pam.environment.A: a list is not a value; write a text`}},
		{"no quotes", with("environment:\n      A: {{ external.email }}"), []string{
			`5:10: an expression without quotes; write "{{ … }}", or '{{ … }}' where it has quotes in it`}},
		{"quotes in quotes", with("environment:\n      A: \"{{ external[\"a-b\"] }}\""), []string{
			`5:10: an expression whose quotes end those around it; write '{{ … }}', with single ones`}},
		{"in double quotes", with(`environment: {A: "{{ external.a-b }}"}`), []string{
			`4:36: ssh_service.pam.environment.A: unexpected '-'; a name with other characters than letters, digits and _ is written external["name"]`}},
		{"in single quotes", with(`environment: {A: 'é{{ regexp.replace(external.a, "(", "") }}'}`), []string{
			"4:54: ssh_service.pam.environment.A: the pattern of regexp.replace: missing closing ): `(`"}},
		{"behind escapes", with(`environment: {A: "{{ external[\"a\"} }}"}`), []string{
			"4:22: ssh_service.pam.environment.A: expected ], found '}'"}},
		{"several", with("a: 1") + "log: 1\n", []string{
			"4:5: ssh_service.pam.a is not known; the keys of ssh_service.pam are enabled, service_name, use_pam_auth, account_first, environment",
			`5:6: log is "1"; it is a mapping, lines of KEY: VALUE`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("agent.yaml", []byte(test.text))
			var got []string
			var problems Problems
			if errors.As(err, &problems) {
				for _, problem := range problems {
					got = append(got, strings.TrimPrefix(problem.Error(), "agent.yaml:"))
				}
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestOnlyARegularFileIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 10<<20); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		dir:             "read the configuration: " + dir + " is a directory; name the file in it",
		fifo:            "read the configuration: " + fifo + " is no regular file",
		"/dev/zero":     "read the configuration: /dev/zero is no regular file",
		dir + "/nosuch": "read the configuration: open " + dir + "/nosuch: no such file or directory",
		large:           large + ":1:1: the file has more than 65536 bytes; is it the configuration?",
	} {
		if _, err := Load(file); fmt.Sprint(err) != want {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
	}
}

func TestAnchorsAreNotExpanded(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'z'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	_, err := Parse("agent.yaml", []byte(bomb))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 27 {
		t.Errorf("got %v, want 26 unknown keys and no ssh_service", err)
	}
}

func TestUselessConfigurationsAreToldBeforeTheyRun(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ssh_service: {enabled: no}": "ssh_service.enabled is no: there is nothing to run",
		"ssh_service: {pam: {enabled: yes}}": "nobody could log in: name in ssh_service a file of trusted_user_ca_keys for certificates, " +
			"authorized_keys for public keys, or a password_service_name for passwords",
		"ssh_service: {pam: {enabled: yes}, trusted_user_ca_keys: [/ca]}":      "<nil>",
		"ssh_service: {pam: {enabled: yes}, authorized_keys: /keys/%u}":        "<nil>",
		"ssh_service: {pam: {enabled: yes}, password_service_name: passwords}": "<nil>",
	} {
		if got := fmt.Sprint(loaded(t, text).Ready()); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestAKeyFileIsNamedAfterTheUser(t *testing.T) {
	t.Parallel()
	c := loaded(t, "ssh_service: {pam: {enabled: yes}, authorized_keys: /keys/%u.pub}")
	if got, want := c.SSH.AuthorizedKeysOf("alice"), "/keys/alice.pub"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (SSHService{}).AuthorizedKeysOf("alice"); got != "" {
		t.Errorf("got %q without authorized_keys, want none", got)
	}
}

func TestMissingClaimsLeaveTheirVariablesOut(t *testing.T) {
	t.Parallel()
	c := loaded(t, with(`environment: {A: a, EMAIL: "{{ external.email }}", TEAMS: "{{ external.teams }}", Z: z}`))
	values, missing, err := c.SSH.PAM.Values(map[string][]string{"teams": {"dev", "ops"}})
	if want := []Value{{"A", "a"}, {"TEAMS", "dev ops"}, {"Z", "z"}}; err != nil || !reflect.DeepEqual(values, want) {
		t.Errorf("got %v and %v, want %v", values, err, want)
	}
	if got, want := fmt.Sprint(missing), `[EMAIL is left out: there is no claim "email"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnUnusableClaimEndsTheLogin(t *testing.T) {
	t.Parallel()
	c := loaded(t, with(`environment: {LOCAL: "{{ email.local(external.email) }}"}`))
	_, _, err := c.SSH.PAM.Values(map[string][]string{"email": {"nobody"}})
	if got, want := fmt.Sprint(err), `the variable LOCAL: email.local: "nobody" is no mail address`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheManPageHasEveryKey(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../agent.yaml.5")
	if err != nil {
		t.Fatal(err)
	}
	for path, known := range keys {
		for _, key := range known {
			tag := ".It Cm " + key
			if path == "log" {
				tag = ".It Cm log." + key
			}
			if _, section := keys[strings.TrimPrefix(path+"."+key, ".")]; section {
				tag = ".Ss " + strings.TrimPrefix(path+"."+key, ".")
			}
			if key != "log" && !strings.Contains(string(page), tag+" ") && !strings.Contains(string(page), tag+"\n") {
				t.Errorf("%s is not in the page; wanted %q", key, tag)
			}
		}
	}
}
