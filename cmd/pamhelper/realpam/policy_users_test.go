package realpam_test

import (
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

func itoa(n int) string { return strconv.Itoa(n) }

func uidOf(t *testing.T, name string) int {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

func TestUsersThatThePolicyDeniesAreRefusedAsWithAWrongPassword(t *testing.T) {
	t.Parallel()
	helper := helperWith(t, "auth required pam_permit.so", map[string]string{
		"/etc/passwd": "root:x:0:0::/root:/bin/sh\nlow:x:500:500::/:/bin/sh\nalice:x:21001:21001::/:/bin/sh\nalias:x:21001:21001::/:/bin/sh\n" +
			"bob:x:21002:21009::/:/bin/sh\ncarol:x:21003:21003::/:/bin/sh\n",
		"/etc/group": "root:x:0:\nlow:x:500:\nstaff:x:21009:alice\nalice:x:21001:\ncarol:x:21003:\n",
	})
	for _, c := range []struct {
		users, in, out string // names that log in and that do not
	}{
		{"", "alice alias bob carol", "low root nosuchuser"},
		{"minimum_uid: 500", "low alice", "root"},
		{"minimum_uid: 21002", "bob carol", "alice alias low"},
		{"allow_root: true", "root alice", "low"},
		{`deny: "alice"`, "bob carol", "alice alias"},
		{`allow: "alice"`, "alice", "bob carol alias low"},
		{`allow_group: "staff"`, "alice bob", "carol low"},
		{`deny_group: "staff"`, "carol", "alice bob"},
		{`deny_group: "staff" allow: ["alice", "carol"]`, "carol", "alice bob"},
	} {
		path := policyFile(t, `service { name: "sshd" users { `+c.users+` } }`)
		for _, list := range []struct {
			names string
			want  string
		}{
			{c.in, "begin=PAM_SUCCESS authenticate=PAM_SUCCESS account=PAM_SUCCESS credentials=PAM_SUCCESS end=PAM_SUCCESS"},
			{c.out, "begin=PAM_SUCCESS authenticate=PAM_AUTH_ERR account=skipped credentials=skipped end=PAM_SUCCESS"},
		} {
			for _, name := range strings.Fields(list.names) {
				client, _ := dialHelper(t, &person{}, helper, "--policy", path)
				results, _ := client.Login(t.Context(), loginOf(name), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.End)
				if got := show(results); got != list.want {
					t.Errorf("users { %s }: %s: got %q, want %q", c.users, name, got, list.want)
				}
				client.Close()
			}
		}
	}
}

// TestRefusalsOfThePolicyLookTheSame compares all that comes over the socket but the
// names and the times.
func TestRefusalsOfThePolicyLookTheSame(t *testing.T) {
	t.Parallel()
	ready(t)
	policy := policyFile(t, `service { name: "sshd" users { deny: "bob" deny_group: "users" minimum_uid: 1000 } }`)
	seen := func(user, answer string) string {
		p := &person{answers: []string{answer}}
		client, _ := dialHelper(t, p, pamhelper, "--policy", policy)
		results, _ := client.Login(t.Context(), loginOf(user), ipc.Authenticate, ipc.Account, ipc.End)
		client.Close()
		text := strings.Join(p.said, "|")
		for _, r := range results {
			r.Duration = 0
			text += fmt.Sprintf("|%+v", r)
		}
		return strings.ReplaceAll(text, user, "USER")
	}
	want := seen("alice", "wrong")
	for _, user := range []string{"bob", "root", "daemon", "nosuchuser"} {
		for _, answer := range []string{password, "wrong"} {
			if got := seen(user, answer); got != want || !strings.Contains(got, "PAM_AUTH_ERR") {
				t.Errorf("%s with %s:\ngot  %s\nwant %s", user, label(answer), got, want)
			}
		}
	}
}

func TestEmptyPasswordsLogInOnlyWhereThePolicySaysSo(t *testing.T) {
	for fields, want := range map[string]string{
		"":                           "begin=PAM_SUCCESS authenticate=PAM_AUTH_ERR account=skipped",
		"allow_empty_password: true": "begin=PAM_SUCCESS authenticate=PAM_SUCCESS account=PAM_SUCCESS",
	} {
		t.Run(fields, func(t *testing.T) {
			t.Parallel()
			s := servedBy(t, fields, "auth required pam_unix.so nullok", "account required pam_unix.so")
			if got, p, _ := s.tries(emptyUser, "", ipc.Authenticate, ipc.Account); got != want {
				t.Errorf("got %q with %q, want %q", got, p.said, want)
			}
		})
	}
}

func TestAModuleMayGiveACanonicalName(t *testing.T) {
	t.Parallel()
	module := hostile(t)
	line := func(facility, in, name string) string {
		return facility + " required " + module + " user in=" + in + " file=" + name
	}
	const whole = "begin=PAM_SUCCESS authenticate=PAM_SUCCESS account=PAM_SUCCESS credentials=PAM_SUCCESS open_session=PAM_SUCCESS"
	for _, c := range []struct{ name, fields, line, user, want string }{
		{"in authenticate", "allow_canonical_user: true", line("auth", "auth", "victor"), "victor", whole},
		{"in account", "allow_canonical_user: true", line("account", "account", "victor"), "victor", whole},
		{"without leave", "", line("auth", "auth", "victor"), "", "begin=PAM_SUCCESS"},
		{"to root", "allow_canonical_user: true", line("auth", "auth", "root"), "", "begin=PAM_SUCCESS authenticate=PAM_AUTH_ERR account=skipped credentials=skipped open_session=skipped"},
		{"in the session", "allow_canonical_user: true", line("session", "session", "victor"), "", strings.TrimSuffix(whole, " open_session=PAM_SUCCESS")},
	} {
		s := servedBy(t, c.fields, c.line)
		client, log := s.dial(&person{})
		results, err := client.Login(t.Context(), s.login("walter"), ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession)
		if got := show(results); got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
		if c.user == "" {
			client.Close()
			continue
		}
		got := runIn(t, client, `echo "$(id -un) $TELEPORT_LOGIN $USER"`, "")
		if want := c.user + " " + c.user + " " + c.user + "\n"; got.stdout != want {
			t.Errorf("%s: a process: got %+v, want %q", c.name, got, want)
		}
		if user := client.User(); user != c.user || !strings.Contains(log.String(), `a module changed the user to "`+c.user+`"`) {
			t.Errorf("%s: user %q, log %q; want %s, and the change in the log", c.name, user, log, c.user)
		}
		client.Close()
	}
}
