package auth

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// maxHeld is how much of what modules say is kept until it can be shown, in bytes.
const maxHeld = 32 << 10

// conversation is PAM's, over the method that the client tries at the moment.
type conversation struct {
	challenge ssh.KeyboardInteractiveChallenge // nil: questions cannot be asked
	password  []byte                           // answers one hidden question; nil: none
	pending   strings.Builder                  // messages that were not shown yet
}

var _ ipc.Conversation = (*conversation)(nil)

// Prompt implements ipc.Conversation. x/crypto/ssh holds the answer in a string,
// which cannot be wiped.
func (c *conversation) Prompt(_ context.Context, echo bool, text []byte) ([]byte, error) {
	switch {
	case c.challenge != nil:
		return c.ask(c.take(), ipc.Printable(text), echo)
	case c.password != nil && !echo:
		answer := bytes.Clone(c.password)
		c.password = nil
		return answer, nil
	}
	return nil, errors.New("a question that the client's method cannot answer")
}

// ask asks one question. Instruction is shown above it.
func (c *conversation) ask(instruction, question string, echo bool) ([]byte, error) {
	answers, err := c.challenge("", instruction, []string{question}, []bool{echo})
	if err != nil {
		return nil, err
	}
	return []byte(answers[0]), nil
}

// Info implements ipc.Conversation.
func (c *conversation) Info(text []byte) { c.hold(text) }

// Error implements ipc.Conversation.
func (c *conversation) Error(text []byte) { c.hold(text) }

func (c *conversation) hold(text []byte) {
	shown := strings.TrimSuffix(ipc.Printable(text), "\n") + "\n"
	if c.pending.Len()+len(shown) <= maxHeld {
		c.pending.WriteString(shown)
	}
}

// take returns what was not shown yet.
func (c *conversation) take() string {
	defer c.pending.Reset()
	return c.pending.String()
}
