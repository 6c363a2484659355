package ipc

import "context"

// Conversation is the agent's side of PAM's conversation (pam_conv(3)). Its
// methods are called one at a time, in the order the module spoke, on the
// goroutine that called the step.
//
// Texts are the module's bytes: any encoding, terminal escapes included. See
// Printable for showing them.
type Conversation interface {
	// Prompt asks and returns the answer, without a trailing newline. echo is
	// whether what is typed may be seen. The answer is wiped after it was sent.
	// ctx ends with the step's context, soon after the worker's deadline for this
	// prompt, and where the worker is gone; an error cancels the prompt and the module gets PAM_CONV_ERR.
	Prompt(ctx context.Context, echo bool, text []byte) (answer []byte, err error)
	// Info shows a PAM_TEXT_INFO message.
	Info(text []byte)
	// Error shows a PAM_ERROR_MSG message.
	Error(text []byte)
}

// BinaryConversation is a Conversation that also answers PAM_BINARY_PROMPT.
// A client whose conversation has it declares the feature to the worker.
type BinaryConversation interface {
	Conversation
	// Binary answers a binary prompt: a control byte and data each way
	// (Linux-PAM, security/pam_client.h). The answer is wiped after it was sent.
	Binary(ctx context.Context, control byte, data []byte) (answerControl byte, answer []byte, err error)
}
