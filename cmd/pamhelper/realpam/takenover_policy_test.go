package realpam_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// stockServices let root in without a question, on Debian 12. A policy that names
// one of them is not valid; one that names a service which includes it is.
var stockServices = []string{"su", "su-l", "runuser", "runuser-l", "chfn", "chsh"}

// TestATakenOverAgentCannotGetAroundThePolicy: also one of an administrator who was
// careless enough to name services that prove nothing.
func TestATakenOverAgentCannotGetAroundThePolicy(t *testing.T) {
	t.Parallel()
	attempted(t, getsAround, func(g *takenOver) {
		deep := service(g.t, "auth sufficient pam_rootok.so", "auth required pam_permit.so")
		deeper := service(g.t, "auth substack "+deep)
		made := g.scene.Marker
		for name, lines := range map[string][]string{
			"rootok":    {"auth include " + deeper, "auth required pam_unix.so"},
			"rhosts":    {"auth sufficient pam_rhosts.so", "auth required pam_unix.so"},
			"timestamp": {"auth required pam_unix.so", "auth optional pam_timestamp.so"},
			"making":    {"auth required pam_unix.so nodelay", "account required pam_exec.so quiet " + script(g.t, "echo $PAM_USER >>"+made+"\n")},
			"vouched":   {honest},
			"shell":     {honest},
			"command":   {honest},
			"local":     {honest},
		} {
			g.scene.Service[name] = service(g.t, lines...)
		}
		var policy strings.Builder
		for _, stock := range stockServices {
			g.scene.Service[stock] = service(g.t, "@include "+stock)
		}
		for _, name := range append(stockServices, "rootok", "rhosts", "timestamp", "making") {
			fmt.Fprintf(&policy, "service { name: %q }\n", g.scene.Service[name])
		}
		fmt.Fprintf(&policy, "service { name: %q proof: AGENT users { deny: %q } }\n", g.scene.Service["vouched"], g.scene.Denied)
		fmt.Fprintf(&policy, "service { name: %q commands { shell: true } }\n", g.scene.Service["shell"])
		fmt.Fprintf(&policy, "service { name: %q commands { line: \"id -u\" } }\n", g.scene.Service["command"])
		fmt.Fprintf(&policy, "service { name: %q remote: false }\n", g.scene.Service["local"])
		writeFile(g.t, g.policy, g.policyText(policy.String()))
	})
}

// through begins a login through a service of the scene.
func (a *intruder) through(service, user, answer string, steps ...ipc.Step) *peer {
	if named, found := a.Service[service]; found {
		service = named
	}
	return a.meet(answer).tell(helloRequest(ipc.FeatureProcesses)).hear().tell(beginRequest(service, user)).take(steps...)
}

func unprovable(name, service, module string) attack {
	return attack{name: name,
		do:    func(a *intruder) string { return a.through(service, a.User, "", ipc.Authenticate, ipc.Account).end() },
		wants: "welcome, REFUSED: service … is not served: " + module + " (…) in its auth lines …; use a service without it",
		logs:  "ended: service … is not served: " + module + " (…) in its auth lines …; use a service without it",
	}
}

func unprovableServices() (list []attack) {
	for _, name := range stockServices {
		list = append(list, unprovable("what the service "+name+" includes", name, "pam_rootok.so"))
	}
	return list
}

const vouchedFor = "welcome, begin=SUCCESS, "

var getsAround = table("CannotGetAroundThePolicy", append(unprovableServices(),
	unprovable("pam_rootok, deep in what a service includes", "rootok", "pam_rootok.so"),
	unprovable("pam_rhosts", "rhosts", "pam_rhosts.so"),
	unprovable("pam_timestamp", "timestamp", "pam_timestamp.so"),
	attack{name: "what account runs as root, before a proof",
		do: func(a *intruder) string {
			return a.through("making", "nosuchuser", "", ipc.Account).end() + made(a.Marker)
		},
		wants: "welcome, begin=SUCCESS, VIOLATION: Account is not permitted in phase begun; root has run nothing",
		logs:  `login of "nosuchuser" … ended: Account is not permitted in phase begun`,
	},
	attack{name: "what account runs as root, with a wrong proof",
		do: func(a *intruder) string {
			return a.through("making", a.User, wrongPassword, ipc.Authenticate, ipc.Account).end() + made(a.Marker)
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, account=skipped; root has run nothing",
		logs:  `login of "{user}" … authenticate: Authentication failure (7)`,
	},
	attack{name: "and gets what account runs as root, with the proof",
		do: func(a *intruder) string {
			return a.through("making", a.User, password, ipc.Authenticate, ipc.Account).end() + made(a.Marker)
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS; root has run the script",
	},
	attack{name: "a command where only shells are",
		do: func(a *intruder) string {
			p := a.through("shell", a.User, password, inSessionSteps...).hear()
			passed, closed := files(3)
			return p.pass(startRequest("id", 3), passed...).end() + closed()
		},
		wants: opened + `, not started: that command is not started through service "…"; the policy allows: the login shell, all closed`,
		logs:  `login of "{user}" …: no process started: that command is not started through service "…"; the policy allows: the login shell`,
	},
	attack{name: "a shell where only a command is",
		do: func(a *intruder) string {
			return a.through("command", a.User, password, inSessionSteps...).hear().tell(onTerminalOf("xterm")).end()
		},
		wants: opened + `, not started: no login shell is started through service "…"; the policy allows: "id -u"`,
		logs:  `login of "{user}" …: no process started: no login shell is started through service "…"; the policy allows: "id -u"`,
	},
	attack{name: "a command that begins as the one that is allowed",
		do: func(a *intruder) string {
			p := a.through("command", a.User, password, inSessionSteps...).hear()
			passed, closed := files(3)
			return p.pass(startRequest("id -u; id", 3), passed...).end() + closed()
		},
		wants: opened + `, not started: that command is not started through service "…"; the policy allows: "id -u", all closed`,
		logs:  `login of "{user}" …: no process started: that command is not started through service "…"; the policy allows: "id -u"`,
	},
	attack{name: "an address where logins are not remote",
		do:    func(a *intruder) string { return a.through("local", a.User, password, ipc.Authenticate).end() },
		wants: "welcome, REFUSED: rhost … is not taken: the policy has service … for logins that are not remote",
		logs:  "ended: rhost … is not taken: the policy has service … for logins that are not remote",
	},
	vouching("root on the agent's word", func(*scene) string { return "root" }),
	vouching("uid 0 on the agent's word", func(s *scene) string { return s.Toor }),
	vouching("somebody denied on the agent's word", func(s *scene) string { return s.Denied }),
	vouching("a low uid on the agent's word", func(s *scene) string { return s.System }),
	attack{name: "nobody on the agent's word", // to whom a stack's own code is no secret
		do: func(a *intruder) string {
			return a.through("vouched", "nosuchuser", "", ipc.Account, ipc.Credentials, ipc.OpenSession).end()
		},
		wants: vouchedFor + "account=USER_UNKNOWN, credentials=skipped, open_session=skipped",
		logs:  `login of "nosuchuser" …: account: User not known to the underlying authentication module (10)`,
	},
	notOverExec(vouching("the agent on its own word", func(s *scene) string { return s.Agent })),
	notOverExec(vouching("another name of the agent's on its own word", func(s *scene) string { return s.Twin })),
	attack{name: "the password of an aged user on the agent's word",
		do: func(a *intruder) string {
			p := a.through("vouched", a.Aged, wrongPassword, ipc.Account).hear()
			p.answers = []string{wrongPassword, "Br4nd-new-9", "Br4nd-new-9"}
			return p.take(ipc.ChangePassword, ipc.Credentials, ipc.OpenSession).end()
		},
		wants: vouchedFor + "account=NEW_AUTHTOK_REQD, prompt, change_password=AUTH_ERR, credentials=skipped, open_session=skipped",
		logs:  `login of "aged{user}" …: change_password: …`,
	},
	attack{name: "a proof that replaces the agent's word",
		do:    func(a *intruder) string { return a.through("vouched", a.User, wrongPassword, ipc.Authenticate).end() },
		wants: vouchedFor + "VIOLATION: Authenticate is not permitted in phase proven",
		logs:  `login of "{user}" … ended: Authenticate is not permitted in phase proven`,
	},
	attack{name: "the agent's word for a service that wants a proof",
		do: func(a *intruder) string {
			return a.through("shell", a.User, "", ipc.Account, ipc.Credentials, ipc.OpenSession).end()
		},
		wants: "welcome, begin=SUCCESS, VIOLATION: Account is not permitted in phase begun",
		logs:  `login of "{user}" … ended: Account is not permitted in phase begun`,
	},
)...)

// vouching is the agent's word for somebody who may not log in.
func vouching(name string, user func(*scene) string) attack {
	return attack{name: name,
		do: func(a *intruder) string {
			return a.through("vouched", user(&a.scene), "", ipc.Account, ipc.Credentials, ipc.OpenSession).tell(startRequest("id", 0)).end()
		},
		wants: vouchedFor + "account=PERM_DENIED, credentials=skipped, open_session=skipped, start=skipped",
		logs:  "login of … account: …; the user may not log in: …",
	}
}

// made says whether a script that root runs has left its mark.
func made(marker string) string {
	if _, err := os.Lstat(marker); err == nil {
		return "; root has run the script"
	}
	return "; root has run nothing"
}

func TestATakenOverAgentCannotKeepAWorker(t *testing.T) {
	t.Parallel()
	attempted(t, keeps, func(g *takenOver) {
		writeFile(g.t, g.policy, fmt.Sprintf("service { name: \"sshd\" users { deny: %q } }\ndeadlines { login: 1 prompt: 1 close: 5 hangup: 0 terminate: 1 }\n"+
			"limits { logins: 8 unopened_logins: 8 logins_per_user: 3 starts_per_second: 1000 starts_at_once: 1000 }\n", g.scene.Denied))
	})
}

const late = "TIMEOUT: the login did not come to an open session, or did not end after it, before its deadline"

var keeps = table("CannotKeepAWorker",
	attack{name: "by silence", do: func(a *intruder) string { return a.meet().rest() }, wants: late, logs: "login that has not begun ended: the login did not come …"},
	attack{name: "by silence behind Begin",
		do:    func(a *intruder) string { return a.logIn(a.User, "").rest() },
		wants: "welcome, begin=SUCCESS, " + late, logs: `login of "{user}" through "sshd" ended: the login did not come …`},
	attack{name: "by silence in a question",
		do:    func(a *intruder) string { return a.atPrompt(a.User).rest() },
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, " + late, logs: `login of "{user}" through "sshd": authenticate: …; a prompt got no answer`},
	attack{name: "with a longer deadline",
		do: func(a *intruder) string {
			begin := beginWith("sshd", a.User, func(b *pb.Begin) { b.LoginTimeoutMs, b.PromptTimeoutMs, b.CloseTimeoutMs = 1<<32-1, 1<<32-1, 1<<32-1 })
			return a.meet().tell(helloRequest(), begin).rest()
		},
		wants: "welcome, begin=SUCCESS, " + late, logs: `login of "{user}" through "sshd" ended: the login did not come …`},
	attack{name: "by one byte at a time",
		do: func(a *intruder) string {
			p := a.meet()
			frame, _ := ipc.AppendFrame(nil, beginWith("sshd", a.User, func(b *pb.Begin) { b.Ruser = make([]byte, 100000) }))
			ended := make(chan string, 1)
			go func() { ended <- p.rest() }()
			for i := range frame {
				select {
				case got := <-ended:
					return got
				case <-tick():
					p.stream.Write(frame[i : i+1])
				}
			}
			return <-ended
		},
		wants: late, logs: "login that has not begun ended: the login did not come …"},
)

func TestATakenOverAgentCannotCrowdOthersOut(t *testing.T) {
	t.Parallel()
	attempted(t, crowdsOut, func(g *takenOver) {
		writeFile(g.t, g.policy, g.policyText("limits { logins: 8 unopened_logins: 8 logins_per_user: 3 starts_per_second: 100000 starts_at_once: 100000 }"))
	})
}

var crowdsOut = table("CannotCrowdOthersOut",
	attack{name: "by thousands of logins", do: (*intruder).crowd,
		wants: "8 are served, the others are told that …; then the user is served: " + opened,
		logs:  "logins …"},
	attack{name: "by sessions of one user, and others are served",
		do: func(a *intruder) string {
			var first []*peer
			for range 3 {
				first = append(first, a.patiently(a.User))
			}
			got := a.logIn(a.User, password, inSessionSteps...).end()
			got += "; another: " + a.patiently(a.Other).end()
			for _, p := range first {
				p.end()
			}
			return got
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS, BUSY: user \"{user}\" has 3 logins, no more are allowed (logins_per_user in the policy); another: " + opened,
		logs:  `login of "{user}" through "sshd" ended: user "{user}" has 3 logins, no more are allowed (logins_per_user in the policy)`},
)

// crowd holds all the workers that it gets, and says nothing to them. When they have
// gone, a login is served.
func (a *intruder) crowd() string {
	many := 60 // each that is turned away costs a worker
	if a.Over == overBroker {
		many = 10000
	}
	var held []*peer
	busy := ""
	for range many {
		p := a.meet().tell(helloRequest())
		if p.hear(); !p.over && p.heard[0] == "welcome" {
			held = append(held, p)
			continue
		}
		if busy = p.rest(); !strings.HasPrefix(busy, "BUSY: ") && !strings.HasPrefix(busy, "no worker: ") {
			return "something else came: " + busy
		}
	}
	for _, p := range held {
		p.end()
	}
	return fmt.Sprintf("%d are served, the others are told that %q; then the user is served: %s", len(held), busy, a.patiently(a.User).end())
}

// patiently opens a session as soon as there is room: a worker that has ended counts
// until it has been reaped.
func (a *intruder) patiently(user string) *peer {
	for deadline := time.Now().Add(patience); ; <-tick() {
		p := a.logIn(user, password, inSessionSteps...).hear()
		busy := strings.Contains(p.heard[len(p.heard)-1], "busy") || strings.HasPrefix(p.heard[len(p.heard)-1], "BUSY")
		if !busy || time.Now().After(deadline) {
			return p
		}
		p.rest()
	}
}

// tick is the pace of somebody who drips bytes.
func tick() <-chan time.Time { return time.After(5 * time.Millisecond) }
