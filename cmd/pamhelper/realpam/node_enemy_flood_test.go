package realpam_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestNodeEndsFloodsOfAttempts early, and starts no more for them than for others.
func TestNodeEndsFloodsOfAttempts(t *testing.T) {
	t.Parallel()
	n := keyed(t, counting(t), besieged)
	n.keygen("other")
	writeFile(t, n.path("enemy1.keys"), readFile(t, n.path("key.pub")))
	key, other := n.signer("key"), n.signer("other")
	for name, c := range map[string]struct {
		move           move
		answers, begun int // at most
	}{
		"passwords":         {passwordFrom("enemy1", "wrong"), 3, 3},
		"passwords of many": {passwordFrom("nobody-of-this-name", "wrong"), 3, 3},
		"no method":         {none("enemy1"), 4, 0},
		"keys asked about":  {asksAbout("enemy1", key.PublicKey()), 128, 0},
		"keys of nobody":    {asksAbout("enemy1", other.PublicKey()), 6, 0},
		"keys not had":      {signs("enemy1", key.PublicKey(), other), 1, 0},
		"first factors":     {signs("enemy1", key.PublicKey(), key), 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := n.raw(t)
			bytes := c.move.bytes(r)
			go func() { // the node need not read them
				for range 1000 {
					r.send(bytes)
				}
			}()
			var answers int
			last := r.outcome()
			for ; strings.HasPrefix(last, "failure") || strings.HasPrefix(last, "partial") || last == "key"; answers++ {
				last = r.outcome()
			}
			lines := r.leaves()
			begun := strings.Count(lines, "step=begin")
			if answers > c.answers || begun > c.begun || !strings.HasPrefix(last, "disconnect") && last != "closed" {
				t.Errorf("%d answers and then %q, %d workers begun; want at most %d, the end, %d\nin the log:\n%s", answers, last, begun, c.answers, c.begun, lines)
			}
		})
	}
}

// slow is a client that stops somewhere.
type slow struct {
	name string
	stop func(*rawClient)
}

var slowClients = []slow{
	{"silent", func(*rawClient) {}},
	{"in the version", func(r *rawClient) { r.conn.Write([]byte("SSH-2.0-x")) }},
	{"behind the version", func(r *rawClient) { r.conn.Write([]byte(rawVersion + "\r\n")) }},
	{"in a packet", func(r *rawClient) { r.conn.Write(append([]byte(rawVersion+"\r\n"), 0, 0, 1, 0, 5, msgKexInit)) }},
	{"in the exchange of keys", func(r *rawClient) {
		if _, _, _, err := r.greet(); err != nil {
			r.t.Error(err)
		}
	}},
	{"behind the exchange", func(r *rawClient) {
		if err := r.exchange(); err != nil {
			r.t.Error(err)
		}
	}},
	{"in a second exchange", func(r *rawClient) {
		if err := r.exchange(); err != nil {
			r.t.Error(err)
		}
		r.send(offer())
	}},
	{"at a question", func(r *rawClient) {
		if err := r.exchange(); err != nil {
			r.t.Error(err)
		}
		r.send(ssh.Marshal(serviceMessage{Name: "ssh-userauth"}))
		r.outcome()
		if err := r.plays(interactive("enemy6").wants(asked)); err != nil {
			r.t.Error(err)
		}
	}},
	{"in an answer", func(r *rawClient) {
		if err := r.exchange(); err != nil {
			r.t.Error(err)
		}
		r.send(ssh.Marshal(serviceMessage{Name: "ssh-userauth"}))
		r.outcome()
		if err := r.plays(interactive("enemy6").wants(asked)); err != nil {
			r.t.Error(err)
		}
		packet := r.packet(answersOf(password).bytes(r))
		r.conn.Write(packet[:len(packet)-1])
	}},
}

// TestNodeWaitsForNoSlowClient longer than for others, wherever it stops.
func TestNodeWaitsForNoSlowClient(t *testing.T) {
	t.Parallel()
	const most = patience / 2 // of a machine that is busy; the node's timeout is 2 s
	n := nodeWith(t, counting(t), "  login_timeout: 2s\n"+strings.TrimPrefix(passwords, "\n"))
	t.Run("that stops", func(t *testing.T) {
		for _, c := range slowClients {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				r := n.dial(t)
				c.stop(r)
				for {
					if _, err := r.conn.Read(make([]byte, 1024)); err != nil {
						break
					}
				}
				if took := time.Since(began); took > most {
					t.Errorf("closed after %s, want less than %s", took, most)
				}
				if lines := r.leaves(); !strings.Contains(lines, `why="not logged in after 2s"`) && !strings.Contains(lines, "attempts that failed") {
					t.Errorf("the log does not say why:\n%s", lines)
				}
			})
		}
	})
	n.nothingLeft("enemy6")
}

// TestNodeClosesAFloodOfConnections and lets others in behind it.
func TestNodeClosesAFloodOfConnections(t *testing.T) {
	t.Parallel()
	const most, flood = 10, 500
	n := nodeWith(t, counting(t), "  max_unauthenticated_connections: 10\n"+strings.TrimPrefix(passwords, "\n"))
	greeted := 0
	var conns []net.Conn
	for range flood {
		r := n.dial(t)
		conns = append(conns, r.conn)
		if line, _ := r.reader.ReadString('\n'); strings.HasPrefix(line, "SSH-2.0-") {
			greeted++
		}
	}
	if greeted == 0 || greeted > most {
		t.Errorf("%d connections of %d were greeted, want at most %d", greeted, flood, most)
	}
	if lines := strings.Count(n.log.String(), "too many connections"); lines == 0 || lines > 30 {
		t.Errorf("%d lines in the log of too many connections, want some, not one for each", lines)
	}
	for _, conn := range conns {
		conn.Close()
	}
	eventually(t, func() bool { return strings.Count(n.log.String(), "disconnected before a login") == greeted }, "the end of %d connections", greeted)
	n.letsIn(interactive("enemy5").wants(asked), answersOf(password).wants("success"))
}
