package libpam

/*
#include "hooks.h"
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"github.com/msteinert/pam/v2"
)

// Style is what a module wants done with a text.
type Style int

// PAM's message styles.
const (
	PromptEchoOff = Style(pam.PromptEchoOff)
	PromptEchoOn  = Style(pam.PromptEchoOn)
	ErrorMsg      = Style(pam.ErrorMsg)
	TextInfo      = Style(pam.TextInfo)
)

// Conversation answers the modules (pam_conv(3)). It is called on the PAM
// thread, in the middle of a step.
type Conversation interface {
	// Message shows an ErrorMsg or TextInfo. An error ends the conversation.
	Message(style Style, text []byte) error
	// Prompt asks. The answer has no NUL byte; it belongs to the transaction
	// from here on, which wipes it after the step. An error is PAM_CONV_ERR to
	// the module.
	Prompt(style Style, text []byte) (answer []byte, err error)
	// Binary answers a PAM_BINARY_PROMPT, under the same terms.
	Binary(control byte, data []byte) (answerControl byte, answer []byte, err error)
}

// MaxBinary is the longest data of a binary prompt or its answer, in bytes.
const MaxBinary = 64 << 10

// binaryHeader is the length and the control byte (Linux-PAM,
// security/pam_client.h): the length is big-endian and counts the header too.
const binaryHeader = 5

// conversation stands between the binding and the caller's Conversation.
type conversation struct {
	caller  Conversation
	secrets [][]byte // answers of this step, which the binding may still read
	hidden  [][]byte // those of them that a trace must not show
}

var _ pam.BinaryConversationHandler = (*conversation)(nil)

// RespondPAM implements pam.ConversationHandler.
func (c *conversation) RespondPAM(style pam.Style, text string) (string, error) {
	said(style, text)
	C.pamhelper_guard_suspend()
	defer C.pamhelper_guard_resume()
	switch style {
	case pam.ErrorMsg, pam.TextInfo:
		return "", c.caller.Message(Style(style), []byte(text))
	case pam.PromptEchoOff, pam.PromptEchoOn:
		answer, err := c.caller.Prompt(Style(style), []byte(text))
		if err != nil || len(answer) == 0 {
			return "", err
		}
		c.secrets = append(c.secrets, answer)
		if style == pam.PromptEchoOff {
			c.hidden = append(c.hidden, answer)
		}
		// The binding wants a string: it reads this buffer, which wipe clears.
		return unsafe.String(&answer[0], len(answer)), nil
	}
	return "", errors.New("message style that PAM does not define")
}

// RespondPAMBinary implements pam.BinaryConversationHandler.
func (c *conversation) RespondPAMBinary(p pam.BinaryPointer) ([]byte, error) {
	said(pam.BinaryPrompt, "")
	C.pamhelper_guard_suspend()
	defer C.pamhelper_guard_resume()
	if p == nil {
		return nil, errors.New("binary prompt without data")
	}
	size := binary.BigEndian.Uint32(unsafe.Slice((*byte)(p), 4))
	if size < binaryHeader || size > binaryHeader+MaxBinary {
		return nil, errors.New("binary prompt of an impossible length")
	}
	message := unsafe.Slice((*byte)(p), size)
	control, answer, err := c.caller.Binary(message[4], append([]byte(nil), message[binaryHeader:]...))
	if err != nil {
		return nil, err
	}
	defer clear(answer)
	if len(answer) > MaxBinary {
		return nil, errors.New("binary answer too long")
	}
	// The binding's copy is the module's; of a refused batch it is not wiped,
	// since the binding measures it with strlen.
	response := make([]byte, binaryHeader+len(answer))
	binary.BigEndian.PutUint32(response, uint32(binaryHeader+len(answer)))
	response[4] = control
	copy(response[binaryHeader:], answer)
	c.secrets, c.hidden = append(c.secrets, response), append(c.hidden, response[binaryHeader:])
	return response, nil
}

// wipe clears the answers of a step.
func (c *conversation) wipe() {
	for _, secret := range c.secrets {
		clear(secret)
	}
	c.secrets, c.hidden = nil, nil
}

// said tells the hooks what the running module says. Of a long text they keep
// the beginning.
func said(style pam.Style, text string) {
	C.pamhelper_trace_said(C.int(style), (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text)))
}
