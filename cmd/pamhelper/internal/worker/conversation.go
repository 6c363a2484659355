package worker

import (
	"bytes"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/pamhelper/pamhelper/pkg/pamstack/libpam"
	pb "github.com/pamhelper/pamhelper/proto"
)

const (
	maxAnswer = 64 << 10  // bytes of an answer
	maxText   = 256 << 10 // bytes of a text that go to the agent
)

var (
	errCancelled  = errors.New("the agent cancelled the prompt")
	errTimedOut   = errors.New("the prompt was not answered in time")
	errNoFeature  = errors.New("the agent does not take binary prompts")
	errNoResponse = errors.New("the login is being ended")
)

// conversation carries PAM's conversation to the agent. Its prompts run on the
// main thread, deliver on the receiving goroutine.
type conversation struct {
	w      *worker
	binary bool          // both sides declared the feature
	waited time.Duration // time this step's prompts waited for answers
	// abandoned: a prompt of this step got no answer.
	abandoned bool

	mu      sync.Mutex
	last    uint64 // id of the newest prompt
	waiting chan *pb.Answer
}

var _ libpam.Conversation = (*conversation)(nil)

func (c *conversation) Message(style libpam.Style, text []byte) error {
	text, omitted := cut(text)
	c.w.send(&pb.Event{Body: &pb.Event_Message{Message: &pb.Message{
		Style: pb.Style(style), Text: text, OmittedBytes: omitted,
	}}})
	return nil
}

func (c *conversation) Prompt(style libpam.Style, text []byte) ([]byte, error) {
	text, omitted := cut(text)
	answer, err := c.ask(&pb.Prompt{Style: pb.Style(style), Text: text, OmittedBytes: omitted})
	if err != nil {
		c.abandoned = true
		return nil, err
	}
	if bytes.IndexByte(answer.Text, 0) >= 0 || bytes.HasSuffix(answer.Text, []byte("\n")) || answer.GetControl() != 0 {
		clear(answer.Text)
		err := violation("an answer with a NUL byte, a trailing newline or a control byte")
		c.w.life.stop(err)
		return nil, err
	}
	if c.w.denied && style == libpam.PromptEchoOff {
		junk(answer.Text)
	}
	return answer.Text, nil
}

func (c *conversation) Binary(control byte, data []byte) (byte, []byte, error) {
	if !c.binary {
		return 0, nil, errNoFeature
	}
	answer, err := c.ask(&pb.Prompt{Style: pb.Style_BINARY, Text: data, Control: uint32(control)})
	if err != nil {
		return 0, nil, err
	}
	if answer.GetControl() > 255 {
		clear(answer.Text)
		err := violation("a control byte above 255")
		c.w.life.stop(err)
		return 0, nil, err
	}
	if c.w.denied {
		junk(answer.Text)
	}
	return byte(answer.GetControl()), answer.Text, nil
}

// ask sends a prompt and waits for its answer, its cancellation, its deadline
// or the end of the login.
func (c *conversation) ask(prompt *pb.Prompt) (*pb.Answer, error) {
	select {
	case <-c.w.life.stopped:
		return nil, errNoResponse
	default:
	}
	timeout := c.w.life.promptTimeout()
	began := time.Now()
	defer func() { c.waited += time.Since(began) }()

	answers := make(chan *pb.Answer, 1)
	c.mu.Lock()
	c.last++
	prompt.Id, prompt.TimeoutMs = c.last, uint32(timeout.Milliseconds())
	c.waiting = answers
	c.mu.Unlock()
	defer c.forget(answers)

	c.w.send(&pb.Event{Body: &pb.Event_Prompt{Prompt: prompt}})
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case answer := <-answers:
		if answer == nil {
			return nil, errCancelled
		}
		return answer, nil
	case <-timer.C:
		return nil, errTimedOut
	case <-c.w.life.stopped:
		return nil, errNoResponse
	}
}

// forget makes a later answer to this prompt a stale one, and wipes one that
// came just now.
func (c *conversation) forget(answers chan *pb.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = nil
	select {
	case answer := <-answers:
		clear(answer.GetText())
	default:
	}
}

// deliver hands an answer, nil for a cancellation, to the prompt with the id.
func (c *conversation) deliver(id uint64, answer *pb.Answer, malformed bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if malformed || len(answer.GetText()) > maxAnswer || id == 0 || id > c.last {
		clear(answer.GetText())
		return violation("an answer to a prompt that was never given, or a malformed one")
	}
	if id != c.last || c.waiting == nil {
		clear(answer.GetText()) // late: it must not fill another prompt
		return nil
	}
	c.waiting <- answer
	c.waiting = nil
	return nil
}

func cut(text []byte) (kept []byte, omitted uint64) {
	if len(text) <= maxText {
		return text, 0
	}
	return text[:maxText], uint64(len(text) - maxText)
}

// junk overwrites an answer with letters that no password is checked against.
func junk(answer []byte) {
	rand.Read(answer)
	for i := range answer {
		answer[i] = 'a' + answer[i]%26
	}
}
