package realpam_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestATakenOverAgentCannotSpoilTheLog(t *testing.T) {
	t.Parallel()
	attempted(t, spoils, func(g *takenOver) {
		// A module that prints what the agent gave.
		g.scene.Service["printing"] = service(g.t, honest, `session required pam_exec.so quiet /bin/sh -c "printenv TELEPORT_ROLES"`,
			"session required pam_exec.so quiet "+script(g.t, "printenv TELEPORT_ROLES >&2\n"))
		writeFile(g.t, g.policy, g.policyText(fmt.Sprintf("service { name: %q }", g.scene.Service["printing"])))
	})
}

// forged would be a line of another worker, and clear a terminal.
const forged = "x\npamhelper[1]: login of \"root\" through \"sshd\": opened\n\x1b[2J"

var spoils = table("CannotSpoilTheLog",
	attack{name: "with what a module prints",
		do: func(a *intruder) string {
			begin := beginWith(a.Service["printing"], a.User, func(b *pb.Begin) {
				b.Variables = []*pb.Variable{{Name: []byte("TELEPORT_ROLES"), Value: []byte(forged)}}
			})
			return a.meet(password).tell(helloRequest()).hear().tell(begin).take(inSessionSteps...).take(ipc.End).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, …end=SUCCESS",
	},
	attack{name: "with a service",
		do:    func(a *intruder) string { return a.meet().tell(helloRequest(), beginRequest(forged, a.User)).rest() },
		wants: "…REFUSED: service …", logs: `ended: service "x\npamhelper[1]: login of \"root\" through \"sshd\": opened\n\x1b[2J" is not …`},
	attack{name: "with an address",
		do: func(a *intruder) string {
			return a.meet().tell(helloRequest(), beginWith("sshd", a.User, func(b *pb.Begin) { b.Rhost = forged })).rest()
		},
		wants: "…REFUSED: rhost …", logs: `ended: rhost "x\npamhelper[1]: login of \"root\" through \"sshd\": opened\n\x1b[2J" …`},
	attack{name: "with a variable's name",
		do: func(a *intruder) string {
			return a.meet().tell(helloRequest(), beginWith("sshd", a.User, withVariableOf(forged))).rest()
		},
		wants: "…REFUSED: variable …", logs: `ended: variable "x\npamhelper[1]: login of \"root\" through \"sshd\": opened\n\x1b[2J" …`},
	attack{name: "with a command",
		do: func(a *intruder) string {
			p := a.inSession()
			request := startRequest(forged+"\x00", 3)
			passed, closed := files(3)
			return p.pass(request, passed...).end() + closed()
		},
		wants: opened + ", not started: the command holds a NUL byte, all closed", logs: "no process started: the command holds a NUL byte"},
	attack{name: "with more than anybody reads",
		do: func(a *intruder) string {
			p := a.inSession()
			for range 12000 / 8 {
				p.tell(startRequest("", 0), startRequest("", 0), startRequest("", 0), startRequest("", 0),
					startRequest("", 0), startRequest("", 0), startRequest("", 0), startRequest("", 0)).hear()
			}
			return fmt.Sprint(strings.Count(p.end(), "not started: "), " times not started")
		},
		wants: "12000 times not started", logs: "pamhelper: too much was logged for one login: no more of it"},
	attack{name: "by closing it", only: []transport{overExec},
		do: func(a *intruder) string {
			r, w, err := os.Pipe()
			if err != nil {
				return err.Error()
			}
			r.Close()
			defer w.Close()
			b := *a
			b.launch = execLauncher(pamhelper, w) // without a script that writes to it
			return b.logIn("xavier", wrongPassword, ipc.Authenticate).end() + "; " +
				b.logIn("xavier", password, inSessionSteps...).take(ipc.CloseSession, ipc.End).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR; " + opened + ", close_session=SUCCESS, end=SUCCESS"},
)

func withVariableOf(name string) func(*pb.Begin) {
	return func(b *pb.Begin) { b.Variables = []*pb.Variable{{Name: []byte(name), Value: []byte("x")}} }
}

// noForgedLine: whatever was tried, no line is one that nobody wrote, and none has a
// control character.
func (g *takenOver) noForgedLine() {
	g.t.Helper()
	for line := range strings.Lines(g.logged()) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "pamhelper[1]: ") || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' }) {
			g.t.Errorf("the log has the line %q, want none that an agent has made up", line)
		}
	}
}
