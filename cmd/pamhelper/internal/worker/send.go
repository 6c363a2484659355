package worker

import (
	"os"
	"time"

	pb "github.com/pamhelper/pamhelper/proto"
)

// writeTimeout is how long an agent may leave events unread.
const writeTimeout = 10 * time.Second

// closingWrites is the same for all events together that come under the close
// deadline: an agent that does not read must not take the time that closing has.
const closingWrites = 2 * time.Second

// send sends an event, with the descriptors that it declares.
func (w *worker) send(event *pb.Event, files ...*os.File) {
	w.sending.Lock()
	defer w.sending.Unlock()
	if w.hung {
		return // the last event has been sent
	}
	w.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	defer w.conn.SetWriteDeadline(time.Time{}) // it would wake a worker that only waits, for nothing
	if w.life.isClosing() {                    // asked behind that: stopping sets a deadline too
		began := time.Now()
		w.conn.SetWriteDeadline(began.Add(w.writesLeft))
		defer func() { w.writesLeft -= time.Since(began) }()
	}
	if err := w.conn.WriteFiles(event, files); err != nil && w.conn.Err() != nil {
		w.life.stop(nil)
	} else if err != nil {
		w.life.stop(&fault{kind: pb.Fault_INTERNAL, text: "cannot send: " + err.Error()})
	}
}
