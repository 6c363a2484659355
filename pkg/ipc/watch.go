package ipc

import (
	"context"
	"time"
)

// cancelGrace is how long a cancelled prompt's step may take to end.
const cancelGrace = 5 * time.Second

// watch ends the connection when ctx ends, unless a prompt waits: that one is
// cancelled through its own context. The returned function stops watching.
func (c *Client) watch(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		c.guard.Lock()
		defer c.guard.Unlock()
		c.expired = true
		if !c.prompting {
			c.conn.stream.SetDeadline(time.Now())
		}
	})
}

// setPrompting tells watch whether a prompt waits. A context that ended
// meanwhile leaves the step a short time to end by itself.
func (c *Client) setPrompting(prompting bool) {
	c.guard.Lock()
	defer c.guard.Unlock()
	c.prompting = prompting
	if !prompting && c.expired {
		c.conn.stream.SetDeadline(time.Now().Add(cancelGrace))
	}
}
