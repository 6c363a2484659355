package realpam_test

import (
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestATakenOverAgentCannotSkipAStep(t *testing.T) {
	t.Parallel()
	attempted(t, skipsSteps, nil)
}

const wrongPassword = "not the password"

var skipsSteps = table("CannotSkipAStep",
	attack{name: "a session without a proof",
		do:    func(a *intruder) string { return a.logIn(a.User, "", ipc.Credentials, ipc.OpenSession).end() },
		wants: "welcome, begin=SUCCESS, VIOLATION: Credentials is not permitted in phase begun",
		logs:  `login of "{user}" through "sshd" ended: Credentials is not permitted in phase begun`,
	},
	attack{name: "account before the proof",
		do:    func(a *intruder) string { return a.logIn(a.User, "", ipc.Account, ipc.OpenSession).end() },
		wants: "welcome, begin=SUCCESS, VIOLATION: Account is not permitted in phase begun",
		logs:  `login of "{user}" through "sshd" ended: Account is not permitted in phase begun`,
	},
	attack{name: "a session without account",
		do: func(a *intruder) string {
			return a.logIn(a.User, password, ipc.Authenticate, ipc.Credentials, ipc.OpenSession).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, VIOLATION: Credentials is not permitted in phase proven",
		logs:  `login of "{user}" through "sshd" ended: Credentials is not permitted in phase proven`,
	},
	attack{name: "the session of a login that failed",
		do: func(a *intruder) string {
			return a.logIn(a.User, wrongPassword, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession).tell(startRequest("id", 0)).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, account=skipped, credentials=skipped, open_session=skipped, start=skipped",
		logs:  `login of "{user}" through "sshd": authenticate: Authentication failure (7), decided by /etc/pam.d/sshd:…`,
	},
	attack{name: "another guess in the same login",
		do: func(a *intruder) string {
			p := a.logIn(a.User, wrongPassword, ipc.Authenticate).hear()
			p.answers = []string{password}
			return p.take(ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, authenticate=skipped, account=skipped, credentials=skipped, open_session=skipped",
		logs:  `login of "{user}" through "sshd": authenticate: Authentication failure (7)`,
	},
	attack{name: "a second proof",
		do:    func(a *intruder) string { return a.logIn(a.User, password, ipc.Authenticate, ipc.Authenticate).end() },
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, VIOLATION: Authenticate is not permitted in phase proven",
		logs:  `login of "{user}" through "sshd" ended: Authenticate is not permitted in phase proven`,
	},
	attack{name: "a process before the session",
		do:    func(a *intruder) string { return a.logIn(a.User, "").tell(startRequest("id", 0)).end() },
		wants: "welcome, begin=SUCCESS, VIOLATION: Start is not permitted in phase begun",
		logs:  `login of "{user}" through "sshd" ended: Start is not permitted in phase begun`,
	},
	attack{name: "a process between credentials and session",
		do: func(a *intruder) string {
			return a.logIn(a.User, password, ipc.Authenticate, ipc.Account, ipc.Credentials).tell(startRequest("id", 0)).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS, credentials=SUCCESS, VIOLATION: Start is not permitted in phase credentialed",
		logs:  `login of "{user}" through "sshd" ended: Start is not permitted in phase credentialed`,
	},
	attack{name: "a process after the session",
		do: func(a *intruder) string {
			return a.logIn(a.User, password, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession, ipc.CloseSession).tell(startRequest("id", 0)).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS, credentials=SUCCESS, open_session=SUCCESS, close_session=SUCCESS, " +
			"VIOLATION: Start is not permitted in phase closed",
		logs: `login of "{user}" through "sshd" ended: Start is not permitted in phase closed`,
	},
	attack{name: "a password that nobody asked to change",
		do: func(a *intruder) string {
			return a.logIn(a.User, password, ipc.Authenticate, ipc.Account, ipc.ChangePassword).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS, VIOLATION: ChangePassword is not permitted in phase permitted",
		logs:  `login of "{user}" through "sshd" ended: ChangePassword is not permitted in phase permitted`,
	},
	attack{name: "a password before the proof",
		do:    func(a *intruder) string { return a.logIn(a.User, "", ipc.ChangePassword).end() },
		wants: "welcome, begin=SUCCESS, VIOLATION: ChangePassword is not permitted in phase begun",
		logs:  `login of "{user}" through "sshd" ended: ChangePassword is not permitted in phase begun`,
	},
	attack{name: "an expired password that stays as it is",
		do: func(a *intruder) string {
			return a.logIn(a.Aged, password, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession).tell(startRequest("id", 0)).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=NEW_AUTHTOK_REQD, credentials=skipped, open_session=skipped, start=skipped",
		logs:  `login of "aged{user}" through "sshd": account: Authentication token is no longer valid; new one required (12)`,
	},
	attack{name: "an expired password without the old one",
		do: func(a *intruder) string {
			p := a.logIn(a.Aged, password, ipc.Authenticate, ipc.Account).hear()
			p.answers = []string{wrongPassword, "Br4nd-new-9", "Br4nd-new-9"}
			return p.take(ipc.ChangePassword, ipc.Credentials, ipc.OpenSession).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=NEW_AUTHTOK_REQD, prompt, change_password=AUTH_ERR, credentials=skipped, open_session=skipped",
		logs:  `login of "aged{user}" through "sshd": change_password: …`,
	},
	attack{name: "another user after the proof",
		do: func(a *intruder) string {
			return a.logIn(a.User, password, ipc.Authenticate).tell(beginRequest("sshd", a.Denied)).take(ipc.Account, ipc.Credentials, ipc.OpenSession).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, VIOLATION: Begin is not permitted in phase proven",
		logs:  `login of "{user}" through "sshd" ended: Begin is not permitted in phase proven`,
	},
	attack{name: "another service after the proof",
		do: func(a *intruder) string {
			return a.logIn(a.User, password, ipc.Authenticate, ipc.Account).tell(beginRequest("login", a.User)).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS, VIOLATION: Begin is not permitted in phase permitted",
		logs:  `login of "{user}" through "sshd" ended: Begin is not permitted in phase permitted`,
	},
	attack{name: "another user in the open session",
		do: func(a *intruder) string {
			p := a.logIn(a.User, password, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession).hear()
			return p.tell(beginRequest("sshd", a.Toor), startRequest("id", 0)).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS, credentials=SUCCESS, open_session=SUCCESS, VIOLATION: Begin is not permitted in phase open",
		logs:  `login of "{user}" through "sshd" ended: Begin is not permitted in phase open`,
	},
	attack{name: "two users in one write",
		do: func(a *intruder) string {
			return a.meet(password).tell(helloRequest(), beginRequest("sshd", a.User), beginRequest("sshd", a.Toor)).take(ipc.Authenticate).end()
		},
		wants: "welcome, begin=SUCCESS, VIOLATION: Begin is not permitted in phase begun",
		logs:  `login of "{user}" through "sshd" ended: Begin is not permitted in phase begun`,
	},
	attack{name: "no greeting",
		do:    func(a *intruder) string { return a.meet().tell(beginRequest("sshd", a.User)).end() },
		wants: "VIOLATION: Begin is not permitted in phase connected",
		logs:  `login that has not begun ended: Begin is not permitted in phase connected`,
	},
	attack{name: "two greetings",
		do:    func(a *intruder) string { return a.meet().tell(helloRequest(), helloRequest(ipc.FeatureTrace)).end() },
		wants: "welcome, VIOLATION: Hello is not permitted in phase greeted",
		logs:  `login that has not begun ended: Hello is not permitted in phase greeted`,
	},
	attack{name: "another version",
		do: func(a *intruder) string {
			return a.meet().tell(&pb.Request{Body: &pb.Request_Hello{Hello: &pb.Hello{Version: 2}}}).end()
		},
		wants: "VERSION: the agent speaks version 2, this helper version 1",
		logs:  `login that has not begun ended: the agent speaks version 2, this helper version 1`,
	},
	attack{name: "what only a debugging worker gives",
		do: func(a *intruder) string {
			p := a.meet(wrongPassword)
			p.tell(helloRequest("trace", "debug"), beginRequest("sshd", a.User)).take(ipc.Authenticate)
			return p.end() // a Trace would stand in it
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR",
		logs:  `login of "{user}" through "sshd": authenticate: Authentication failure (7)`,
	},
	attack{name: "a process without the feature",
		do: func(a *intruder) string {
			return a.meet(password).tell(helloRequest(), beginRequest("sshd", a.User)).
				take(ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession).tell(startRequest("id", 0)).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS, credentials=SUCCESS, open_session=SUCCESS, VIOLATION: Start without the feature processes",
		logs:  `login of "{user}" through "sshd" ended: Start without the feature processes`,
	},
)
