package preflight

import (
	"net"
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
)

// helper asks a socket for a worker, which ends with the connection. A broker can
// be asked only by an agent that it has started.
func (r *Report) helper(h config.Helper) {
	if h.Socket == "" {
		r.add(Note, "helper", "the broker is reached only by an agent that it has started: pamhelper broker; not looked at")
		return
	}
	conn, err := net.DialTimeout("unix", h.Socket, 2*time.Second)
	if err != nil {
		r.add(Error, "helper", "%v; is the socket unit started, and is this user in the group of the socket?", err)
		return
	}
	conn.Close()
	r.add(OK, "helper", "%s takes connections", h.Socket)
}
