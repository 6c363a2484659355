package realpam_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// peer is a worker as a taken-over agent sees it: it can be told anything, and
// what it says becomes one line of text.
type peer struct {
	*ipc.Conn
	stream  net.Conn
	answers []string   // to the prompts that come, in order; then they are cancelled
	silent  bool       // prompts are left waiting
	pipes   []*os.File // of processes: our ends of them
	owed    int        // outcomes that have not come
	heard   []string
	over    bool // the connection has ended
}

// meet gets a new worker.
func (a *intruder) meet(answers ...string) *peer {
	stream, err := a.launch()
	if err != nil {
		return &peer{heard: []string{"no worker: " + err.Error()}, over: true}
	}
	stream.SetDeadline(time.Now().Add(2 * patience))
	return &peer{Conn: ipc.NewConn(stream), stream: stream, answers: answers}
}

// logIn gets a worker and asks for a login through sshd, all in one write.
func (a *intruder) logIn(user, answer string, steps ...ipc.Step) *peer {
	requests := []*pb.Request{helloRequest(ipc.FeatureProcesses), beginRequest("sshd", user)}
	for _, step := range steps {
		requests = append(requests, stepRequest(step))
	}
	return a.meet(answer).tell(requests...)
}

// tell writes requests at once, as one who does not wait.
func (p *peer) tell(requests ...*pb.Request) *peer {
	var messages []proto.Message
	for _, r := range requests {
		messages = append(messages, r)
		if r.GetAnswer() == nil && r.GetCancel() == nil && r.GetSignal() == nil {
			p.owed++
		}
	}
	if !p.over {
		p.Write(messages...) // where it fails, the worker has said why
	}
	return p
}

// take asks for steps.
func (p *peer) take(steps ...ipc.Step) *peer {
	var requests []*pb.Request
	for _, step := range steps {
		requests = append(requests, stepRequest(step))
	}
	return p.tell(requests...)
}

// pass writes one request with descriptors.
func (p *peer) pass(request *pb.Request, files ...*os.File) *peer {
	p.owed++
	if !p.over {
		p.WriteFiles(request, files)
	}
	return p
}

// bytes writes what is no frame.
func (p *peer) bytes(raw []byte) *peer {
	if !p.over {
		p.stream.Write(raw)
	}
	return p
}

// hear reads until everything that was asked for has come.
func (p *peer) hear() *peer {
	for p.owed > 0 && !p.over {
		p.next()
	}
	return p
}

// end leaves, and returns all that the worker said.
func (p *peer) end() string {
	p.hear()
	if half, ok := p.stream.(interface{ CloseWrite() error }); ok && !p.over {
		half.CloseWrite()
	}
	return p.rest()
}

// rest returns all that the worker says until it ends the login itself.
func (p *peer) rest() string {
	for !p.over {
		p.next()
	}
	if p.stream != nil {
		p.stream.Close()
	}
	return strings.Join(p.heard, ", ")
}

func (p *peer) next() {
	event, files, err := p.ReadEvent()
	ipc.Release(files)
	if err != nil {
		p.over = true
		if os.IsTimeout(err) {
			p.heard = append(p.heard, "nothing more comes, and no end")
		}
		return
	}
	switch body := event.GetBody().(type) {
	case *pb.Event_Prompt:
		p.prompted(body.Prompt)
	case *pb.Event_Message:
	case *pb.Event_Exited:
		p.heard = append(p.heard, "exited")
	default:
		p.owed--
		p.heard = append(p.heard, inWords(event))
	}
}

func (p *peer) prompted(prompt *pb.Prompt) {
	p.heard = append(p.heard, "prompt")
	if p.silent {
		return
	}
	if len(p.answers) == 0 {
		p.tell(cancelRequest(prompt.GetId()))
		return
	}
	p.tell(answerRequest(prompt.GetId(), p.answers[0]))
	p.answers = p.answers[1:]
}

// inWords names an outcome.
func inWords(event *pb.Event) string {
	switch body := event.GetBody().(type) {
	case *pb.Event_Welcome:
		return "welcome"
	case *pb.Event_Result:
		code := strings.TrimPrefix(body.Result.GetCode().String(), "PAM_")
		if body.Result.GetSkipped() != nil {
			code = "skipped"
		}
		return fmt.Sprintf("%s=%s", ipc.Step(body.Result.GetStep()), code)
	case *pb.Event_Fault:
		return body.Fault.GetKind().String() + ": " + body.Fault.GetText()
	case *pb.Event_Started:
		switch {
		case body.Started.GetProcess() != nil:
			return "started"
		case body.Started.GetSkipped() != nil:
			return "start=skipped"
		}
		return "not started: " + body.Started.GetNotStarted().GetText()
	}
	return fmt.Sprintf("%T", event.GetBody())
}

func helloRequest(features ...string) *pb.Request {
	return &pb.Request{Body: &pb.Request_Hello{Hello: &pb.Hello{Version: ipc.Version, Features: features}}}
}

func beginRequest(service, user string) *pb.Request { return beginWith(service, user, nil) }

// beginWith is a Begin that is changed before it is sent.
func beginWith(service, user string, change func(*pb.Begin)) *pb.Request {
	begin := &pb.Begin{Service: service, User: []byte(user), Rhost: remote}
	if change != nil {
		change(begin)
	}
	return &pb.Request{Body: &pb.Request_Begin{Begin: begin}}
}

func answerRequest(id uint64, text string) *pb.Request {
	return &pb.Request{Body: &pb.Request_Answer{Answer: &pb.Answer{Id: id, Text: []byte(text)}}}
}

func cancelRequest(id uint64) *pb.Request {
	return &pb.Request{Body: &pb.Request_Cancel{Cancel: &pb.Cancel{Id: id}}}
}

// stepRequest is a request without arguments.
func stepRequest(step ipc.Step) *pb.Request {
	switch step {
	case ipc.Authenticate:
		return &pb.Request{Body: &pb.Request_Authenticate{Authenticate: &pb.Authenticate{}}}
	case ipc.Account:
		return &pb.Request{Body: &pb.Request_Account{Account: &pb.Account{}}}
	case ipc.ChangePassword:
		return &pb.Request{Body: &pb.Request_ChangePassword{ChangePassword: &pb.ChangePassword{}}}
	case ipc.Credentials:
		return &pb.Request{Body: &pb.Request_Credentials{Credentials: &pb.Credentials{}}}
	case ipc.OpenSession:
		return &pb.Request{Body: &pb.Request_OpenSession{OpenSession: &pb.OpenSession{}}}
	case ipc.CloseSession:
		return &pb.Request{Body: &pb.Request_CloseSession{CloseSession: &pb.CloseSession{}}}
	}
	return &pb.Request{Body: &pb.Request_End{End: &pb.End{}}}
}
