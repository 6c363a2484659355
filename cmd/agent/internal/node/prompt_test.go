package node

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFirstPacketsAreAcknowledgedWhenTheyHaveBeenRead: a client that waits for that
// does not wait for the kernel's timer.
func TestFirstPacketsAreAcknowledgedWhenTheyHaveBeenRead(t *testing.T) {
	t.Parallel()
	accepted, client := overTCP(t)
	server, buf := promptly(accepted), make([]byte, 64)
	for i := range promptPackets {
		exchange(t, client, server, buf)
		if left := unacknowledged(t, client); left != 0 {
			t.Fatalf("packet %d: %d bytes are not acknowledged, want none", i+1, left)
		}
		exchange(t, server, client, buf) // the kernel takes it for a conversation, and puts off what it acknowledges
	}
	for range 100 {
		exchange(t, client, server, buf)
		if unacknowledged(t, client) > 0 {
			return
		}
		exchange(t, server, client, buf)
	}
	t.Errorf("all packets behind %d are acknowledged at once, want that left to the kernel", promptPackets)
}

// TestWhatIsNoTCPStaysAsItIs such as the connections of tests.
func TestWhatIsNoTCPStaysAsItIs(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	if got := promptly(ours); got != ours {
		t.Errorf("got %T, want it as it is", got)
	}
}

func exchange(t *testing.T, from, to net.Conn, buf []byte) {
	t.Helper()
	if _, err := from.Write([]byte("a small packet")); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Read(buf); err != nil {
		t.Fatal(err)
	}
}

// unacknowledged is how many bytes a connection has sent that the peer has not
// acknowledged (tcp(7), SIOCOUTQ).
func unacknowledged(t *testing.T, c *net.TCPConn) (left int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return left
}
