package realpam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestATakenOverAgentCannotBeginAs(t *testing.T) {
	t.Parallel()
	attempted(t, beginsAs, nil)
}

// beginning is a Begin that has to be refused before PAM hears of it.
func beginning(name string, change func(*scene, *pb.Begin), because string) attack {
	return attack{name: name,
		do: func(a *intruder) string {
			begin := beginWith("sshd", a.User, func(b *pb.Begin) { change(&a.scene, b) })
			return a.meet(password).tell(helloRequest()).hear().tell(begin).take(ipc.Authenticate).end()
		},
		wants: "welcome, REFUSED: " + because,
		logs:  "ended: " + because,
	}
}

// beginningWithField is one with a field that the schema does not have.
func beginningWithField(name string, field protowire.Number, value string) attack {
	return attack{name: name,
		do: func(a *intruder) string {
			begin := beginRequest("sshd", a.User)
			raw := protowire.AppendTag(nil, field, protowire.BytesType)
			begin.GetBegin().ProtoReflect().SetUnknown(protowire.AppendString(raw, value))
			return a.meet(password).tell(helloRequest()).hear().tell(begin).take(ipc.Authenticate).end()
		},
		wants: "welcome, VIOLATION: Begin with a field this version does not have",
		logs:  "ended: Begin with a field this version does not have",
	}
}

func ofService(name string) func(*scene, *pb.Begin) {
	return func(_ *scene, b *pb.Begin) { b.Service = name }
}

func ofUser(name string) func(*scene, *pb.Begin) {
	return func(_ *scene, b *pb.Begin) { b.User = []byte(name) }
}

func from(rhost string) func(*scene, *pb.Begin) {
	return func(_ *scene, b *pb.Begin) { b.Rhost = rhost }
}

func withVariable(name, value string) func(*scene, *pb.Begin) {
	return func(_ *scene, b *pb.Begin) {
		b.Variables = []*pb.Variable{{Name: []byte(name), Value: []byte(value)}}
	}
}

func withVariables(n, size int) func(*scene, *pb.Begin) {
	return func(_ *scene, b *pb.Begin) {
		one := &pb.Variable{Name: []byte("A"), Value: []byte(strings.Repeat("x", size))}
		b.Variables = slices.Repeat([]*pb.Variable{one}, n)
	}
}

var beginsAs = table("CannotBeginAs", slices.Concat(
	unservedServices("su", "su-l", "runuser", "runuser-l", "chfn", "chsh", "login", "passwd", "other", "SSHD", " sshd"),
	[]attack{
		beginning("a service in another directory", ofService("../pam.d/sshd"), `service "../pam.d/sshd" is not a service's name; …`),
		beginning("a service with a path", ofService("/etc/pam.d/sshd"), `service "/etc/pam.d/sshd" is not a service's name; …`),
		beginning("a service with a NUL", ofService("sshd\x00su"), `service "sshd\x00su" is not a service's name; …`),
		beginning("no service", ofService(""), `service "" is not a service's name; …`),
		beginning("a service with a long name", ofService(strings.Repeat("s", 1000)), `service "sss…`),

		beginning("a user that reads as an option", ofUser("-D"), `user name "-D" is not one; …`),
		beginning("a user that reads as a long option", ofUser("--root=/"), `user name "--root=/" is not one; …`),
		beginning("no user", ofUser(""), `user name "" is not one; …`),
		beginning("a user with a NUL", ofUser("root\x00x"), `user "root\x00x" has more than 256 bytes, a newline or a NUL`),
		beginning("a user with a newline", ofUser("x\npamhelper[1]: login of root"), `user "x\npamhelper[1]: login of root" has more than 256 bytes, a newline or a NUL`),
		beginning("a user with terminal escapes", ofUser("\x1b[2J\x1b]0;root\a"), `user name "\x1b[2J\x1b]0;root\a" is not one; …`),
		beginning("a user with a path", ofUser("../../root"), `user name "../../root" is not one; …`),
		beginning("a user with shell in it", ofUser("$(id)"), `user name "$(id)" is not one; …`),
		beginning("a user with a wildcard", ofUser("*"), `user name "*" is not one; …`),
		beginning("a user with a uid for a name", ofUser("0"), `user name "0" is not one; …`),
		beginning("a user whose name is no UTF-8", ofUser("\xff\xfe"), `user name "\xff\xfe" is not one; …`),
		beginning("a user with a long name", ofUser(strings.Repeat("u", 100000)), `user "uuu… has more than 256 bytes, a newline or a NUL`),

		beginning("no remote host", from(""), `rhost "" is not a numeric address; …`),
		beginning("a host name", from("localhost"), `rhost "localhost" is not a numeric address; …`),
		beginning("a host name of the client's own", from("trusted.example.org"), `rhost "trusted.example.org" is not a numeric address; …`),
		beginning("an address with a zone", from("fe80::1%LOCAL"), `rhost "fe80::1%LOCAL" is not a numeric address; …`),
		beginning("a network", from("192.0.2.0/24"), `rhost "192.0.2.0/24" is not a numeric address; …`),
		beginning("a remote host with a NUL", from("192.0.2.1\x00"), `rhost "192.0.2.1\x00" has …`),
		beginning("a remote root", func(_ *scene, b *pb.Begin) { b.Ruser = []byte("root") }, "ruser is not taken…"),

		beginningWithField("a terminal at the machine", 40, "tty1"),
		beginningWithField("an X display", 41, ":0"),
		beginningWithField("a configuration directory", 42, "/tmp/pam.d"),
		beginningWithField("PAM's flags", 43, "\x00\x00\x00\x01"),
	},
	notAdmitted("LD_PRELOAD", "BASH_ENV", "PATH", "OPENSSL_CONF", "PYTHONPATH", "PERL5LIB", "IFS", "ENV", "KRB5_CONFIG", "HOSTALIASES", "TZ",
		"XDG_SEAT", "XDG_VTNR", "XDG_SESSION_CLASS", "TELEPORT_LOGIN", "TELEPORT_", "TELEPORT_ROLESX", "teleport_roles", "PAM_USER", "LANG"),
	[]attack{
		beginning("a variable with = in its name", withVariable("TELEPORT_ROLES=x;LD_PRELOAD", "/tmp/x.so"), `variable "TELEPORT_ROLES=x;LD_PRELOAD" is not a variable: …`),
		beginning("a variable with NUL in its name", withVariable("TELEPORT_ROLES\x00", ""), `variable "TELEPORT_ROLES\x00" is not a variable: …`),
		beginning("a variable with NUL in its value", withVariable("TELEPORT_ROLES", "a\x00LD_PRELOAD=/tmp/x.so"), `variable "TELEPORT_ROLES" is not a variable: …`),
		beginning("a variable without a name", withVariable("", "x"), `variable "" is not a variable: …`),
		beginning("a variable with a newline in its name", withVariable("TELEPORT_ROLES\nLD_PRELOAD", "x"), `variable "TELEPORT_ROLES\nLD_PRELOAD" is not admitted …`),
		beginning("a hundred thousand variables", withVariables(100000, 0), "100000 variables of 100000 bytes; at most 256 of 65536 bytes"),
		beginning("a long variable", withVariables(1, 900000), "1 variables of 900001 bytes; at most 256 of 65536 bytes"),
	},
)...)

func unservedServices(names ...string) (list []attack) {
	for _, name := range names {
		list = append(list, beginning("the service "+name, ofService(name), fmt.Sprintf("service %q is not served; …", name)))
	}
	return list
}

func notAdmitted(names ...string) (list []attack) {
	for _, name := range names {
		list = append(list, beginning("the variable "+name, withVariable(name, "/tmp/x"), fmt.Sprintf("variable %q is not admitted …", name)))
	}
	return list
}

func TestATakenOverAgentCannotBecome(t *testing.T) {
	t.Parallel()
	attempted(t, becomes, nil)
}

// refusedUser is somebody who may not log in: the right answer does what a wrong
// password does.
func refusedUser(name string, user func(*scene) string, answer, logs string) attack {
	return attack{name: name,
		do: func(a *intruder) string {
			return a.logIn(user(&a.scene), answer, ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession).tell(startRequest("id", 0)).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, account=skipped, credentials=skipped, open_session=skipped, start=skipped",
		logs:  logs,
	}
}

const mayNot = " through \"sshd\": authenticate: Authentication failure (7)…; the user may not log in: root…"

var becomes = table("CannotBecome",
	refusedUser("root", func(*scene) string { return "root" }, rootPassword, `login of "root"`+mayNot),
	refusedUser("somebody with uid 0", func(s *scene) string { return s.Toor }, password, `login of "toor{user}"`+mayNot),
	refusedUser("somebody in root's group", func(s *scene) string { return s.Wheel }, password, `login of "wheel{user}"`+mayNot),
	refusedUser("nobody whom the machine knows", func(*scene) string { return "nosuchuser" }, password,
		`login of "nosuchuser" through "sshd": authenticate: User not known to the underlying authentication module (10)…; the user may not log in: unknown user`),
	refusedUser("somebody whom the policy denies", func(s *scene) string { return s.Denied }, password,
		`login of "denied{user}" through "sshd": authenticate: …; the user may not log in: …`),
	refusedUser("somebody with a low uid", func(s *scene) string { return s.System }, password,
		`login of "system{user}" through "sshd": authenticate: …; the user may not log in: …`),
	refusedUser("somebody without a password", func(s *scene) string { return s.Void }, "", `login of "void{user}" through "sshd": authenticate: Authentication failure (7)`),
	refusedUser("somebody without a password, with one", func(s *scene) string { return s.Void }, "x", `login of "void{user}" through "sshd": authenticate: Authentication failure (7)`),
	notOverExec(refusedUser("the agent's own user", func(s *scene) string { return s.Agent }, password,
		`login of "{agent}" through "sshd": authenticate: …; the user may not log in: …`)),
	notOverExec(refusedUser("another name of the agent's own uid", func(s *scene) string { return s.Twin }, password,
		`login of "twin{user}" through "sshd": authenticate: …; the user may not log in: …`)),
	refusedUser("the user with an empty answer", func(s *scene) string { return s.User }, "", `login of "{user}" through "sshd": authenticate: Authentication failure (7)`),
)

// notOverExec: there the agent is root.
func notOverExec(a attack) attack {
	a.only = []transport{overBroker, overSocket}
	return a
}
