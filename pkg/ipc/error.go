package ipc

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Errors a Client returns where no data goes with them.
var (
	// ErrHelperDied: the connection ended without the answer to End. The worker
	// was killed, or a module ended its process without a trace.
	ErrHelperDied = errors.New("the helper died in the middle of the login")
	// ErrSkipped: the step was not run because one before it did not succeed.
	ErrSkipped = errors.New("skipped, because a step before it did not succeed")
	// ErrTimeout: one of the worker's deadlines passed.
	ErrTimeout = errors.New("the login took too long")
	// ErrStopped: the worker was told to stop.
	ErrStopped = errors.New("the helper was told to stop")
	// ErrVersion: the two sides speak different protocol versions.
	ErrVersion = errors.New("protocol version mismatch")
	// ErrInternal: the worker could not go on; its log says why.
	ErrInternal = errors.New("the helper failed")
	// ErrBrokerGone: the broker has ended, or has closed the control socket. Workers
	// that there are go on until their agent leaves them.
	ErrBrokerGone = errors.New("the broker is gone: start the agent again, under a new one")
)

// PAMError is a step that PAM did not let through. It unwraps to its Code.
type PAMError struct {
	Step Step
	Code Code
	Text string // libpam's words
	// Decision is the line that decided; nil where the helper does not say it.
	Decision *Decision
	// Cause is why the conversation was cancelled, where it was.
	Cause error
}

func (e *PAMError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Step, e.Code, e.Cause)
	}
	return fmt.Sprintf("%s: %s: %s", e.Step, e.Code, e.Text)
}

// Unwrap returns the code and the cause.
func (e *PAMError) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Code, e.Cause}
	}
	return []error{e.Code}
}

// CrashError is a module that took the worker down with it. errors.Is finds
// ErrHelperDied in it.
type CrashError struct {
	Module string         // file name, such as "pam_unix.so"; empty where unknown
	Signal syscall.Signal // 0 where the module called exit
	// File and Line are the module's line; empty where unknown.
	File string
	Line int
}

func (e *CrashError) Error() string {
	module := e.Module
	if module == "" {
		module = "code outside any module"
	}
	module += At(e.File, e.Line)
	if e.Signal == 0 {
		return fmt.Sprintf("the helper died: %s called exit", module)
	}
	return fmt.Sprintf("the helper died: %s crashed (%s)", module, e.Signal)
}

// Unwrap returns ErrHelperDied.
func (e *CrashError) Unwrap() error { return ErrHelperDied }

// HangError is a module that did not return before the deadline. The worker
// ended itself and what the module had started.
type HangError struct {
	Module string
	// File and Line are the module's line; empty where unknown.
	File string
	Line int
	Text string
}

func (e *HangError) Error() string { return e.Text }

// ViolationError is a peer that does not keep to the protocol.
type ViolationError struct{ Text string }

func (e *ViolationError) Error() string { return "protocol violation: " + e.Text }

// RefusedError is a request that the helper's policy does not allow.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return "refused by the helper: " + e.Text }

// BusyError is a login that cannot be served now: there are too many on the
// machine, or of this user. A launcher returns it too, where no worker could be
// started. Nothing is wrong with the login itself: it can be tried again.
type BusyError struct {
	// RetryAfter is when that makes sense, counted from now. 0: not known.
	RetryAfter time.Duration
	// Text says which limit was reached, for a log.
	Text string
}

func (e *BusyError) Error() string {
	if e.RetryAfter <= 0 {
		return "the helper is busy: " + e.Text
	}
	return fmt.Sprintf("the helper is busy: %s; try again in %s", e.Text, e.RetryAfter)
}

func newBusyError(b *pb.Busy) *BusyError {
	return &BusyError{RetryAfter: time.Duration(b.GetRetryAfterMs()) * time.Millisecond, Text: b.GetText()}
}
