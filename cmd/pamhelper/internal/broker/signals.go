// What the broker's signals mean.

package broker

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// heeded takes over the signals, also those that the broker's starter ignores: the
// workers inherit what is ignored, and a user's process from them. What an agent can
// cause (SIGWINCH, by the terminal it has of root's) takes no room of the others.
func heeded() (signals, passed chan os.Signal) {
	signals, passed = make(chan os.Signal, 64), make(chan os.Signal, 64)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	signal.Notify(passed, syscall.SIGWINCH, syscall.SIGUSR1, syscall.SIGUSR2)
	// A broker that is stopped reaps nothing; a write into a terminal from the
	// background is fine; and whose log nobody reads goes on.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGPIPE)
	return signals, passed
}

// heed does what a signal asks for.
func (b *broker) heed(sig syscall.Signal) {
	switch {
	case sig == syscall.SIGHUP:
		b.reread()
		b.agent.signal(sig) // it may have a configuration of its own
	case sig != syscall.SIGTERM:
		b.agent.signal(sig)
	case b.stopping != nil:
		b.log.Printf("a second SIGTERM: the agent, process %d, gets SIGKILL", b.agent.pid)
		b.agent.signal(syscall.SIGKILL)
	default:
		b.stopAgent()
	}
}

// stopAgent asks the agent to end, and gives it the time that is set for that.
func (b *broker) stopAgent() {
	b.agent.signal(syscall.SIGTERM)
	if b.stopping == nil {
		b.stopping = time.After(b.options.stopTimeout)
	}
}

// reread takes over a policy that has changed. One that is not valid changes
// nothing.
func (b *broker) reread() {
	if err := b.policy.reread(); err != nil {
		b.log.Printf("SIGHUP: the policy stays as it is: %v", err)
		return
	}
	b.spares.drop()
	b.workers.limit(b.policy.limits())
	b.warnOfRoom()
	b.log.Print("SIGHUP: the policy was read again; it is that of the logins to come")
}
