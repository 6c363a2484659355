package worker

import "time"

// grain is what the time that an agent waits for a failed Authenticate is a multiple
// of: longer than it takes to hash a password. Modules hash none for a user who does
// not exist or has no password, and the time of one attempt would tell that.
const grain = 300 * time.Millisecond

// even waits until it is a multiple of the worker's grain since the last answer to a
// prompt, or since a step began that had none. It waits also where the login is
// stopped: an agent that leaves sees when its worker does.
func (w *worker) even(began time.Time) {
	if w.conv.answered.After(began) {
		began = w.conv.answered
	}
	took := time.Since(began)
	time.Sleep((took/w.grain+1)*w.grain - took)
}
