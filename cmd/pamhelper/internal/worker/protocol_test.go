package worker_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// wire is a connection to a worker without a client: it can say anything.
type wire struct {
	net.Conn
	*stack
}

func (s *stack) raw() *wire {
	s.t.Helper()
	conn, err := s.launcher().Launch(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(2 * patience))
	s.t.Cleanup(func() { conn.Close() })
	return &wire{conn, s}
}

func frame(t *testing.T, requests ...*pb.Request) (frames []byte) {
	t.Helper()
	for _, r := range requests {
		var err error
		if frames, err = ipc.AppendFrame(frames, r); err != nil {
			t.Fatal(err)
		}
	}
	return frames
}

func (w *wire) send(requests ...*pb.Request) {
	w.t.Helper()
	if _, err := w.Write(frame(w.t, requests...)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) event() *pb.Event {
	w.t.Helper()
	body, err := ipc.ReadFrame(w)
	if err != nil {
		w.t.Fatalf("read an event: %v", err)
	}
	event := new(pb.Event)
	if err := proto.Unmarshal(body, event); err != nil {
		w.t.Fatal(err)
	}
	return event
}

// result reads a step's Result.
func (w *wire) result(step ipc.Step, code ipc.Code) {
	w.t.Helper()
	event := w.event()
	got := event.GetResult()
	if got == nil || ipc.Step(got.GetStep()) != step || got.GetSkipped() != nil || ipc.Code(got.GetCode()) != code {
		w.t.Fatalf("event = %v, want the result of %s: %v", event, step, code)
	}
}

// ends reads the fault that is the last event, and the end of the stream.
func (w *wire) ends(kind pb.Fault_Kind, text string) {
	w.t.Helper()
	event := w.event()
	for event.GetFault() == nil {
		event = w.event()
	}
	if f := event.GetFault(); f.GetKind() != kind || !strings.Contains(f.GetText(), text) {
		w.t.Errorf("fault = %v, want %v with %q", f, kind, text)
	}
	w.eof()
}

func (w *wire) closeWrite() {
	w.t.Helper()
	if err := w.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) eof() {
	w.t.Helper()
	// What was not read of a broken peer may reset the connection.
	if _, err := ipc.ReadFrame(w); !errors.Is(err, io.EOF) && !errors.Is(err, unix.ECONNRESET) {
		w.t.Errorf("after the last event: %v, want the end of the stream", err)
	}
}

func (w *wire) greet(features ...string) {
	w.t.Helper()
	w.send(helloRequest(ipc.Version, features...))
	if event := w.event(); event.GetWelcome() == nil {
		w.t.Fatalf("event = %v, want Welcome", event)
	}
}

// begin greets and starts the transaction.
func (w *wire) begin() {
	w.t.Helper()
	w.greet()
	w.send(beginRequest(0))
	w.result(ipc.Begin, ipc.Success)
}

func helloRequest(version uint32, features ...string) *pb.Request {
	return &pb.Request{Body: &pb.Request_Hello{Hello: &pb.Hello{Version: version, Features: features}}}
}

func beginRequest(promptTimeout time.Duration) *pb.Request {
	return &pb.Request{Body: &pb.Request_Begin{Begin: &pb.Begin{
		Service: "svc", User: []byte("tester"), PromptTimeoutMs: uint32(promptTimeout.Milliseconds())}}}
}

func step(s ipc.Step) *pb.Request {
	switch s {
	case ipc.Authenticate:
		return &pb.Request{Body: &pb.Request_Authenticate{Authenticate: &pb.Authenticate{}}}
	case ipc.Account:
		return &pb.Request{Body: &pb.Request_Account{Account: &pb.Account{}}}
	case ipc.Credentials:
		return &pb.Request{Body: &pb.Request_Credentials{Credentials: &pb.Credentials{}}}
	case ipc.OpenSession:
		return &pb.Request{Body: &pb.Request_OpenSession{OpenSession: &pb.OpenSession{}}}
	}
	return &pb.Request{Body: &pb.Request_End{End: &pb.End{}}}
}

func answer(id uint64, text string) *pb.Request {
	return &pb.Request{Body: &pb.Request_Answer{Answer: &pb.Answer{Id: id, Text: []byte(text)}}}
}

func cancel(id uint64) *pb.Request {
	return &pb.Request{Body: &pb.Request_Cancel{Cancel: &pb.Cancel{Id: id}}}
}

// length is the start of a frame.
func length(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

func TestBrokenFramesEndTheLogin(t *testing.T) {
	for _, test := range []struct {
		name string
		send []byte
		text string
	}{
		{"length 0", length(0), "frame of length 0"},
		{"length above the cap", length(ipc.MaxFrame + 1), "frame longer than"},
		{"4 GiB", length(1<<32 - 1), "frame longer than"},
		{"garbage", append(length(7), "garbage"...), "does not decode"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newStack(t, "nothing").raw()
			w.begin()
			if _, err := w.Write(test.send); err != nil {
				t.Fatal(err)
			}
			w.ends(pb.Fault_VIOLATION, test.text)
		})
	}
}

func TestForbiddenRequestsEndTheLogin(t *testing.T) {
	// Field 31 of the Request, and of the Answer in it.
	unknownField := append(length(5), 4<<3|2, 0, 0xf8, 0x01, 1)
	unknownInAnswer := append(length(5), 12<<3|2, 3, 0xf8, 0x01, 1)
	for _, test := range []struct {
		name string
		send []byte
		text string
	}{
		{"unknown request", append(length(3), 0xfa, 0x01, 0), "Request with a field this version does not have"},
		{"unknown field", unknownField, "Account with a field this version does not have"},
		{"unknown field in an answer", unknownInAnswer, "Answer with a field this version does not have"},
		{"a start of a process without the feature", append(length(2), 8<<3|2, 0), "Start without the feature processes"},
		{"a signal to no process", append(length(4), 9<<3|2, 2, 16, 15), "a signal to a process that was never started"},
		{"second Hello", frame(t, helloRequest(ipc.Version)), "Hello is not permitted in phase begun"},
		{"second Begin", frame(t, beginRequest(0)), "Begin is not permitted in phase begun"},
		{"answer without a prompt", frame(t, answer(1, "x")), "prompt that was never given"},
		{"answer to prompt 0", frame(t, answer(0, "x")), "prompt that was never given"},
		{"cancel without a prompt", frame(t, cancel(7)), "prompt that was never given"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newStack(t, "nothing").raw()
			w.begin()
			if _, err := w.Write(test.send); err != nil {
				t.Fatal(err)
			}
			w.ends(pb.Fault_VIOLATION, test.text)
		})
	}
}

func TestFrameCutInTheMiddle(t *testing.T) {
	for cut := 1; cut < 6; cut++ {
		w := newStack(t, "nothing").raw()
		w.begin()
		w.send(step(ipc.Credentials), step(ipc.OpenSession))
		w.result(ipc.Credentials, ipc.Success)
		w.result(ipc.OpenSession, ipc.Success)
		if _, err := w.Write(frame(t, step(ipc.Authenticate))[:cut]); err != nil {
			t.Fatal(err)
		}
		w.closeWrite()
		w.ends(pb.Fault_VIOLATION, "ended inside a frame")
		if got, want := w.calls(), "establish open close delete"; got != want {
			t.Errorf("libpam called %q, want %q", got, want)
		}
	}
}

func TestVersionMismatchShowsBoth(t *testing.T) {
	w := newStack(t, "nothing").raw()
	w.send(helloRequest(7))
	w.ends(pb.Fault_VERSION, "the agent speaks version 7, this helper version 1")
}

func TestHelloComesFirst(t *testing.T) {
	w := newStack(t, "nothing").raw()
	w.send(beginRequest(0))
	w.ends(pb.Fault_VIOLATION, "Begin is not permitted in phase connected")
}

func TestUnknownFeaturesAreNotTaken(t *testing.T) {
	w := newStack(t, "nothing").raw()
	w.send(helloRequest(ipc.Version, "teleportation", ipc.FeatureBinaryPrompt, ipc.FeatureBinaryPrompt))
	if got := w.event().GetWelcome().GetFeatures(); len(got) != 1 || got[0] != ipc.FeatureBinaryPrompt {
		t.Errorf("features = %q, want only %q", got, ipc.FeatureBinaryPrompt)
	}
}

func TestPipelinedRequestsAreBounded(t *testing.T) {
	w := newStack(t, "prompt").raw()
	w.begin()
	w.send(step(ipc.Authenticate))
	if w.event().GetPrompt() == nil {
		t.Fatal("no prompt")
	}
	requests := make([]*pb.Request, 1000)
	for i := range requests {
		requests[i] = step(ipc.Account)
	}
	w.Write(frame(t, requests...)) // the worker may leave before it has read all
	w.ends(pb.Fault_VIOLATION, "more than 16 requests wait")
}

func TestStaleAnswersAreDropped(t *testing.T) {
	w := newStack(t, "again").raw()
	w.begin()
	w.send(step(ipc.Authenticate))
	first := w.event().GetPrompt()
	// In one write: the second answer is late for the first prompt, and must
	// not fill the second one.
	w.send(cancel(first.GetId()), answer(first.GetId(), "second"), cancel(first.GetId()))
	second := w.event().GetPrompt()
	if second.GetId() != first.GetId()+1 || string(second.GetText()) != "second: " {
		t.Fatalf("prompt = %v, want the second one", second)
	}
	w.send(answer(first.GetId(), "wrong"), answer(second.GetId(), "second"))
	w.result(ipc.Authenticate, ipc.Success)
	w.send(answer(second.GetId(), "late"), step(ipc.End))
	w.result(ipc.End, ipc.Success)
	w.eof()
}

func TestAnswerBehindThePromptsDeadline(t *testing.T) {
	w := newStack(t, "again").raw()
	w.greet()
	w.send(beginRequest(50 * time.Millisecond))
	w.result(ipc.Begin, ipc.Success)
	w.send(step(ipc.Authenticate))
	first, second := w.event().GetPrompt(), w.event().GetPrompt() // the second comes when the first has expired
	if first.GetTimeoutMs() != 50 || second.GetId() != first.GetId()+1 {
		t.Fatalf("prompts = %v, %v", first, second)
	}
	w.send(answer(first.GetId(), "first"))
	w.result(ipc.Authenticate, ipc.ConvErr)
	w.send(answer(second.GetId(), "second"), step(ipc.End))
	w.result(ipc.End, ipc.Success)
}

func TestLoginsDeadlineInAPrompt(t *testing.T) {
	w := newStack(t, "prompt").raw()
	w.greet()
	begin := beginRequest(0)
	begin.GetBegin().LoginTimeoutMs = 1000 // from the start of the worker, also on a busy machine
	w.send(begin, step(ipc.Credentials), step(ipc.Authenticate))
	w.ends(pb.Fault_TIMEOUT, "before its deadline")
	if got, want := w.calls(), "establish authenticate delete"; got != want {
		t.Errorf("libpam called %q, want %q", got, want)
	}
}

func TestAnswersThatPAMCannotTake(t *testing.T) {
	for _, text := range []string{"with\x00nul", "with newline\n", strings.Repeat("x", 64<<10+1)} {
		w := newStack(t, "prompt").raw()
		w.begin()
		w.send(step(ipc.Authenticate))
		w.send(answer(w.event().GetPrompt().GetId(), text))
		w.ends(pb.Fault_VIOLATION, "answer")
	}
}

func TestBinaryPromptWithoutTheFeature(t *testing.T) {
	w := newStack(t, "binary").raw()
	w.begin()
	w.send(step(ipc.Authenticate))
	w.result(ipc.Authenticate, ipc.ConvErr)
}

func TestControlByteAboveAByte(t *testing.T) {
	w := newStack(t, "binary").raw()
	w.greet(ipc.FeatureBinaryPrompt)
	w.send(beginRequest(0), step(ipc.Authenticate))
	w.result(ipc.Begin, ipc.Success)
	w.send(&pb.Request{Body: &pb.Request_Answer{Answer: &pb.Answer{Id: w.event().GetPrompt().GetId(), Control: 256}}})
	w.ends(pb.Fault_VIOLATION, "control byte above 255")
}

func TestStrayDescriptorsEndTheLogin(t *testing.T) {
	for _, count := range []int{1, 253} {
		w := newStack(t, "nothing").raw()
		w.begin()
		fds := make([]int, count)
		for i := range fds {
			fds[i] = int(os.Stdin.Fd())
		}
		_, _, err := w.Conn.(interface {
			WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (int, int, error)
		}).WriteMsgUnix(frame(t, step(ipc.Authenticate)), unix.UnixRights(fds...), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.ends(pb.Fault_VIOLATION, "descriptors")
	}
}

// Whenever the agent leaves, what was opened is closed, once.
func TestAgentThatIsGone(t *testing.T) {
	const opened = "establish open"
	for _, test := range []struct {
		name, mode string
		steps      []ipc.Step // behind Begin
		wait       func(*wire)
		want       string
	}{
		{"before anything", "nothing", nil, func(*wire) {}, ""},
		{"between steps", "nothing", []ipc.Step{ipc.Authenticate},
			func(w *wire) { w.result(ipc.Authenticate, ipc.Success) }, "authenticate"},
		{"in a prompt", "prompt", []ipc.Step{ipc.Authenticate},
			func(w *wire) { w.event() }, "authenticate"},
		{"with credentials", "nothing", []ipc.Step{ipc.Credentials},
			func(w *wire) { w.result(ipc.Credentials, ipc.Success) }, "establish delete"},
		{"with an open session", "nothing", []ipc.Step{ipc.Credentials, ipc.OpenSession},
			func(w *wire) { w.event(); w.result(ipc.OpenSession, ipc.Success) }, opened + " close delete"},
		{"in a prompt with an open session", "prompt", []ipc.Step{ipc.Credentials, ipc.OpenSession, ipc.Authenticate},
			func(w *wire) { w.event(); w.event(); w.event() }, opened + " authenticate close delete"},
		{"in a prompt of open_session", "prompt in=session", []ipc.Step{ipc.Credentials, ipc.OpenSession},
			func(w *wire) { w.event(); w.event() }, opened + " delete"},
		{"whose close fails", "return n=14 in=close", []ipc.Step{ipc.Credentials, ipc.OpenSession},
			func(w *wire) { w.event(); w.event() }, opened + " close delete"},
		{"whose close prompts", "prompt in=close", []ipc.Step{ipc.Credentials, ipc.OpenSession},
			func(w *wire) { w.event(); w.event() }, opened + " close delete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newStack(t, test.mode).raw()
			w.begin()
			for _, s := range test.steps {
				w.send(step(s))
			}
			test.wait(w)
			w.Close() // returns when the worker has left
			if got := w.calls(); got != test.want {
				t.Errorf("libpam called %q, want %q", got, test.want)
			}
		})
	}
}

func TestReadingEndThatIsGoneOnly(t *testing.T) {
	w := newStack(t, "nothing").raw()
	w.begin()
	w.send(step(ipc.Credentials), step(ipc.OpenSession))
	w.result(ipc.Credentials, ipc.Success)
	w.result(ipc.OpenSession, ipc.Success)
	w.closeWrite()
	w.eof()
	if got, want := w.calls(), "establish open close delete"; got != want {
		t.Errorf("libpam called %q, want %q", got, want)
	}
}

func TestNothingOfAnAnswerReachesTheLog(t *testing.T) {
	w := newStack(t, "prompt").raw()
	w.begin()
	w.send(step(ipc.Authenticate))
	w.send(answer(w.event().GetPrompt().GetId(), "hunter2hunter2\n"))
	w.ends(pb.Fault_VIOLATION, "newline")
	w.Close()
	if bytes.Contains(w.log.Bytes(), []byte("hunter2")) {
		t.Errorf("the log has the answer: %s", w.log.String())
	}
}
