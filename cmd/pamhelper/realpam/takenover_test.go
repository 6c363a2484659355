// A taken-over agent has the agent's uid, its sockets and the protocol. What it
// tries stands in the tables of takenover_*_test.go. It tries it through the
// helper itself (exec), under a broker, and over a socket of systemd.

package realpam_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// attack is one thing that a taken-over agent tries.
type attack struct {
	name string
	// do tries it and says what came back, in words. It runs with the agent's uid,
	// but with root's where the way is exec.
	do func(*intruder) string
	// wants is all that has to come back, and logs what a line of the helper's log
	// has to say about it. In both {user} is the user, {agent} the agent's user, and …
	// any text within a line. Without logs, nothing of the helper sees the attempt:
	// the kernel refuses it, or there is nothing to refuse.
	wants, logs string
	// only are those transports it applies to; none: all.
	only []transport
}

func (a attack) over(w transport) bool { return len(a.only) == 0 || slices.Contains(a.only, w) }

// tables are all attacks, by the name of their test behind TestATakenOverAgent.
var tables = map[string][]attack{}

// table adds one. It is called before any init.
func table(name string, attacks ...attack) string {
	tables[name] = attacks
	return name
}

// transports that there are.
var transports = []transport{overExec, overBroker, overSocket}

// attempted runs a table over every way, each on a machine of its own, where an honest
// login has to be served behind all attacks.
func attempted(t *testing.T, name string, prepare func(*takenOver)) {
	ready(t)
	for _, w := range transports {
		if !slices.ContainsFunc(tables[name], func(a attack) bool { return a.over(w) }) {
			continue
		}
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			g := newTakenOver(t, w)
			if prepare != nil {
				prepare(g)
			}
			g.expect(tables[name], g.tried(name))
			g.noForgedLine()
		})
	}
}

// takenOver is the ground of one way, with the users of the scene.
type takenOver struct {
	*ground
	scene  scene
	log    *os.File
	policy string // the file of the policy
	dir    string // of what is put over the machine's files
}

// honest is the stack of a real login, with pam_warn to count its calls.
const honest = `auth required pam_unix.so nullok nodelay
account optional pam_warn.so
account required pam_unix.so
password optional pam_warn.so
password required pam_unix.so sha512`

func newTakenOver(t *testing.T, w transport) *takenOver {
	t.Helper()
	number := int(grounds.Add(1))
	name := fmt.Sprintf("fault%d", number)
	own := account{user: name, home: "/home/" + name, shell: "/bin/sh", uid: 20000 + number}
	s := scene{Over: w, User: name, Agent: "agent" + name, Twin: "twin" + name, Toor: "toor" + name, Wheel: "wheel" + name,
		Void: "void" + name, System: "system" + name, Denied: "denied" + name, Aged: "aged" + name, Other: "other" + name, Service: map[string]string{}}
	g := &takenOver{ground: &ground{t: t, account: own}, scene: s}
	g.helper = helperWith(t, "auth optional pam_warn.so\nsession optional pam_warn.so\nsession required pam_permit.so\n"+honest, g.accounts())
	g.dir = filepath.Dir(g.helper)
	g.scene.Marker = filepath.Join(public(t), "made")
	g.openLog()
	g.records = filepath.Join(g.dir, "records")
	policy := filepath.Join(g.dir, "policy")
	g.policy = filepath.Join(policy, "policy.textproto")
	err := errors.Join(os.MkdirAll(recordDir, 0o700), os.Mkdir(g.records, 0o700), os.Mkdir(policy, 0o755),
		os.MkdirAll(own.home, 0o755), os.Chown(own.home, own.uid, own.uid), os.Chmod(filepath.Join(g.dir, "+etc+shadow"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	g.before("mount --bind '" + g.records + "' " + recordDir)
	g.before("mount --bind '" + policy + "' " + policyDir)
	writeFile(t, g.policy, g.policyText(""))
	t.Cleanup(g.check)
	return g
}

// openLog makes the file that the helper writes to. What is written to it stands in
// the order in which that was done.
func (g *takenOver) openLog() {
	g.t.Helper()
	file, err := os.OpenFile(filepath.Join(g.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		g.t.Fatal(err)
	}
	g.log = file
	g.t.Cleanup(func() { file.Close() })
}

// policyText is a policy with more of it.
func (g *takenOver) policyText(more string) string {
	return fmt.Sprintf(`service { name: "sshd" users { deny: %q } }
deadlines { close: 5 hangup: 0 terminate: 1 }
%s`, g.scene.Denied, more)
}

// policyDir is where a helper reads its policy.
const policyDir = "/etc/pamhelper"

// accounts are the files with the users of the scene.
func (g *takenOver) accounts() map[string]string {
	passwd, shadow, group := g.account.line(), "root:*:19000:0:99999:7:::\n", "root:x:0:\n"
	hash := hashOf(g.t, "alice")
	add := func(name string, uid, gid int, hash string, changed string) {
		passwd += fmt.Sprintf("%s:x:%d:%d::/:/bin/sh\n", name, uid, gid)
		shadow += fmt.Sprintf("%s:%s:%s:0:99999:7:::\n", name, hash, changed)
	}
	s := g.scene
	add(s.Agent, g.uid+10000, g.uid+10000, hash, "19000")
	add(s.Twin, g.uid+10000, g.uid+20000, hash, "19000")
	add(s.Toor, 0, g.uid+30000, hash, "19000")
	add(s.Wheel, g.uid+30000, 0, hash, "19000")
	add(s.Void, g.uid+40000, g.uid+40000, "", "19000")
	add(s.System, 200, 200, hash, "19000")
	add(s.Denied, g.uid+50000, g.uid+50000, hash, "19000")
	add(s.Other, g.uid+70000, g.uid+70000, hash, "19000")
	add(s.Aged, g.uid+60000, g.uid+60000, hash, "0")
	shadow += fmt.Sprintf("%s:%s:19000:0:99999:7:::\n", s.User, hash)
	return map[string]string{"/etc/passwd": passwd, "/etc/shadow": shadow, "/etc/group": group}
}

// hashOf is the machine's own hash of a user's password.
func hashOf(t *testing.T, user string) string {
	t.Helper()
	for line := range strings.Lines(readFile(t, "/etc/shadow")) {
		if fields := strings.Split(line, ":"); fields[0] == user {
			return fields[1]
		}
	}
	t.Fatalf("/etc/shadow has no %s", user)
	return ""
}

// tried lets the agent try a table, and returns what came of each attack.
func (g *takenOver) tried(name string) (got []outcome) {
	g.t.Helper()
	switch g.scene.Over {
	case overBroker:
		return g.triedBy(name, g.underBroker)
	case overSocket:
		g.socket()
		return g.triedBy(name, g.besideSocket)
	}
	a := &intruder{scene: g.scene, begins: g.marks, launch: execLauncher(g.helper, g.log), debugging: execLauncher(g.helper, g.log, "--debug")}
	a.attack(tables[name], func(o outcome) { got = append(got, o) })
	return got
}

// triedBy is the same with a process of its own. It tells on its standard output
// what it is about to do, and waits for its mark in the log.
func (g *takenOver) triedBy(name string, start func(words ...string) *exec.Cmd) (got []outcome) {
	g.t.Helper()
	binary, err := agentBinary()
	if err != nil {
		g.t.Fatal(err)
	}
	about, err := json.Marshal(g.scene)
	if err != nil {
		g.t.Fatal(err)
	}
	cmd := start(binary, takenOverArgument, name, string(about))
	cmd.Stderr = g.log
	in, err := cmd.StdinPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	said := json.NewDecoder(out)
	for {
		var o outcome
		if err := said.Decode(&o); err != nil {
			break
		}
		if o.Begins {
			g.marks(o.Name)
			io.WriteString(in, "\n")
		} else {
			got = append(got, o)
		}
	}
	if err := cmd.Wait(); err != nil {
		g.t.Fatalf("%s ended with %v; the log:\n%s", cmd.Path, err, g.logged())
	}
	return got
}

// underBroker is a broker with an agent.
func (g *takenOver) underBroker(words ...string) *exec.Cmd {
	return exec.Command(g.helper, append([]string{"broker", "--user", g.scene.Agent, "--"}, words...)...)
}

// besideSocket is an agent as its own unit has it.
func (g *takenOver) besideSocket(words ...string) *exec.Cmd {
	uid := strconv.Itoa(g.uid + 10000)
	const start = `. "$0/mounts"; uid=$1; shift
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs --bounding-set=-all "$@"`
	return exec.Command("unshare", append([]string{"--mount", "sh", "-c", start, g.dir, uid}, words...)...)
}

// socket listens as the socket unit does: for the agent's group.
func (g *takenOver) socket() {
	g.t.Helper()
	g.scene.Socket = filepath.Join(public(g.t), "socket")
	cmd := exec.Command("systemd-socket-activate", append(accepting, "--listen="+g.scene.Socket, g.helper, "worker")...)
	cmd.Stdout, cmd.Stderr = g.log, g.log
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	g.scene.Helper = cmd.Process.Pid
	eventually(g.t, func() bool { return strings.Contains(g.logged(), "Listening on ") }, "a socket that is listened on: %s", g.log.Name())
	if err := errors.Join(os.Chown(g.scene.Socket, 0, g.uid+10000), os.Chmod(g.scene.Socket, 0o660)); err != nil {
		g.t.Fatal(err)
	}
}

func (g *takenOver) logged() string { return fileLog(g.log.Name()).String() }

func (g *takenOver) marks(name string) { io.WriteString(g.log, mark+name+"\n") }

// expect compares what came back and what was logged with the table.
func (g *takenOver) expect(table []attack, got []outcome) {
	outcomes, logs := map[string]string{}, g.logs()
	for _, o := range got {
		outcomes[o.Name] = o.Got
	}
	for _, attempt := range table {
		if !attempt.over(g.scene.Over) {
			continue
		}
		g.t.Run(attempt.name, func(t *testing.T) {
			if got, wants := outcomes[attempt.name], g.inTheScene(attempt.wants); !regexp.MustCompile("^" + wants + "$").MatchString(got) {
				t.Errorf("what came back: got\n%s\nwant\n%s", got, wants)
			}
			if line := g.inTheScene(attempt.logs); !regexp.MustCompile(line).MatchString(logs[attempt.name]) {
				t.Errorf("the helper's log: got\n%s\nwant a line with\n%s", logs[attempt.name], line)
			}
		})
	}
}

// inTheScene makes a pattern of a text of the table.
func (g *takenOver) inTheScene(text string) string {
	named := strings.NewReplacer("{user}", g.scene.User, "{agent}", g.scene.Agent).Replace(text)
	return strings.ReplaceAll(regexp.QuoteMeta(named), "…", ".*")
}

// logs is what was logged during each attack.
func (g *takenOver) logs() map[string]string {
	logs := map[string]string{}
	for _, section := range strings.Split("\n"+g.logged(), "\n"+mark)[1:] {
		name, text, _ := strings.Cut(section, "\n")
		logs[name] = text
	}
	return logs
}
