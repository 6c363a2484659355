package worker

import (
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// populate gives a login the users that the cases speak of.
func (l *fakeLogin) populate() {
	l.known.add("root", 0, 0)
	l.known.add("toor", 0, 1000)
	l.known.add("wheel", 1200, 0)
	l.known.add("alice", 1001, 100, 2001)
	l.known.add("alias", 1001, 100, 2001)           // alice under another name
	l.known.users["ALICE"] = l.known.users["alice"] // of a directory that has no case
	l.known.add("bob", 1002, 2001)
	l.known.add("carol", 1003, 100)
	l.known.add("daemon", 999, 999)
	l.known.add("agent", 1050, 1050)
	l.known.groups = map[string]uint32{"staff": 2001, "users": 100, "root": 0}
	l.agentUID = 1050
}

func TestUsersOfAServiceAreThoseOfThePolicy(t *testing.T) {
	for _, c := range []struct {
		users, user string
		broken      string // what nobody knows, with blanks between
		denial      string // a part of it; empty: may log in
	}{
		{users: "", user: "alice"},
		{users: "", user: "nosuchuser", denial: "unknown user"},
		{users: "", user: "root", denial: "root"},
		{users: "", user: "toor", denial: "root, by another name"},
		{users: "", user: "wheel", denial: "root, by another name or by the primary group"},
		{users: "", user: "root", broken: "root", denial: "root"},
		{users: "allow_root: true", user: "root"},
		{users: "allow_root: true", user: "toor"},
		{users: "allow_root: true", user: "wheel"},
		{users: "", user: "daemon", denial: "uid 999 is smaller than 1000"},
		{users: "minimum_uid: 999", user: "daemon"},
		{users: "minimum_uid: 1002", user: "alice", denial: "uid 1001 is smaller than 1002"},
		{users: "", user: "agent", denial: "the agent's own"},
		{users: `allow: "agent"`, user: "agent", denial: "the agent's own"},

		{users: `deny: "alice"`, user: "alice", denial: "denied by name"},
		{users: `deny: "alice"`, user: "alice", broken: "alice", denial: "denied by name"},
		{users: `deny: "alice"`, user: "alias", denial: `uid 1001 is that of "alice"`},
		{users: `deny: "alice"`, user: "bob"},
		{users: `deny: "alice"`, user: "alias", broken: "alice"}, // only by name, and a warning
		{users: `deny: "alice"`, user: "ALICE", broken: "alice", denial: `"alice" is denied by name`},
		{users: `deny: "alice" allow: "alice"`, user: "alice", denial: "denied by name"},
		{users: `deny: "alice" allow_group: "staff"`, user: "alias", denial: "uid 1001 is that of"},

		{users: `allow: "alice"`, user: "alice"},
		{users: `allow: "alice"`, user: "bob", denial: "not one of those"},
		{users: `allow: "alice"`, user: "alice", broken: "alice", denial: "cannot be looked up"},
		{users: `allow: "nosuchuser"`, user: "nosuchuser", denial: "unknown user"},
		{users: "", user: "alice", broken: "alice"}, // PAM may know, and it is asked again

		{users: `allow_group: "staff"`, user: "alice"},
		{users: `allow_group: "staff"`, user: "bob"}, // the primary one
		{users: `allow_group: "staff"`, user: "carol", denial: "not one of those"},
		{users: `allow_group: "staff" allow: "carol"`, user: "carol"},
		{users: `allow_group: "staff"`, user: "alice", broken: "staff", denial: "not one of those"},
		{users: `allow_group: "nosuchgroup"`, user: "alice", denial: "not one of those"},
		{users: `deny_group: "staff"`, user: "alice", denial: `group "staff"`},
		{users: `deny_group: "staff"`, user: "bob", denial: `group "staff"`},
		{users: `deny_group: "staff"`, user: "carol"},
		{users: `deny_group: "staff" allow: "alice"`, user: "alice", denial: `group "staff"`},
		{users: `deny_group: "users" allow_group: "staff"`, user: "alice", denial: `group "users"`},
	} {
		l := newFakeLoginOf(t, "users { "+c.users+" }")
		l.populate()
		for _, name := range strings.Fields(c.broken) {
			l.known.broken[name] = true
		}
		events, _ := l.driveAs(t, c.user, hello, begin, authenticate, end)
		result := events[2].GetResult()
		want := pb.PamCode_PAM_SUCCESS
		if c.denial != "" {
			want = pb.PamCode_PAM_AUTH_ERR
		}
		if result.GetCode() != want || !strings.Contains(l.denial, c.denial) || (l.denial == "") != (c.denial == "") {
			t.Errorf("users { %s }, user %s, broken %q: %v, denied for %q; want %v for %q", c.users, c.user, c.broken,
				result.GetCode(), l.denial, want, c.denial)
		}
		if c.denial != "" && !strings.Contains(l.logged.String(), c.denial) {
			t.Errorf("users { %s }, user %s: log %q, want the reason %q in it", c.users, c.user, l.logged.String(), c.denial)
		}
	}
}

func TestNamesOfThePolicyThatCannotBeResolvedAreWarnedOfOnce(t *testing.T) {
	l := newFakeLoginOf(t, `users { deny: ["alice", "nosuchuser"] deny_group: ["nosuchgroup", "staff"] }`)
	l.populate()
	l.known.broken["alice"], l.known.broken["staff"] = true, true
	l.driveAs(t, "carol", hello, begin, authenticate, account, credentials)
	for _, want := range []string{
		`user "alice", whom the policy denies, cannot be looked up: the server does not answer`,
		`user "nosuchuser", whom the policy denies, does not exist`,
		`group "nosuchgroup" of the policy does not exist`,
		`group "staff" of the policy cannot be looked up: the server does not answer`,
	} {
		if n := strings.Count(l.logged.String(), want); n != 1 {
			t.Errorf("the log has %q %d times, want once:\n%s", want, n, l.logged.String())
		}
	}
}

func TestAUserIsJudgedAgainBehindAccount(t *testing.T) {
	for _, c := range []struct {
		sshd, denial string
		change       func(*fakeLogin)
	}{
		{"", "root", func(l *fakeLogin) { l.known.add("alice", 0, 0) }},
		{"", "root", func(l *fakeLogin) { l.known.add("alice", 1001, 0) }},
		{"", "smaller", func(l *fakeLogin) { l.known.add("alice", 10, 100) }},
		{"", "the agent's own", func(l *fakeLogin) { l.known.add("alice", 1050, 100) }},
		{"", "unknown user", func(l *fakeLogin) { delete(l.known.users, "alice") }},
		{"", "does not answer", func(l *fakeLogin) { l.known.broken["alice"] = true }},
		{`users { deny_group: "users" }`, `group "users"`, func(l *fakeLogin) { l.known.add("alice", 1001, 2001, 100) }},
	} {
		for _, step := range []pb.Step{pb.Step_ACCOUNT, pb.Step_CHANGE_PASSWORD} {
			l := newFakeLoginOf(t, c.sshd)
			l.populate()
			l.known.add("alice", 1001, 2001)
			l.fake.during = map[pb.Step]func(){step: func() { c.change(l) }}
			way := []request{hello, begin, authenticate, account, credentials}
			if step == pb.Step_CHANGE_PASSWORD { // between account and credentials
				l.fake.codes = map[pb.Step]libpam.Status{pb.Step_ACCOUNT: libpam.NewAuthtokReqd}
				way = []request{hello, begin, authenticate, account, changePassword, credentials}
			}
			events, err := l.driveAs(t, "alice", way...)
			if step == pb.Step_ACCOUNT {
				if got := events[3].GetResult().GetCode(); got != pb.PamCode_PAM_PERM_DENIED || !strings.Contains(l.denial, c.denial) {
					t.Errorf("%s: account %v for %q, want PAM_PERM_DENIED for %q", c.sshd, got, l.denial, c.denial)
				}
				continue
			}
			if f := events[len(events)-1].GetFault(); f.GetKind() != pb.Fault_REFUSED || !strings.Contains(f.GetText(), c.denial) {
				t.Errorf("%s: %v, %v; want credentials refused for %q", c.sshd, f, err, c.denial)
			}
		}
	}
}

// noting is a directory that notes what it is asked for, but for whom.
type noting struct {
	directory
	asked string
}

func (n *noting) User(name string) (userprocess.Passwd, error) {
	n.asked += "user "
	return n.directory.User(name)
}

func (n *noting) Group(name string) (uint32, error) {
	n.asked += "group " + name + " "
	return n.directory.Group(name)
}

func (n *noting) GroupsOf(a userprocess.Passwd) ([]uint32, error) {
	n.asked += "groups "
	return n.directory.GroupsOf(a)
}

// Otherwise the time of a Begin would tell who exists, most of all where users come
// over the network.
func TestTheSameIsLookedUpForEverybody(t *testing.T) {
	t.Parallel()
	known := &fakeDirectory{users: map[string]userprocess.Passwd{}, groups: map[string]uint32{"good": 20, "bad": 21, "worse": 22}, members: map[uint32][]uint32{}}
	known.add("root", 0, 0)
	known.add("daemon", 1, 1)
	known.add("alice", 1001, 1001, 20)
	known.add("mallory", 1002, 1002, 21)
	known.add("denied", 1003, 1003)
	known.add("twin", 1003, 1003)
	users := &pb.Users{Allow: []string{"alice"}, Deny: []string{"denied", "nosuch"}, AllowGroup: []string{"good", "none"}, DenyGroup: []string{"bad", "worse"}}
	const want = "user user user groups group bad group worse group good group none "
	for _, name := range []string{"alice", "root", "daemon", "mallory", "denied", "twin", "unknown"} {
		n := &noting{directory: known}
		usersRule{Users: users, directory: n, agent: noUID, warn: func(string) {}}.judge(name)
		if n.asked != want {
			t.Errorf("%s: asked for %q, want %q", name, n.asked, want)
		}
	}
}
