package node

import (
	"context"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/pamhelper/pamhelper/cmd/agent/internal/journal"
	"github.com/pamhelper/pamhelper/pkg/ipc"
)

// watchHelper ends the connection where the helper is gone. Where the connection
// has ended, and channels wait for a helper that takes nothing any more, it ends
// that as well.
func (c *connection) watchHelper(client *ipc.Client, conn *ssh.ServerConn, served <-chan struct{}) {
	select {
	case <-client.Done():
		c.journal.Error("the helper is gone")
		select { // channels tell it
		case <-c.ctx.Done():
		case <-time.After(farewell):
		}
		conn.Close()
		return
	case <-c.ctx.Done():
	}
	select {
	case <-served:
	case <-time.After(closing):
		client.Close()
	}
}

// farewell is how long a client has to read why its connection ends.
const farewell = 500 * time.Millisecond

// refuse tells the first channel that there is no session, and lets the client
// read that.
func refuse(ctx context.Context, channels <-chan ssh.NewChannel, messages string) {
	const sorry = "your session could not be opened"
	select {
	case channel, ok := <-channels:
		if !ok {
			return
		}
		channel.Reject(ssh.Prohibited, sorry+"\n"+messages)
	case <-ctx.Done():
		return
	}
	select {
	case <-channels:
	case <-time.After(farewell):
	}
}

// answer refuses what is asked for beside the channels.
func (c *connection) answer(requests <-chan *ssh.Request) {
	for request := range requests {
		known := request.Type == "keepalive@openssh.com"
		if !known {
			c.journal.Info("request refused", "type", journal.Text(request.Type))
		}
		if request.WantReply {
			request.Reply(known, nil)
		}
	}
}

// keepAlive asks a client for a sign of life, and closes the connection where
// none comes.
func (c *connection) keepAlive(conn *ssh.ServerConn) {
	if c.settings.KeepaliveInterval <= 0 {
		return
	}
	for {
		select {
		case <-time.After(c.settings.KeepaliveInterval):
		case <-c.ctx.Done():
			return
		}
		last := time.AfterFunc(c.settings.KeepaliveInterval*time.Duration(max(c.settings.KeepaliveCount, 1)), func() {
			c.journal.Always("closed: the client gives no sign of life")
			c.close()
		})
		_, _, err := conn.SendRequest("keepalive@openssh.com", true, nil) // a refusal is one as well
		last.Stop()
		if err != nil {
			return
		}
	}
}
