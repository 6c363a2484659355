package main

import (
	"fmt"
	"os"
	"time"

	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// brokerGrace is how long a login goes on when its broker is gone, and then how
// long its closing is waited for.
const brokerGrace = 5 * time.Second

// errBrokerGone ends a login whose broker is gone.
var errBrokerGone = fmt.Errorf("the login was ended: %w", ipc.ErrBrokerGone)

// watchBroker returns a channel that is closed when the login has to end because
// its broker is gone. A launcher without a broker is never gone.
func watchBroker(launcher ipc.Launcher) <-chan struct{} {
	broker, ok := launcher.(*ipc.Broker)
	if !ok {
		return nil
	}
	lost := make(chan struct{})
	go func() { // as long as the program
		<-broker.Done()
		// The terminal may be raw.
		fmt.Fprintf(os.Stderr, "agent: the broker is gone: the login ends in %s\r\n", brokerGrace)
		time.Sleep(brokerGrace)
		close(lost)
	}()
	return lost
}
