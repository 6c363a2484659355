package preflight

import (
	"context"
	"os"
	"time"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/config"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// helperPatience is how long a worker may take to say what it is.
const helperPatience = 5 * time.Second

// helper asks for a worker, and greets it. It ends with the connection. A broker can
// be asked only by a program that it has started.
func (r *Report) helper(h config.Helper) {
	if h.Socket != "" {
		r.result("helper", "a worker answers behind "+h.Socket, greet(ipc.Unix{Path: h.Socket}))
		return
	}
	if !startedByBroker() {
		r.add(Note, "helper", "not looked at: the broker is reached only by a program that it has started; "+
			"to try it, as root: pamhelper broker --user NAME -- agent check")
		return
	}
	broker, err := ipc.OpenBroker()
	if err == nil {
		err = greet(broker)
	}
	r.result("helper", "the broker that started this program gives workers", err)
}

func startedByBroker() bool {
	_, found := os.LookupEnv(ipc.BrokerVariable)
	return found
}

func greet(launcher ipc.Launcher) error {
	ctx, cancel := context.WithTimeout(context.Background(), helperPatience)
	defer cancel()
	client, err := ipc.Dial(ctx, launcher, ipc.Options{})
	if err != nil {
		return err
	}
	return client.Close()
}
