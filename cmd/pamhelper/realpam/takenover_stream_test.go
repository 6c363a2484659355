package realpam_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

func TestATakenOverAgentCannotConfuseAWorker(t *testing.T) {
	t.Parallel()
	attempted(t, confuses, nil)
}

// lengths is a frame's header.
func lengths(n uint32) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }

// sendingBytes writes what is no request to a new worker.
func sendingBytes(name string, raw []byte, because string) attack {
	return attack{name: name,
		do:    func(a *intruder) string { return a.meet().bytes(raw).rest() },
		wants: "VIOLATION: " + because,
		logs:  "login that has not begun ended: " + because,
	}
}

// leavingIn ends the connection inside a frame.
func leavingIn(name string, raw []byte) attack {
	const because = "the connection ended inside a frame"
	return attack{name: name,
		do:    func(a *intruder) string { return a.meet().bytes(raw).end() },
		wants: "VIOLATION: " + because,
		logs:  "login that has not begun ended: " + because,
	}
}

// answered answers the prompt of a login with what no answer may be.
func answered(name string, answer *pb.Answer, because string) attack {
	return attack{name: name,
		do: func(a *intruder) string {
			return a.atPrompt(a.User).tell(&pb.Request{Body: &pb.Request_Answer{Answer: answer}}).rest()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, VIOLATION: " + because,
		logs:  `login of "{user}" through "sshd" ended: ` + because,
	}
}

// atPrompt is a login whose first prompt has come and waits.
func (a *intruder) atPrompt(user string) *peer {
	p := a.logIn(user, "", ipc.Authenticate)
	p.silent = true
	for !p.over && !slices.Contains(p.heard, "prompt") {
		p.next()
	}
	return p
}

const (
	noSuchPrompt = "an answer to a prompt that was never given, or one that is too long"
	noText       = "an answer with a NUL byte, a trailing newline or a control byte"
)

var confuses = table("CannotConfuseAWorker",
	sendingBytes("a frame of no length", lengths(0), "frame of length 0"),
	sendingBytes("a frame of 4 GiB", append(lengths(1<<32-1), "x"...), "frame longer than it may be: 4294967295 bytes"),
	sendingBytes("a frame above the cap", append(lengths(ipc.MaxFrame+1), "x"...), "frame longer than it may be: 1048577 bytes"),
	leavingIn("half of a frame", append(lengths(100), "half"...)),
	leavingIn("half of a length", []byte{0, 0}),
	sendingBytes("another protocol", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "frame longer than it may be: 1195725856 bytes"),
	sendingBytes("what does not decode", append(lengths(3), 0xff, 0xff, 0xff), "a frame that does not decode"),
	sendingBytes("a megabyte of nested groups", append(lengths(ipc.MaxFrame), bytes.Repeat([]byte{0x7b}, ipc.MaxFrame)...), "a frame that does not decode"),
	sendingBytes("a request without a body", append(lengths(2), 0x78, 1), "Request with a field this version does not have"),
	sendingBytes("a megabyte of features", longHello(), "more than 32 features, or a name of more than 64 bytes"),
	attack{name: "two bodies in one request",
		do: func(a *intruder) string {
			begin, _ := proto.Marshal(beginRequest("sshd", a.User))
			step, _ := proto.Marshal(stepRequest(ipc.OpenSession))
			return a.meet().tell(helloRequest()).hear().bytes(slices.Concat(lengths(uint32(len(begin)+len(step))), begin, step)).rest()
		},
		wants: "welcome, VIOLATION: Begin with a field that is there twice",
		logs:  "login that has not begun ended: Begin with a field that is there twice",
	},
	attack{name: "more requests than may wait",
		do: func(a *intruder) string {
			p := a.atPrompt(a.User)
			return p.take(slices.Repeat([]ipc.Step{ipc.Account}, 17)...).rest()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, VIOLATION: more than 16 requests wait",
		logs:  `login of "{user}" through "sshd" ended: more than 16 requests wait`,
	},
	attack{name: "an answer before its question",
		do: func(a *intruder) string {
			return a.meet().tell(helloRequest(), beginRequest("sshd", a.User), answerRequest(1, password)).take(ipc.Authenticate).rest()
		},
		wants: "…VIOLATION: " + noSuchPrompt,
		logs:  "ended: " + noSuchPrompt,
	},
	answered("an answer to the next question", &pb.Answer{Id: 2, Text: []byte(password)}, noSuchPrompt),
	answered("an answer to question 0", &pb.Answer{Text: []byte(password)}, noSuchPrompt),
	answered("an answer that is too long", &pb.Answer{Id: 1, Text: bytes.Repeat([]byte("x"), 64<<10+1)}, noSuchPrompt),
	attack{name: "an answer with a NUL", do: badAnswer("x\x00y", 0), wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, VIOLATION: " + noText,
		logs: `login of "{user}" through "sshd" ended: ` + noText},
	attack{name: "an answer with a newline", do: badAnswer("x\n", 0), wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, VIOLATION: " + noText,
		logs: `login of "{user}" through "sshd" ended: ` + noText},
	attack{name: "an answer with a control byte", do: badAnswer("x", 7), wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, VIOLATION: " + noText,
		logs: `login of "{user}" through "sshd" ended: ` + noText},
	attack{name: "two answers to one question",
		do: func(a *intruder) string {
			p := a.atPrompt(a.User)
			return p.tell(answerRequest(1, wrongPassword), answerRequest(1, password)).take(ipc.Account).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, account=skipped",
		logs:  `login of "{user}" through "sshd": authenticate: Authentication failure (7)`,
	},
	attack{name: "a late answer to an earlier question",
		do: func(a *intruder) string {
			p := a.logIn(a.Aged, password, ipc.Authenticate, ipc.Account).hear()
			p.silent = true
			for p.take(ipc.ChangePassword); !p.over && p.heard[len(p.heard)-1] != "prompt"; {
				p.next()
			}
			return p.tell(answerRequest(1, password), cancelRequest(2)).take(ipc.OpenSession).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=NEW_AUTHTOK_REQD, prompt, change_password=AUTH…, open_session=skipped",
		logs:  `login of "aged{user}" through "sshd": change_password: …; a prompt got no answer`,
	},
	attack{name: "a storm of cancellations", // those of a question that is over are dropped
		do: func(a *intruder) string {
			p := a.atPrompt(a.User)
			for range 20000 {
				p.tell(cancelRequest(1))
			}
			return p.tell(answerRequest(1, password)).take(ipc.Account, ipc.OpenSession).end()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR, account=skipped, open_session=skipped",
		logs:  `login of "{user}" through "sshd": authenticate: …; a prompt got no answer`,
	},
	attack{name: "to leave at every point, without a word", // what is open is undone: the ground looks
		do: func(a *intruder) string {
			begin := []*pb.Request{helloRequest(ipc.FeatureProcesses), beginRequest("sshd", a.User), stepRequest(ipc.Authenticate), answerRequest(1, password)}
			for n := range 2 * (len(begin) + len(inSessionSteps)) {
				p := a.meet()
				requests := begin
				for _, step := range inSessionSteps[1:] {
					requests = append(slices.Clone(requests), stepRequest(step))
				}
				p.tell(requests[:min(n/2, len(requests))]...)
				if n%2 == 1 && n > 1 && !p.over {
					p.next()
				}
				p.stream.Close()
			}
			return "left"
		},
		wants: "left",
	},
	attack{name: "to leave in the question",
		do: func(a *intruder) string {
			p := a.atPrompt(a.User)
			p.stream.(halfCloser).CloseWrite()
			return p.rest()
		},
		wants: "welcome, begin=SUCCESS, prompt, authenticate=AUTH_ERR",
		logs:  `login of "{user}" through "sshd": authenticate: …; a prompt got no answer`,
	},
)

type halfCloser interface{ CloseWrite() error }

func badAnswer(text string, control uint32) func(*intruder) string {
	return func(a *intruder) string {
		return a.atPrompt(a.User).tell(&pb.Request{Body: &pb.Request_Answer{Answer: &pb.Answer{Id: 1, Text: []byte(text), Control: control}}}).rest()
	}
}

func longHello() []byte {
	frame, err := ipc.AppendFrame(nil, helloRequest(slices.Repeat([]string{"processes"}, 90000)...))
	if err != nil {
		panic(err)
	}
	return frame
}

func TestATakenOverAgentCannotPassDescriptors(t *testing.T) {
	t.Parallel()
	attempted(t, passes, nil)
}

// files are n descriptors of one pipe. All have to be closed when the worker has
// ended: what comes back says so.
func files(n int) (passed []*os.File, closed func() string) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	for range n {
		fd, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			panic(err)
		}
		passed = append(passed, os.NewFile(uintptr(fd), "passed"))
	}
	return passed, func() string {
		for _, f := range append(passed, w) {
			f.Close()
		}
		defer r.Close()
		r.SetReadDeadline(time.Now().Add(patience))
		if n, err := r.Read(make([]byte, 1)); n == 0 && err != nil && !os.IsTimeout(err) {
			return ", all closed"
		}
		return ", some of them are still open"
	}
}

// passing sends descriptors with a request, in a login that has come to a phase.
func passing(name string, n int, request func(*intruder) *pb.Request, because string, steps ...ipc.Step) attack {
	login := `login of "{user}" through "sshd"`
	heard := "welcome, begin=SUCCESS, "
	if slices.Contains(steps, ipc.OpenSession) {
		heard += "prompt, authenticate=SUCCESS, account=SUCCESS, credentials=SUCCESS, open_session=SUCCESS, "
	}
	return attack{name: name,
		do: func(a *intruder) string {
			p := a.logIn(a.User, password, steps...).hear()
			passed, closed := files(n)
			got := p.pass(request(a), passed...).rest()
			return got + closed()
		},
		wants: heard + "VIOLATION: " + because + ", all closed",
		logs:  login + " ended: " + because,
	}
}

func always(request *pb.Request) func(*intruder) *pb.Request {
	return func(*intruder) *pb.Request { return request }
}

var inSessionSteps = []ipc.Step{ipc.Authenticate, ipc.Account, ipc.Credentials, ipc.OpenSession}

// tooEarly: only an open session takes descriptors.
const tooEarly = "descriptors, before a message can have any"

var passes = table("CannotPassDescriptors",
	passing("with a step", 1, always(stepRequest(ipc.Authenticate)), tooEarly),
	passing("three with an answer", 3, always(answerRequest(1, password)), tooEarly),
	passing("with a process before the session", 3, always(startRequest("id", 3)), tooEarly),
	passing("with a step in the session", 1, always(stepRequest(ipc.CloseSession)), "1 descriptors with a message that declares 0", inSessionSteps...),
	passing("with a process that declares none", 3, always(startRequest("id", 0)), "3 descriptors with a message that declares 0", inSessionSteps...),
	passing("two where three are declared", 2, always(startRequest("id", 3)), "2 descriptors with a message that declares 3", inSessionSteps...),
	passing("253 with a process", 253, always(startRequest("id", 253)), "more descriptors than a message can have", inSessionSteps...),
	passing("253 with a step", 253, always(stepRequest(ipc.Authenticate)), tooEarly),
	attack{name: "with half of a frame",
		do: func(a *intruder) string {
			p := a.meet()
			passed, closed := files(3)
			p.stream.(rightsWriter).WriteMsgUnix(lengths(100), unix.UnixRights(numbersOf(passed)...), nil)
			return p.end() + closed()
		},
		wants: "VIOLATION: " + tooEarly + ", all closed",
		logs:  "login that has not begun ended: " + tooEarly,
	},
	attack{name: "one with each byte of a frame",
		do: func(a *intruder) string {
			p := a.meet()
			passed, closed := files(1)
			frame, _ := ipc.AppendFrame(nil, helloRequest())
			for i := range frame {
				p.stream.(rightsWriter).WriteMsgUnix(frame[i:i+1], unix.UnixRights(numbersOf(passed)...), nil)
			}
			return p.rest() + closed()
		},
		wants: "VIOLATION: " + tooEarly + ", all closed",
		logs:  "login that has not begun ended: " + tooEarly,
	},
	attack{name: "the socket through itself",
		do: func(a *intruder) string {
			p := a.meet()
			end, err := p.stream.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				panic(err)
			}
			p.pass(helloRequest(), end)
			end.Close()
			return p.rest()
		},
		wants: "VIOLATION: " + tooEarly,
		logs:  "login that has not begun ended: " + tooEarly,
	},
)

type rightsWriter interface {
	WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error)
}

func numbersOf(files []*os.File) (numbers []int) {
	for _, f := range files {
		numbers = append(numbers, int(f.Fd()))
	}
	return numbers
}

func TestATakenOverAgentCannotLeaveItsSession(t *testing.T) {
	t.Parallel()
	attempted(t, leaves, nil)
}

// inSession opens a session of the user.
func (a *intruder) inSession() *peer { return a.logIn(a.User, password, inSessionSteps...).hear() }

// running starts a process that reads from a pipe nobody writes to, and returns
// what it writes when it has ended.
func (p *peer) running(request *pb.Request) (output func() string) {
	in, input, err1 := os.Pipe()
	r, w, err2 := os.Pipe()
	if err := errors.Join(err1, err2); err != nil {
		panic(err)
	}
	p.pipes = append(p.pipes, input, r)
	in.Fd() // makes it blocking, as a shell wants it
	p.pass(request, in, w, w).hear()
	in.Close()
	w.Close()
	return func() string {
		r.SetReadDeadline(time.Now().Add(patience))
		defer r.Close()
		var out bytes.Buffer
		out.ReadFrom(r)
		return strings.TrimSpace(out.String())
	}
}

const opened = "welcome, begin=SUCCESS, prompt, authenticate=SUCCESS, account=SUCCESS, credentials=SUCCESS, open_session=SUCCESS"

// withClientVariables asks for a process that shows whether it has any of them.
func withClientVariables(names ...string) *pb.Request {
	request := startRequest("env | cut -d= -f1 | grep -E '"+strings.Join(names, "|")+"' || echo none", 3)
	for _, name := range names {
		request.GetStart().Variables = append(request.GetStart().Variables, &pb.Variable{Name: []byte(name), Value: []byte("/tmp/x")})
	}
	return request
}

func onTerminalOf(kind string) *pb.Request {
	return &pb.Request{Body: &pb.Request_Start{Start: &pb.Start{Terminal: &pb.Terminal{Type: kind}}}}
}

var leaves = table("CannotLeaveItsSession",
	attack{name: "a process with variables that change what programs do",
		do: func(a *intruder) string {
			p := a.inSession()
			output := p.running(withClientVariables("LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "PYTHONPATH", "OPENSSL_CONF", "XDG_SEAT"))
			said := output()
			return p.end() + ": " + said
		},
		wants: opened + ", started, exited: none", // they are left out and counted
	},
	attack{name: "a process with an odd variable",
		do: func(a *intruder) string {
			p := a.inSession()
			request := startRequest("env | grep -c x=y || :", 3)
			request.GetStart().Variables = []*pb.Variable{{Name: []byte("LC_A=x"), Value: []byte("y")}, {Name: []byte("LC_B\x00"), Value: []byte("x=y")}}
			output := p.running(request)
			said := output()
			return p.end() + ": " + said
		},
		wants: opened + ", started, exited: 0",
	},
	attack{name: "a command with a NUL",
		do: func(a *intruder) string {
			p := a.inSession()
			passed, closed := files(3)
			return p.pass(startRequest("id\x00rm", 3), passed...).end() + closed()
		},
		wants: opened + ", not started: the command holds a NUL byte, all closed",
		logs:  `login of "{user}" through "sshd": no process started: the command holds a NUL byte`,
	},
	attack{name: "a command that is too long",
		do: func(a *intruder) string {
			return a.inSession().tell(startRequest(strings.Repeat("x", 128<<10), 0)).rest()
		},
		wants: opened + ", VIOLATION: a command of more than 131071 bytes, or a terminal type of more than 256",
		logs:  `login of "{user}" through "sshd" ended: a command of more than 131071 bytes, or a terminal type of more than 256`,
	},
	attack{name: "a terminal with escapes in its type",
		do:    func(a *intruder) string { return a.inSession().tell(onTerminalOf("x\x1b]0;y\a")).end() },
		wants: opened + `, not started: terminal type "x\x1b]0;y\a" is not one`,
		logs:  `login of "{user}" through "sshd": no process started: terminal type "x\x1b]0;y\a" is not one`,
	},
	attack{name: "a signal to a process of another login",
		do: func(a *intruder) string {
			other := a.inSession()
			output := other.running(startRequest("read x; echo alive", 3))
			_ = output
			p := a.inSession().tell(signalRequest(1, int32(unix.SIGKILL)))
			got := p.rest()
			return got + "; the other: " + other.end()
		},
		wants: opened + ", VIOLATION: a signal to a process that was never started, or one that has no number; the other: " + opened + ", started, exited",
		logs:  `login of "{user}" through "sshd" ended: a signal to a process that was never started, or one that has no number`,
	},
	attack{name: "a signal that stops",
		do: func(a *intruder) string {
			p := a.inSession()
			p.running(startRequest("read x", 3))
			return p.tell(signalRequest(1, int32(unix.SIGSTOP))).rest()
		},
		wants: opened + ", started, exited, VIOLATION: a signal to a process that was never started, or one that has no number",
		logs:  `login of "{user}" through "sshd" ended: a signal to a process that was never started, or one that has no number`,
	},
	attack{name: "thousands of signals",
		do: func(a *intruder) string {
			p := a.inSession()
			output := p.running(startRequest("trap : USR1; echo ready; while :; do read x && break; done; exit 3", 3))
			_ = output
			for range 3000 {
				p.tell(signalRequest(1, int32(unix.SIGUSR1)))
			}
			return p.take(ipc.CloseSession, ipc.End).end()
		},
		wants: opened + ", started, exited, close_session=SUCCESS, end=SUCCESS",
	},
	attack{name: "a process that is root",
		do: func(a *intruder) string {
			p := a.inSession()
			output := p.running(startRequest("id -u; grep -c . /etc/shadow 2>/dev/null || cat /proc/$PPID/environ >/dev/null 2>&1 || kill -0 $PPID 2>/dev/null || echo no more", 3))
			said := output()
			return p.end() + ": " + strings.Join(strings.Fields(said), " ")
		},
		wants: opened + ", started, exited: … no more",
	},
)
