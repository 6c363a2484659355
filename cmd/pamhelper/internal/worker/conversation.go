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
	maxKept   = 16        // messages that are kept until the proof
)

var (
	errCancelled  = errors.New("the agent cancelled the prompt")
	errTimedOut   = errors.New("the prompt was not answered in time")
	errNoFeature  = errors.New("the agent does not take binary prompts")
	errNoResponse = errors.New("the login is being ended")
	errNotYet     = errors.New("a module may not ask before the user has proved anything")
)

// conversation carries PAM's conversation to the agent. Its prompts run on the
// main thread, deliver on the receiving goroutine.
type conversation struct {
	w        *worker
	binary   bool          // both sides declared the feature
	waited   time.Duration // time this step's prompts waited for answers
	answered time.Time     // when the last prompt ended to wait
	// abandoned: a prompt of this step got no answer.
	abandoned bool
	// keeping: nothing has been proved yet, and what a module says could tell who
	// exists. Messages are kept until it has, prompts fail.
	keeping bool
	kept    []*pb.Message

	mu      sync.Mutex
	last    uint64 // id of the newest prompt
	waiting chan *pb.Answer
}

var _ libpam.Conversation = (*conversation)(nil)

func (c *conversation) Message(style libpam.Style, text []byte) error {
	text, omitted := cut(text)
	message := &pb.Message{Style: pb.Style(style), Text: text, OmittedBytes: omitted}
	switch {
	case !c.keeping:
		c.w.send(&pb.Event{Body: &pb.Event_Message{Message: message}})
	case len(c.kept) < maxKept:
		message.Text = bytes.Clone(text) // the module's
		c.kept = append(c.kept, message)
	}
	return nil
}

// tell shows what was kept: the user is who the login says.
func (c *conversation) tell() {
	for _, message := range c.kept {
		c.w.send(&pb.Event{Body: &pb.Event_Message{Message: message}})
	}
	c.kept = nil
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
	if c.w.denial != "" && !isChoice(style, answer.Text) {
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
	if c.w.denial != "" {
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
	if c.keeping {
		return nil, errNotYet
	}
	timeout := c.w.life.promptTimeout()
	began := time.Now()
	defer func() {
		c.answered = time.Now()
		c.waited += c.answered.Sub(began)
	}()

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
func (c *conversation) deliver(id uint64, answer *pb.Answer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(answer.GetText()) > maxAnswer || id == 0 || id > c.last {
		clear(answer.GetText())
		return violation("an answer to a prompt that was never given, or one that is too long")
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

// isChoice reports whether an answer that everybody may see is none of a secret, but
// a yes or the number of a choice. In the place of those junk would tell: a module
// asks again for what is no choice at all.
func isChoice(style libpam.Style, answer []byte) bool {
	return style == libpam.PromptEchoOn && len(answer) <= len("yes")
}

// junk overwrites an answer with one that no secret is like: a module that looks at
// its form, such as six digits, goes on as with a wrong one.
func junk(answer []byte) {
	random := make([]byte, len(answer))
	rand.Read(random)
	for i, c := range answer {
		switch {
		case '0' <= c && c <= '9':
			answer[i] = '0' + random[i]%10
		default:
			answer[i] = 'a' + random[i]%26
		}
	}
}
