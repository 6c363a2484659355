package ipctest

import (
	"cmp"
	"slices"
	"syscall"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// Call is what a handler has of the login it plays in.
type Call struct {
	// Login is what Begin bound.
	Login  ipc.Login
	worker *worker
}

// Info shows a PAM_TEXT_INFO message.
func (c *Call) Info(text string) { c.message(pb.Style_TEXT_INFO, text) }

// Error shows a PAM_ERROR_MSG message.
func (c *Call) Error(text string) { c.message(pb.Style_ERROR_MSG, text) }

// Prompt asks and returns the answer, nil where the agent cancelled.
func (c *Call) Prompt(echo bool, text string) []byte {
	style := pb.Style_PROMPT_ECHO_OFF
	if echo {
		style = pb.Style_PROMPT_ECHO_ON
	}
	answer := c.ask(&pb.Prompt{Style: style, Text: []byte(text)})
	if answer == nil {
		return nil
	}
	return append([]byte{}, answer.GetText()...)
}

// Binary asks with a PAM_BINARY_PROMPT. ok is false where the agent cancelled.
func (c *Call) Binary(control byte, data []byte) (answerControl byte, answer []byte, ok bool) {
	a := c.ask(&pb.Prompt{Style: pb.Style_BINARY, Control: uint32(control), Text: data})
	return byte(a.GetControl()), a.GetText(), a != nil
}

// SetEnv sets a variable of the PAM environment.
func (c *Call) SetEnv(name, value string) { c.worker.env[name] = value }

// Tolerate lets the login go on whatever Credentials returns.
func (c *Call) Tolerate() { c.worker.tolerated = true }

// Crash ends the worker as a module that dies of a signal does; 0 is a module
// that calls exit. It does not return.
func (c *Call) Crash(module string, signal syscall.Signal) {
	c.worker.send(&pb.Event{Body: &pb.Event_Crash{Crash: &pb.Crash{Signal: uint32(signal), Module: module}}})
	panic(errGone)
}

// Hang ends the worker as a module that does not return does. It does not
// return.
func (c *Call) Hang(module string) {
	c.worker.fault(pb.Fault_HANG, "module "+module+" does not return", module)
	panic(errGone)
}

// Refuse ends the login as the helper's policy does. It does not return.
func (c *Call) Refuse(text string) {
	c.worker.fault(pb.Fault_REFUSED, text, "")
	panic(errGone)
}

// Busy ends the login as a helper does that has too many. It does not return.
func (c *Call) Busy(retryAfter time.Duration, text string) {
	c.worker.busy(&ipc.BusyError{RetryAfter: retryAfter, Text: text})
	panic(errGone)
}

// Die ends the worker without a word, as SIGKILL does. It does not return.
func (c *Call) Die() { panic(errGone) }

func (c *Call) message(style pb.Style, text string) {
	c.worker.send(&pb.Event{Body: &pb.Event_Message{Message: &pb.Message{Style: style, Text: []byte(text)}}})
}

// ask sends a prompt and waits for its answer; steps that come meanwhile wait.
func (c *Call) ask(prompt *pb.Prompt) *pb.Answer {
	w := c.worker
	w.prompts++
	prompt.Id = w.prompts
	w.send(&pb.Event{Body: &pb.Event_Prompt{Prompt: prompt}})
	for {
		req := w.receive()
		switch body := req.GetBody().(type) {
		case *pb.Request_Answer:
			if body.Answer.GetId() == prompt.Id {
				return body.Answer
			}
		case *pb.Request_Cancel:
			if body.Cancel.GetId() == prompt.Id {
				return nil
			}
		default:
			w.queue = append(w.queue, req)
		}
	}
}

func variables(env map[string]string) []*pb.Variable {
	var list []*pb.Variable
	for name, value := range env {
		list = append(list, &pb.Variable{Name: []byte(name), Value: []byte(value)})
	}
	slices.SortFunc(list, func(a, b *pb.Variable) int { return cmp.Compare(string(a.GetName()), string(b.GetName())) })
	return list
}
