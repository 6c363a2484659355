package ipc

import (
	"context"
	"time"
)

// cancelGrace is how long a cancelled prompt's step may take to end.
const cancelGrace = 5 * time.Second

// watch ends the connection when ctx ends, unless a prompt waits: that one is
// cancelled through its own context. The returned function stops watching.
func (c *Client) watch(ctx context.Context) (stop func()) {
	c.guard.Lock()
	c.prompting = false
	c.conn.stream.SetDeadline(time.Time{})
	c.guard.Unlock()

	fired := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(fired)
		c.guard.Lock()
		defer c.guard.Unlock()
		if !c.prompting {
			c.conn.stream.SetDeadline(time.Now())
		}
	})
	return func() {
		if !cancel() {
			<-fired
		}
	}
}

// startPrompting tells watch that a prompt waits.
func (c *Client) startPrompting() {
	c.guard.Lock()
	defer c.guard.Unlock()
	c.prompting = true
}

// stopPrompting tells watch that the prompt is over. Where ctx has ended
// meanwhile, the step gets a short time to end by itself.
func (c *Client) stopPrompting(ctx context.Context) {
	c.guard.Lock()
	defer c.guard.Unlock()
	if ctx.Err() != nil {
		c.conn.stream.SetDeadline(time.Now().Add(cancelGrace))
		return // watch leaves the deadline alone
	}
	c.prompting = false
}
