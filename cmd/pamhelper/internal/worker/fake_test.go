package worker

import (
	"io"
	"log"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

// fakeTransaction is a stack that succeeds, or returns what codes says, and
// prompts once in authenticate where it has somebody to ask.
type fakeTransaction struct {
	codes   map[pb.Step]libpam.Status
	config  libpam.Config
	prompts bool
	taken   []string

	authenticators []libpam.Bound
	undone         int
}

// convErr is PAM_CONV_ERR, which modules return for a prompt that failed.
const convErr libpam.Status = 19

var _ transaction = (*fakeTransaction)(nil)

func (f *fakeTransaction) take(name string, step pb.Step) libpam.Status {
	f.taken = append(f.taken, name)
	return f.codes[step]
}

func (f *fakeTransaction) Authenticate(libpam.Flags) libpam.Status {
	if f.prompts {
		f.config.Conversation.Message(libpam.TextInfo, []byte("hello"))
		if _, err := f.config.Conversation.Prompt(libpam.PromptEchoOff, []byte("Password: ")); err != nil {
			f.take("authenticate", pb.Step_AUTHENTICATE)
			return convErr
		}
	}
	return f.take("authenticate", pb.Step_AUTHENTICATE)
}

func (f *fakeTransaction) Account(libpam.Flags) libpam.Status {
	return f.take("account", pb.Step_ACCOUNT)
}

func (f *fakeTransaction) ChangePassword(libpam.Flags) libpam.Status {
	return f.take("change password", pb.Step_CHANGE_PASSWORD)
}

func (f *fakeTransaction) Credentials(libpam.Flags) libpam.Status {
	return f.take("credentials", pb.Step_CREDENTIALS)
}

func (f *fakeTransaction) OpenSession(libpam.Flags) libpam.Status {
	return f.take("open session", pb.Step_OPEN_SESSION)
}

func (f *fakeTransaction) CloseSession(libpam.Flags) libpam.Status {
	return f.take("close session", pb.Step_CLOSE_SESSION)
}

func (f *fakeTransaction) Undo(libpam.Flags) libpam.Status {
	f.undone++
	return libpam.Success
}

func (f *fakeTransaction) Overrule(libpam.Status)         {}
func (f *fakeTransaction) HasNoFile() bool                { return false }
func (f *fakeTransaction) Authenticators() []libpam.Bound { return f.authenticators }
func (f *fakeTransaction) Service() string                { return f.config.Service }
func (f *fakeTransaction) User() string                   { return f.config.User }
func (f *fakeTransaction) Environment() []libpam.Variable { return f.config.Environment }

// fakeLogin is a worker over a fake transaction, with no worker process.
type fakeLogin struct {
	*worker
	fake  *fakeTransaction
	agent net.Conn
}

// newFakeLogin starts nothing yet: serve does.
func newFakeLogin(t testing.TB, debug *Debug) *fakeLogin {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ipc.UnixConn(os.NewFile(uintptr(fds[0]), "worker"))
	if err != nil {
		t.Fatal(err)
	}
	agent, err := ipc.UnixConn(os.NewFile(uintptr(fds[1]), "agent"))
	if err != nil {
		t.Fatal(err)
	}
	l := &fakeLogin{worker: newWorker(ipc.NewConn(ours), debug, log.New(io.Discard, "", 0)), fake: &fakeTransaction{}, agent: agent}
	l.groups = func(string, bool) error { return nil }
	l.start = func(config libpam.Config) (transaction, libpam.Status) {
		if status := l.fake.codes[pb.Step_BEGIN]; status != libpam.Success {
			return nil, status
		}
		l.fake.config = config
		return l.fake, libpam.Success
	}
	t.Cleanup(func() { agent.Close(); ours.Close(); l.life.over() })
	return l
}

// requests are one well-formed request of every kind.
var requests = map[request]*pb.Request{
	unknown:        {},
	hello:          {Body: &pb.Request_Hello{Hello: &pb.Hello{Version: ipc.Version, Features: []string{ipc.FeatureProcesses}}}},
	begin:          {Body: &pb.Request_Begin{Begin: &pb.Begin{Service: "sshd", User: []byte("nobody"), Rhost: "192.0.2.7"}}},
	authenticate:   {Body: &pb.Request_Authenticate{Authenticate: &pb.Authenticate{}}},
	account:        {Body: &pb.Request_Account{Account: &pb.Account{}}},
	changePassword: {Body: &pb.Request_ChangePassword{ChangePassword: &pb.ChangePassword{}}},
	credentials:    {Body: &pb.Request_Credentials{Credentials: &pb.Credentials{}}},
	openSession:    {Body: &pb.Request_OpenSession{OpenSession: &pb.OpenSession{}}},
	start:          {Body: &pb.Request_Start{Start: &pb.Start{}}},
	closeSession:   {Body: &pb.Request_CloseSession{CloseSession: &pb.CloseSession{}}},
	end:            {Body: &pb.Request_End{End: &pb.End{}}},
}

// drive plays requests through serve and returns the events and its error.
func (l *fakeLogin) drive(t testing.TB, kinds ...request) ([]*pb.Event, error) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- l.serve() }()
	return ask(l.agent, kinds), <-served
}

// ask plays requests to a worker, leaves when each has its event, and returns
// the events.
func ask(worker net.Conn, kinds []request) (events []*pb.Event) {
	conn := ipc.NewConn(worker)
	for _, kind := range kinds {
		frame := requests[kind]
		if kind == unknown {
			// A field that no version has.
			frame = &pb.Request{}
			frame.ProtoReflect().SetUnknown([]byte{0xf8, 0x3f, 1})
		}
		if conn.Write(frame) != nil {
			break // it ended the login already
		}
	}
	for {
		event, _, err := conn.ReadEvent()
		if err != nil {
			return events
		}
		events = append(events, event)
		if len(events) == len(kinds) {
			worker.(*net.UnixConn).CloseWrite()
		}
	}
}

// path is the way to each phase, in requests.
func path(p phase) []request {
	way := []request{hello, begin, authenticate, account, credentials, openSession, closeSession}
	switch p {
	case failed:
		return slices.Clone(way[:3]) // with a refusing authenticate
	case expired:
		return slices.Clone(way[:4])
	case ended:
		return []request{hello, end}
	}
	return slices.Clone(way[:map[phase]int{connected: 0, greeted: 1, begun: 2, proven: 3, permitted: 4,
		credentialed: 5, open: 6, closed: 7}[p]])
}
