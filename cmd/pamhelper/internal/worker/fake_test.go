package worker

import (
	"bytes"
	"log"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/policy"
	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/userprocess"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	"github.com/pamhelper/pamhelper/pkg/pamstack"
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

	// renames are the names that steps give the user, asks what authenticate asks
	// in the place of one hidden prompt, and got the answers to that.
	renames map[pb.Step]string
	asks    []libpam.Style
	got     []string
	flags   map[pb.Step]libpam.Flags
	during  map[pb.Step]func() // called by a step
}

// convErr is PAM_CONV_ERR, which modules return for a prompt that failed.
const convErr libpam.Status = 19

var _ transaction = (*fakeTransaction)(nil)

func (f *fakeTransaction) take(name string, step pb.Step) libpam.Status {
	f.taken = append(f.taken, name)
	if call := f.during[step]; call != nil {
		call()
	}
	if user, ok := f.renames[step]; ok {
		f.config.User = user
	}
	return f.codes[step]
}

func (f *fakeTransaction) note(step pb.Step, flags libpam.Flags) {
	if f.flags == nil {
		f.flags = map[pb.Step]libpam.Flags{}
	}
	f.flags[step] = flags
}

func (f *fakeTransaction) PutEnv(name, value string) libpam.Status {
	for i, v := range f.config.Environment {
		if v.Name == name {
			f.config.Environment[i].Value = value
			return libpam.Success
		}
	}
	f.config.Environment = append(f.config.Environment, libpam.Variable{Name: name, Value: value})
	return libpam.Success
}

func (f *fakeTransaction) Authenticate(flags libpam.Flags) libpam.Status {
	f.note(pb.Step_AUTHENTICATE, flags)
	for _, style := range f.asks {
		answer, err := f.config.Conversation.Prompt(style, []byte("? "))
		if err != nil {
			return convErr
		}
		f.got = append(f.got, string(answer))
	}
	if f.prompts {
		f.config.Conversation.Message(libpam.TextInfo, []byte("hello"))
		if _, err := f.config.Conversation.Prompt(libpam.PromptEchoOff, []byte("Password: ")); err != nil {
			f.take("authenticate", pb.Step_AUTHENTICATE)
			return convErr
		}
	}
	return f.take("authenticate", pb.Step_AUTHENTICATE)
}

func (f *fakeTransaction) Account(flags libpam.Flags) libpam.Status {
	f.note(pb.Step_ACCOUNT, flags)
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

func (f *fakeTransaction) Overrule(libpam.Status)           {}
func (f *fakeTransaction) HasNoFile() bool                  { return false }
func (f *fakeTransaction) UsesOther(pamstack.Facility) bool { return false }
func (f *fakeTransaction) Authenticators() []libpam.Bound   { return f.authenticators }
func (f *fakeTransaction) Service() string                  { return f.config.Service }
func (f *fakeTransaction) User() string                     { return f.config.User }
func (f *fakeTransaction) Environment() []libpam.Variable   { return f.config.Environment }

// fakeLogin is a worker over a fake transaction, with no worker process.
type fakeLogin struct {
	*worker
	fake   *fakeTransaction
	agent  net.Conn
	known  *fakeDirectory
	logged bytes.Buffer // to be read when serve has returned
}

// newFakeLogin starts nothing yet: serve does. The built-in policy holds for it, and
// the only user is nobody.
func newFakeLogin(t testing.TB, debug *Debug) *fakeLogin {
	t.Helper()
	return newFakeLoginWith(t, policy.Builtin(), debug)
}

// newFakeLoginOf is newFakeLogin under a policy with one service, sshd.
func newFakeLoginOf(t testing.TB, sshd string) *fakeLogin {
	t.Helper()
	p, err := policy.Parse([]byte(`service { name: "sshd" `+sshd+` }`), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return newFakeLoginWith(t, p, nil)
}

func newFakeLoginWith(t testing.TB, p *pb.Policy, debug *Debug) *fakeLogin {
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
	l := &fakeLogin{worker: newWorker(ipc.NewConn(ours), p, debug, nil), fake: &fakeTransaction{}, agent: agent}
	l.log = log.New(&l.logged, "", 0)
	l.known = &fakeDirectory{users: map[string]userprocess.Passwd{}, groups: map[string]uint32{}, members: map[uint32][]uint32{}, broken: map[string]bool{}}
	l.known.add("nobody", 65534, 65534)
	l.directory = l.known
	l.grain = time.Millisecond
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

// driveAs is drive for a login of another user.
func (l *fakeLogin) driveAs(t testing.TB, user string, kinds ...request) ([]*pb.Event, error) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- l.serve() }()
	return askAs(l.agent, user, kinds), <-served
}

// ask plays requests to a worker, leaves when each has its event, and returns
// the events.
func ask(worker net.Conn, kinds []request) (events []*pb.Event) {
	return askAs(worker, "nobody", kinds)
}

func askAs(worker net.Conn, user string, kinds []request) (events []*pb.Event) {
	conn := ipc.NewConn(worker)
	for _, kind := range kinds {
		frame := requests[kind]
		if kind == unknown {
			// A field that no version has.
			frame = &pb.Request{}
			frame.ProtoReflect().SetUnknown([]byte{0xf8, 0x3f, 1})
		}
		if kind == begin {
			frame = proto.Clone(frame).(*pb.Request)
			frame.GetBegin().User = []byte(user)
		}
		if conn.Write(frame) != nil {
			break // it ended the login already
		}
	}
	answered := 0
	for {
		event, _, err := conn.ReadEvent()
		if err != nil {
			return events
		}
		events = append(events, event)
		if event.GetMessage() == nil {
			answered++
		}
		if answered == len(kinds) {
			worker.(*net.UnixConn).CloseWrite()
		}
	}
}

// newFakeLoginIn is newFakeLogin under a policy that lets path lead to a phase.
func newFakeLoginIn(t testing.TB, p phase) *fakeLogin {
	t.Helper()
	if p == accountFirst || p == accounted {
		return newFakeLoginOf(t, "account_first: true")
	}
	return newFakeLogin(t, nil)
}

// path is the way to each phase, in requests.
func path(p phase) []request {
	way := []request{hello, begin, authenticate, account, credentials, openSession, closeSession}
	switch p {
	case accountFirst:
		return []request{hello, begin}
	case accounted:
		return []request{hello, begin, account}
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
