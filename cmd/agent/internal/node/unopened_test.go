package node

import (
	"net"
	"testing"
)

// TestANetworkHasAsManyConnectionsAsAreFree so that one that takes all it can get
// keeps nobody else out.
func TestANetworkHasAsManyConnectionsAsAreFree(t *testing.T) {
	t.Parallel()
	const most = 12
	u := unopened{}
	for _, c := range []struct {
		address string
		enter   int // as many as it can get
	}{
		{"192.0.2.1", 6}, {"::ffff:192.0.2.1", 0}, {"192.0.2.2", 3},
		{"2001:db8::1", 2}, {"2001:db8::2:1", 0}, {"2001:db8:0:1::1", 1}, {"192.0.2.3", 0},
	} {
		from := &connection{address: numeric(&net.TCPAddr{IP: net.ParseIP(c.address)})}
		got := 0
		for got <= most && u.enter(from.network(), most) {
			got++
		}
		if got != c.enter {
			t.Errorf("%s: got %d connections, want %d", c.address, got, c.enter)
		}
	}
	if _, all := u.of((&connection{}).network()); all != most {
		t.Errorf("all: got %d, want %d", all, most)
	}
	for network, count := range u {
		for range count {
			u.leave(network)
		}
	}
	if len(u) != 0 {
		t.Errorf("behind the end of all: got %v, want nothing", u)
	}
}

// TestTheOnlyConnectionThatThereMayBeIsLetIn whoever has it.
func TestTheOnlyConnectionThatThereMayBeIsLetIn(t *testing.T) {
	t.Parallel()
	if c := (&connection{}); !(unopened{}).enter(c.network(), 1) {
		t.Error("refused, want it let in")
	}
}
