package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	pb "github.com/pamhelper/pamhelper/proto"
)

func (c *Client) message(m *pb.Message) {
	if c.options.Conversation == nil {
		return
	}
	if m.GetStyle() == pb.Style_ERROR_MSG {
		c.options.Conversation.Error(m.GetText())
		return
	}
	c.options.Conversation.Info(m.GetText())
}

// promptSlack is how much later than the worker the client gives up a prompt: the
// worker knows why, and may be about to say so.
const promptSlack = 500 * time.Millisecond

// prompt asks the conversation and sends its answer, or a cancellation.
func (c *Client) prompt(ctx context.Context, p *pb.Prompt) error {
	asking, died := context.WithCancelCause(ctx)
	defer died(nil)
	if p.GetTimeoutMs() > 0 {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(asking, time.Duration(p.GetTimeoutMs())*time.Millisecond+promptSlack)
		defer cancel()
	}
	// Nobody needs the answer of a worker that is gone.
	defer context.AfterFunc(c.alive, func() { died(c.failure()) })()
	answer, err := c.ask(asking, p)
	if err == nil {
		err = c.checkAnswer(p, answer)
	}
	defer clear(answer.Text)
	if err != nil {
		c.cause = err
		return c.conn.Write(&pb.Request{Body: &pb.Request_Cancel{Cancel: &pb.Cancel{Id: p.GetId()}}})
	}
	return c.conn.Write(&pb.Request{Body: &pb.Request_Answer{Answer: answer}})
}

func (c *Client) ask(ctx context.Context, p *pb.Prompt) (*pb.Answer, error) {
	answer := &pb.Answer{Id: p.GetId()}
	if c.options.Conversation == nil {
		return answer, errors.New("no conversation to answer the prompt")
	}
	var err error
	switch p.GetStyle() {
	case pb.Style_PROMPT_ECHO_OFF, pb.Style_PROMPT_ECHO_ON:
		echo := p.GetStyle() == pb.Style_PROMPT_ECHO_ON
		answer.Text, err = c.options.Conversation.Prompt(ctx, echo, p.GetText())
	case pb.Style_BINARY:
		conversation, ok := c.options.Conversation.(BinaryConversation)
		if !ok || !c.binary {
			return answer, errors.New("binary prompt, which this conversation does not answer")
		}
		var control byte
		control, answer.Text, err = conversation.Binary(ctx, byte(p.GetControl()), p.GetText())
		answer.Control = uint32(control)
	default:
		err = fmt.Errorf("prompt of unknown style %d", p.GetStyle())
	}
	return answer, err
}

// checkAnswer refuses here what the worker would end the login for.
func (c *Client) checkAnswer(p *pb.Prompt, answer *pb.Answer) error {
	if limit := c.limits.GetMaxAnswer(); uint64(len(answer.Text)) > uint64(limit) {
		return fmt.Errorf("the answer has %d bytes, the helper takes %d", len(answer.Text), limit)
	}
	if p.GetStyle() == pb.Style_BINARY {
		return nil
	}
	if bytes.IndexByte(answer.Text, 0) >= 0 {
		return errors.New("the answer has a NUL byte")
	}
	if bytes.HasSuffix(answer.Text, []byte("\n")) {
		return errors.New("the answer ends in a newline")
	}
	return nil
}
