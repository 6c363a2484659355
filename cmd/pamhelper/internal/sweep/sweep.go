// Package sweep closes the logins whose worker has died, and lists those that are
// open: "pamhelper sweep" and "pamhelper sessions". It runs no module itself: each
// login is closed by a process of its own.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/record"
	"github.com/pamhelper/pamhelper/pkg/ipc"
	pb "github.com/pamhelper/pamhelper/proto"
)

// mostFailures is how often closing a login is tried.
const mostFailures = 3

// timeout is above the deadlines of the process that closes one login: it says
// itself which module hangs.
const timeout = time.Minute

// sweeper closes logins.
type sweeper struct {
	helper   string // this program
	out, log io.Writer
	failed   bool // a login could not be closed
}

// all closes every login that is dead, one after the other.
func (s *sweeper) all(ctx context.Context) error {
	found, err := record.List()
	if err != nil && len(found) == 0 {
		return err
	}
	for _, f := range found {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.one(ctx, f)
	}
	return errors.Join(err, record.RemoveUnfinished())
}

func (s *sweeper) one(ctx context.Context, f record.Found) {
	switch f.State {
	case record.Live, record.Failed:
		return
	case record.Elsewhere:
		s.say(f, "left alone: its processes are in another PID namespace; run sweep there")
		return
	case record.Unreadable:
		s.setAside(f)
		return
	}
	err := s.close(ctx, f.ID)
	var code ipc.Code
	switch {
	case err == nil:
		s.say(f, "closed")
	case errors.Is(err, errGone):
	case errors.As(err, &code):
		s.say(f, "closed, and the service said "+code.String())
	default:
		s.failed = true
		s.say(f, "not closed: "+err.Error()+s.giveUp(f.ID))
	}
}

// setAside moves what is no record out of the way.
func (s *sweeper) setAside(f record.Found) {
	err := record.SetAside(f.ID)
	if errors.Is(err, record.ErrHeld) || errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.failed = true
	where := fmt.Sprintf("it is in %s/failed/%s now", record.Dir, f.ID)
	if err != nil {
		where = "it cannot be moved away: " + err.Error()
	}
	fmt.Fprintf(s.out, "%s cannot be read, what it was to close is not known; %s: %v\n", f.ID, where, f.Broken)
}

func (s *sweeper) say(f record.Found, what string) {
	fmt.Fprintf(s.out, "%s %s through %s: %s\n", f.ID, ipc.Printable(f.GetUser()), f.GetService(), what)
}

// errGone: another sweep has closed the login, or is about to.
var errGone = errors.New("closed by somebody else")

// close has one login closed, and returns what the service said to that as an
// ipc.Code, or why it was not closed.
func (s *sweeper) close(ctx context.Context, id string) error {
	stream, err := ipc.Exec{Path: s.helper, Args: []string{"--close", id}, Log: s.log}.Launch(ctx)
	if err != nil {
		return err
	}
	stream.SetDeadline(time.Now().Add(timeout))
	closed, err := outcome(ipc.NewConn(stream))
	stream.Close() // when it has ended, who holds the record is somebody else
	if closed {
		return err
	}
	return closedMeanwhile(id, err)
}

// outcome is what the process that closes a login says.
func outcome(conn *ipc.Conn) (closed bool, err error) {
	for {
		event, _, err := conn.ReadEvent()
		if err != nil {
			return false, fmt.Errorf("the process that was to close it died: %w", err)
		}
		switch body := event.GetBody().(type) {
		case *pb.Event_Result:
			if code := ipc.Code(body.Result.GetCode()); code != ipc.Success {
				return true, code
			}
			return true, nil
		case *pb.Event_Fault:
			return false, errors.New(body.Fault.GetText())
		case *pb.Event_Crash:
			return false, &ipc.CrashError{
				Module: body.Crash.GetModule(), Signal: syscall.Signal(body.Crash.GetSignal()),
				File: body.Crash.GetFile(), Line: int(body.Crash.GetLine()),
			}
		}
	}
}

// closedMeanwhile returns errGone where nobody has to close the login any more.
func closedMeanwhile(id string, why error) error {
	held, err := record.Take(id)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, record.ErrHeld) {
		return errGone
	}
	if err == nil {
		held.Close()
	}
	return why
}

// giveUp moves a login that was tried often enough out of the way, and says so.
func (s *sweeper) giveUp(id string) string {
	held, err := record.Take(id)
	if err != nil {
		return ""
	}
	if held.GetFailures() < mostFailures {
		defer held.Close()
		return fmt.Sprintf(" (try %d of %d)", held.GetFailures(), mostFailures)
	}
	if err := held.GiveUp(); err != nil {
		return "; it cannot be moved away: " + err.Error()
	}
	return fmt.Sprintf("; given up after %d tries, its record is in %s/failed/%s", mostFailures, record.Dir, id)
}
