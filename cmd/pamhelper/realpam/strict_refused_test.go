package realpam_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

func TestBeginIsHeldToThePolicy(t *testing.T) {
	change := func(f func(*ipc.Login)) ipc.Login {
		login := loginOf("alice")
		f(&login)
		return login
	}
	variable := func(name, value string) ipc.Login {
		return change(func(l *ipc.Login) { l.Variables = []ipc.Variable{{Name: name, Value: value}} })
	}
	cases := map[string]ipc.Login{
		"ruser":                   change(func(l *ipc.Login) { l.Ruser = "bob" }),
		"login id with a newline": change(func(l *ipc.Login) { l.ID = "a\npamhelper[1]: b" }),
		"long login id":           change(func(l *ipc.Login) { l.ID = strings.Repeat("a", 65) }),
		"variable TELEPORT_LOGIN": variable("TELEPORT_LOGIN", "root"),
		"variable with = in name": variable("TELEPORT_USERNAME=x", "y"),
		"variable with NUL":       variable("TELEPORT_USERNAME", "a\x00b"),
		"variable without a name": variable("", "x"),
		"variables of 65 KiB":     variable("TELEPORT_USERNAME", strings.Repeat("x", 65<<10)),
	}
	for _, service := range []string{"login", "su", "runuser", "other", "SSHD", "sshd/", "../pam.d/sshd", "/etc/pam.d/sshd", "", "sshd\x00", "sshd\n", " sshd", strings.Repeat("s", 10000)} {
		cases["service "+label(service)] = change(func(l *ipc.Login) { l.Service = service })
	}
	for _, user := range []string{"", "ali\x00ce", "alice\n", "al\nice", "-alice", "1alice", ".alice", "@lice", "al ice", "al/ice", "al:ice", "älice",
		"alice$x", strings.Repeat("a", 257), strings.Repeat("a", 10000)} {
		cases["user "+label(user)] = change(func(l *ipc.Login) { l.User = user })
	}
	for _, rhost := range []string{"", "localhost", "host.example.org", "UNKNOWN", "192.0.2", "192.0.2.5:22", "192.0.2.5 ", "192.0.2.5\x00", "192.0.2.0/24", "fe80::1%eth0", "fe80::1%x\n"} {
		cases["rhost "+label(rhost)] = change(func(l *ipc.Login) { l.Rhost = rhost })
	}
	for _, name := range []string{"LD_PRELOAD", "PATH", "LANG", "TELEPORT", "TELEPORT_ROLES2", "teleport_roles", "XDG_SEAT", "PAM_USER"} {
		cases["variable "+name] = variable(name, "x")
	}
	for name, login := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &person{answers: []string{password}}
			results, err := dial(t, p).Login(t.Context(), login, ipc.Authenticate)
			var refused *ipc.RefusedError
			if !errors.As(err, &refused) || len(results) > 0 || len(p.said) > 0 {
				t.Fatalf("got %q, %v, conversation %q; want a refusal before anything", show(results), err, p.said)
			}
			if strings.ContainsAny(refused.Text, "\x00\n") || len(refused.Text) > 1000 {
				t.Errorf("text of the refusal: got %d bytes, %q; want one short line", len(refused.Text), refused.Text)
			}
		})
	}
}

func TestAddressesAndNamesThatAreAllowed(t *testing.T) {
	for _, rhost := range []string{"192.0.2.5", "2001:db8::1", "::ffff:192.0.2.5", "::1"} {
		t.Run(label(rhost), func(t *testing.T) {
			t.Parallel()
			login := loginOf("alice")
			login.Rhost = rhost
			if _, err := dial(t, &person{answers: []string{password}}).Login(t.Context(), login, ipc.Authenticate, ipc.End); err != nil {
				t.Errorf("got %v, want a login", err)
			}
		})
	}
}

func TestStepsOutOfOrderAreViolations(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []ipc.Step
		step   ipc.Step
	}{
		{"change of a password nobody asked for", []ipc.Step{ipc.Authenticate, ipc.Account}, ipc.ChangePassword},
		{"change of a password before account", []ipc.Step{ipc.Authenticate}, ipc.ChangePassword},
		{"change of a password first", nil, ipc.ChangePassword},
		{"second proof", []ipc.Step{ipc.Authenticate}, ipc.Authenticate},
		{"account first", nil, ipc.Account},
		{"session without account", []ipc.Step{ipc.Authenticate}, ipc.OpenSession},
		{"session without credentials", []ipc.Step{ipc.Authenticate, ipc.Account}, ipc.OpenSession},
		{"credentials without a proof", nil, ipc.Credentials},
		{"close without a session", []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials}, ipc.CloseSession},
		{"second session", []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession}, ipc.OpenSession},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, &person{answers: []string{password, password, password}})
			if results, err := client.Login(t.Context(), loginOf("alice"), c.before...); err != nil {
				t.Fatalf("the steps before: got %q, %v", show(results), err)
			}
			results, err := client.Do(t.Context(), c.step)
			var violation *ipc.ViolationError
			if !errors.As(err, &violation) || len(results) > 0 {
				t.Errorf("got %q, %v; want a protocol violation", show(results), err)
			}
		})
	}
}

// label makes a value a short subtest name.
func label(value string) string {
	if len(value) > 40 {
		value = value[:8] + "…"
	}
	if value == "" {
		return "empty"
	}
	return strings.ReplaceAll(value, "/", "|")
}
