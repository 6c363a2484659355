// How many logins there are at once: the policy's limits, counted over all workers
// of this machine.

package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/pamhelper/pamhelper/cmd/pamhelper/internal/slot"
	pb "github.com/pamhelper/pamhelper/proto"
)

// When it makes sense to try again. A login comes to an open session, or fails,
// within seconds; for the end of a session there is no good guess.
const (
	retryUnopened = time.Second
	retryLogins   = 5 * time.Second
)

// counted are the slots of one login. They go with the process, however it ends.
type counted struct {
	in                    *slot.Slots
	login, unopened, user *slot.Slot
}

// countStart counts the login from the start of its worker.
func (w *worker) countStart() (err error) {
	if !w.counts {
		return nil
	}
	if w.slots.in, err = slot.Open(descriptorFloor); err != nil {
		return internal(fmt.Errorf("count the logins: %w", err))
	}
	most := w.policy.GetLimits()
	w.slots.login, err = w.slots.take(slot.Logins, 0, most.GetLogins())
	if errors.Is(err, slot.ErrFull) {
		return busy(retryLogins, "%d logins are going on, no more are allowed (logins in the policy)", most.GetLogins())
	}
	if err != nil {
		return err
	}
	w.slots.unopened, err = w.slots.take(slot.Unopened, 0, most.GetUnopenedLogins())
	if errors.Is(err, slot.ErrFull) {
		return busy(retryUnopened, "%d logins have no open session yet, no more are allowed (unopened_logins in the policy)",
			most.GetUnopenedLogins())
	}
	return err
}

// countUser counts the login for its user. It comes behind the proof: what nobody
// has proved keeps nobody out.
func (w *worker) countUser() error {
	if !w.counts {
		return nil
	}
	a, err := w.directory.User(w.user)
	if err != nil {
		return refuse("user %q cannot be looked up: %v", w.user, err)
	}
	most := w.policy.GetLimits().GetLoginsPerUser()
	w.slots.user, err = w.slots.take(slot.Users, a.UID, most)
	if errors.Is(err, slot.ErrFull) {
		return busy(retryLogins, "user %q has %d logins, no more are allowed (logins_per_user in the policy)", w.user, most)
	}
	return err
}

// countOpen: the session is open.
func (w *worker) countOpen() {
	w.slots.in.Close()
	w.slots.unopened.Release()
	w.slots.in, w.slots.unopened = nil, nil
}

// uncount lets go of what the end of the process may be late for.
func (w *worker) uncount() {
	w.slots.in.Close()
	for _, s := range []*slot.Slot{w.slots.login, w.slots.unopened, w.slots.user} {
		s.Release()
	}
}

func (c *counted) take(pool slot.Pool, key, limit uint32) (*slot.Slot, error) {
	taken, err := c.in.Take(pool, key, limit)
	if err != nil && !errors.Is(err, slot.ErrFull) {
		return nil, internal(fmt.Errorf("count the logins: %w", err))
	}
	return taken, err
}

func busy(retry time.Duration, format string, args ...any) error {
	return &fault{kind: pb.Fault_BUSY, text: fmt.Sprintf(format, args...), retry: retry}
}

// farewell is how long an agent that is not served may take to say something.
const farewell = time.Second

// turnAway answers whatever the agent asks first with the reason why it is not
// served. It does not wait long: such a login is not counted.
func (w *worker) turnAway(err error) error {
	w.life.over()
	f := err.(*fault)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		w.conn.ReadRequest()
	}()
	select {
	case <-asked:
	case <-time.After(farewell):
	}
	w.log.Printf("not served: %s", printable(f.text))
	w.send(f.event())
	if w.conn.LetGo() {
		<-asked
	}
	return f
}
